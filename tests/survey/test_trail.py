"""The log of the researcher's side: what is erased is in it, and nobody can be found by it."""

import json
import subprocess
import sys

from auditlog.models import LogEntry
from django.core.management import call_command
from django.urls import reverse

from survey.panels import Arrival
from tests import factories

ALICE = Arrival("prolific", "alice", "there", "sitting1")


def entries() -> list[dict]:
    """What was noted, each entry as it stands in the database."""
    return list(LogEntry.objects.exclude(additional_data=None).values())


def test_withdrawal_is_noted_without_saying_who(study, client):
    participant = factories.complete(factories.enrol(study, arrival=ALICE))
    for _twice in range(2):
        client.post(reverse("withdraw", args=[participant.token]))
    (entry,) = entries()
    assert (entry["additional_data"], entry["object_pk"]) == (
        {"event": "withdrawal"},
        str(study.pk),
    )
    written = json.dumps(entry, default=str)
    personal = (participant.code, participant.token, "alice", "sitting1")
    assert [value for value in personal if value in written] == []
    assert (entry["actor_id"], entry["remote_addr"]) == (None, None)


def test_erasure_of_panel_ids_is_noted_with_their_number(study, capsys):
    for number, sitting in enumerate(("sitting1", "sitting2")):
        factories.enrol(study, number, arrival=Arrival("prolific", f"alice{number}", "", sitting))
    call_command("erase_panel_ids", "small")
    call_command("erase_panel_ids", "small")  # nothing is left to erase
    (entry,) = entries()
    assert entry["additional_data"] == {"event": "panel ids erased", "rows": 2, "days": 0}
    assert "alice" not in json.dumps(entry, default=str)


LOADED = """
import sys, survey.wsgi
from django.urls import get_resolver
get_resolver().url_patterns
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_serving_process_loads_nothing_of_the_statistics():
    run = [sys.executable, "-c", LOADED]
    loaded = subprocess.run(run, capture_output=True, check=True, text=True).stdout.split()
    assert {"django", "survey", "analysis"} <= set(loaded)
    assert {"scipy", "pandas", "matplotlib", "pyarrow", "joblib"} & set(loaded) == set()
