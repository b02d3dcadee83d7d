"""`manage.py payments STUDY --out FILE`: the panel ids and how each participation ended."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey import completion
from survey.management.commands.export import find_study
from survey.models import PanelIdentity


class Command(BaseCommand):
    help = "Write the panel IDs of a study for payment. They are no part of the data."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="short name of the study")
        parser.add_argument("--out", type=Path, required=True, help="CSV file to write")

    def handle(self, *args: Any, **options: Any) -> None:
        study = find_study(options["study"])
        out: Path = options["out"]
        if not out.parent.is_dir():
            raise CommandError(f"There is no folder {out.parent}.")
        identities = PanelIdentity.objects.filter(participant__study=study)
        with out.open("w", newline="", encoding="utf-8") as file:
            rows = completion.write_payments(identities, file)
        self.stdout.write(f"{out}: {rows} panel IDs.")
