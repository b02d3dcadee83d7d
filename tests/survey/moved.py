"""Run in a process of its own: restore a backup into another database and look at the result."""

import json
import sys
from pathlib import Path

import django


def move(source: Path, copy: Path) -> dict:
    """Restore, check, back up again; then try what must and what must not work."""
    from django.db import DatabaseError, connection, transaction

    from survey import backup, integrity
    from survey.models import Response, Study
    from tests import factories

    backup.restore(source)
    backup.write(copy)
    study = Study.objects.get()
    findings = integrity.verify(study)
    newcomer = factories.enrol(study)
    try:
        with transaction.atomic():
            Response.objects.update(rt_ms=0)
        append_only = False
    except DatabaseError:
        append_only = True
    return {
        "engine": connection.vendor,
        "faults": findings.faults,
        "responses": findings.responses,
        "anchor": findings.anchor,
        "newcomer": newcomer.number,
        "append_only": append_only,
    }


if __name__ == "__main__":
    django.setup()
    print(json.dumps(move(Path(sys.argv[1]), Path(sys.argv[2]))))
