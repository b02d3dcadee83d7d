"""`manage.py copy_images`: to an S3-compatible store what it has not yet."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from survey import images


class Command(BaseCommand):
    help = (
        "Copy the served images to the store of STORAGE_S3_BUCKET: once when it is set up, and "
        "after a restore. What is imported later is copied by itself."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        store = images.copies()
        if store is None:
            raise CommandError("There is no store. Set STORAGE_S3_BUCKET.")
        self.stdout.write(f"{images.copy_missing(store)} images were copied.")
