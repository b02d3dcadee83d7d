"""`manage.py audit STUDY`: can the truth be told from what the browser receives?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey import audits, studies
from survey.management.commands.export import find_study


class Command(BaseCommand):
    help = "Audit the images, pages and JSON of a study for leaks, as they are served."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="short name of the study")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            audit = audits.run(find_study(options["study"]))
        except studies.StudyError as error:
            raise CommandError(str(error)) from error
        self.stdout.write("\n".join(audit.result["text"]))
        if not audit.passed:
            raise CommandError("The study must not go live like this.")
