"""`manage.py serve`: the production server."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey import server


class Command(BaseCommand):
    help = "Serve the site with the production server, and run background tasks beside it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers", type=int, default=1, help="1 with SQLite")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            server.serve(options["host"], options["port"], options["workers"])
        except server.ServerError as error:
            raise CommandError(str(error)) from error
