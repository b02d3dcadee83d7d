"""`manage.py restore FILE`: a backup into an empty database, of the same engine or the other."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey import backup, sealing


class Command(BaseCommand):
    help = "Fill an empty database (SQLite or PostgreSQL) and an empty MEDIA_ROOT from a backup."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            summary = backup.restore(options["file"])
        except (backup.BackupError, sealing.SealError) as error:
            raise CommandError(str(error)) from error
        rows = sum(summary.rows.values())
        self.stdout.write(f"Restored {rows} rows and {summary.files} files of {summary.made_at}.")
        self.stdout.write(
            "Use the SECRET_KEY of then, or open pages and panel links stop working. "
            "`manage.py verify STUDY` checks the responses. Whoever withdrew after that time is "
            "back: withdraw them again."
        )
