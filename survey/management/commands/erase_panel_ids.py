"""`manage.py erase_panel_ids STUDY|--all [--days N]`: the routine erasure after payment."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey import recruitment, trail
from survey.management.commands.export import find_study
from survey.models import Study


class Command(BaseCommand):
    help = (
        "Erase panel IDs. A keyed hash stays until the study closes, so that nobody takes part "
        "twice. Pay first: without the ID nobody can be paid, and a way back that needs it ends."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", nargs="?", help="short name of the study")
        parser.add_argument("--all", action="store_true", help="of every study")
        parser.add_argument(
            "--days", type=int, default=0, help="only of those who entered so many days ago"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if (options["study"] is None) != options["all"]:
            raise CommandError("Give the short name of a study, or --all.")
        if options["days"] < 0:
            raise CommandError("--days must not be negative.")
        chosen = Study.objects.all() if options["all"] else [find_study(options["study"])]
        for study in chosen:
            erased = recruitment.erase_ids(study, days=options["days"])
            if erased:
                trail.note(study, "panel ids erased", rows=erased, days=options["days"])
            self.stdout.write(f"{study.slug}: {erased} panel IDs erased.")
