"""`manage.py release STUDY --out PATH`: the data set that may be published."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from survey import export
from survey.management.commands.export import add_common, save


class Command(BaseCommand):
    help = (
        "Write the public release of a study: no free text, coarse times, and only background "
        "answers that several participants share."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_common(parser)
        parser.add_argument(
            "--include-simulated", action="store_true", help="simulated participants too"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        selection = export.Selection(
            completed_only=options["completed_only"],
            without_simulated=not options["include_simulated"],
            since=options["since"],
            until=options["until"],
        )
        self.stdout.write(save(options, "release", selection))
