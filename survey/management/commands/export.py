"""`manage.py export STUDY --out PATH`: the data as the admin's Download button gives it."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey import export
from survey.models import Study

WRITERS = {"psychds": export.write_data_set, "csv": export.write_csv_file}


class Command(BaseCommand):
    help = "Write the data of a study to a file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="short name of the study")
        parser.add_argument("--out", type=Path, required=True, help="file to write")
        parser.add_argument("--format", choices=WRITERS, default="psychds")

    def handle(self, *args: Any, **options: Any) -> None:
        study = find_study(options["study"])
        out: Path = options["out"]
        if not out.parent.is_dir():
            raise CommandError(f"There is no folder {out.parent}.")
        WRITERS[options["format"]](study, out)
        self.stdout.write(f"{out} ({out.stat().st_size:,} bytes)")


def find_study(slug: str) -> Study:
    """The study of that name, or an error that names the ones there are."""
    study = Study.objects.filter(slug=slug).first()
    if study is None:
        known = ", ".join(Study.objects.values_list("slug", flat=True)) or "none"
        raise CommandError(f"There is no study {slug}. Studies here: {known}.")
    return study
