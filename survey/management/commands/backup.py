"""`manage.py backup --out FILE`: everything in one file, while the server runs."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey import backup, sealing


class Command(BaseCommand):
    help = (
        "Write database and images into one file, consistently, while the server runs. "
        "With BACKUP_KEY in the environment it is encrypted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--out", type=Path, required=True, help="the file to write")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            summary = backup.write(options["out"])
        except (backup.BackupError, sealing.SealError) as error:
            raise CommandError(str(error)) from error
        rows = sum(summary.rows.values())
        self.stdout.write(f"{options['out']}: {rows} rows, {summary.files} files")
        if not settings.BACKUP_KEY:
            self.stdout.write("It is not encrypted, and it holds everything: keep it like a key.")
