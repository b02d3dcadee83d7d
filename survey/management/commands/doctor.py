"""`manage.py doctor`: what is wrong with this installation, and how to mend it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from survey import doctor


class Command(BaseCommand):
    help = "Look at settings, permissions, disk, translations, database, clock and images."
    requires_system_checks = []  # they are part of the examination

    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        for name, faults in doctor.examine():
            count += len(faults)
            self.stdout.write(f"{name:12}  {'ok' if not faults else ''}".rstrip())
            for fault in faults:
                self.stdout.write(f"  fault: {fault.what}\n  mend:  {fault.mend}")
        if count:
            raise CommandError(f"{count} to mend.")
