"""`manage.py export STUDY --out PATH`: the data as the admin's Download button gives it."""

from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey import export
from survey.models import Study

FORMATS = [name for name in export.FORMATS if name != "release"]


class Command(BaseCommand):
    help = "Write the data of a study to a file."

    def add_arguments(self, parser: CommandParser) -> None:
        add_common(parser)
        parser.add_argument("--format", choices=FORMATS, default="psychds")
        parser.add_argument(
            "--without-simulated", action="store_true", help="only people, no simulated ones"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        selection = export.Selection(
            completed_only=options["completed_only"],
            without_simulated=options["without_simulated"],
            since=options["since"],
            until=options["until"],
        )
        kind = options["format"]
        if options["images"] and kind != "psychds":
            raise CommandError("--images goes with --format psychds.")
        self.stdout.write(save(options, kind, selection))


def add_common(parser: CommandParser) -> None:
    """What the export and the public release have in common."""
    parser.add_argument("study", help="short name of the study")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.add_argument("--completed-only", action="store_true", help="who has completed")
    parser.add_argument("--since", type=date.fromisoformat, metavar="DATE", help="entered then on")
    parser.add_argument("--until", type=date.fromisoformat, metavar="DATE", help="entered by then")
    parser.add_argument("--images", action="store_true", help="with the images as shown")


def save(options: dict[str, Any], kind: str, selection: export.Selection) -> str:
    """Write the file; returns a line that says so."""
    study = find_study(options["study"])
    out: Path = options["out"]
    if not out.parent.is_dir():
        raise CommandError(f"There is no folder {out.parent}.")
    more = {"with_images": True} if options["images"] else {}
    export.save(study, out, kind, selection, **more)
    return f"{out} ({out.stat().st_size:,} bytes)"


def find_study(slug: str) -> Study:
    """The study of that name, or an error that names the ones there are."""
    study = Study.objects.filter(slug=slug).first()
    if study is None:
        known = ", ".join(Study.objects.values_list("slug", flat=True)) or "none"
        raise CommandError(f"There is no study {slug}. Studies here: {known}.")
    return study
