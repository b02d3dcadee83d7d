"""`manage.py verify STUDY`: has any response, plan or participant been changed since?"""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey import integrity
from survey.management.commands.export import find_study


class Command(BaseCommand):
    help = "Recompute the hash chains of a study and tell every deviation."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="short name of the study")
        parser.add_argument("--anchor", type=Path, help="compare with an anchor kept elsewhere")
        parser.add_argument("--write-anchor", type=Path, help="file for the anchor of today")

    def handle(self, *args: Any, **options: Any) -> None:
        anchored = _read_anchor(options["anchor"]) if options["anchor"] else None
        findings = integrity.verify(find_study(options["study"]), anchored)
        if options["write_anchor"]:
            text = json.dumps(findings.heads, sort_keys=True, indent=1)
            options["write_anchor"].write_text(text + "\n", encoding="utf-8")
        self.stdout.write(
            f"{findings.participants} participants ({findings.erased} erased), "
            f"{findings.responses} responses, anchor {findings.anchor}"
        )
        if findings.faults:
            raise CommandError("\n".join(findings.faults))
        self.stdout.write("Nothing was changed.")


def _read_anchor(file: Path) -> dict[str, list[Any]]:
    try:
        heads = json.loads(file.read_text(encoding="utf-8"))
        return {code: [int(count), str(head)] for code, (count, head) in heads.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise CommandError(f"{file} is no anchor: {error}") from error
