"""A study of 10 million responses: recording, starting, and what researchers look at.

    DATABASE_URL=postgres://... uv run python -m tests.benchmarks.ten_million [--trials 10000000]

Makes a database of its own on a PostgreSQL server and drops it afterwards (`--keep NAME` keeps it,
and uses it again where it is there). It is filled by SQL from one participant who went through
everything; a crowd of new participants then starts and answers by the project's own functions,
each statement committed as in production. 10 million trials take 10 GB of disk for the time.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import postgres
from tests.benchmarks import export

PER_PERSON = 60
PEOPLE, ANSWERS, LOOKS = 200, 10, 5
GB_FREE = 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000_000)
    parser.add_argument("--keep", help="name of a database to make or to use again")
    options = parser.parse_args()
    if shutil.disk_usage("/tmp").free < GB_FREE * 1e9:
        sys.exit(f"This needs {GB_FREE} GB of free disk.")
    with tempfile.TemporaryDirectory() as folder:
        server = os.environ["DATABASE_URL"]
        name = options.keep or "ten_million"
        export.prepare(Path(folder))
        is_new = not exists(server, name)
        url = server.rpartition("/")[0] + f"/{name}"
        os.environ["DATABASE_URL"] = postgres.new_database(server, name) if is_new else url
        try:
            set_up(options.trials if is_new else 0)
            measure()
        finally:
            if not options.keep:
                drop(server, name)


def exists(server: str, name: str) -> bool:
    import psycopg

    with psycopg.connect(server) as connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        return connection.execute(query, [name]).fetchone() is not None


def drop(server: str, name: str) -> None:
    import psycopg
    from django.db import connection as own

    own.close()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}"')


def set_up(trials: int) -> None:
    """Migrate; fill an empty database with a study of so many answered trials."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    if not trials:
        return
    from survey.models import Study
    from tests import factories
    from tests.conftest import triggers_off

    began = time.monotonic()
    half = PER_PERSON // 2
    study = factories.make_study(
        factories.block("preference", "prefer_pair", trials=half),
        factories.block(trials=half, confidence_steps=4),
        pairs=half,
    )
    Study.objects.update(quota=10_000_000)
    participant = factories.complete(factories.enrol(study))
    with triggers_off():  # foreign keys are checked by triggers too
        export.multiply(connection, participant, trials // PER_PERSON - 1)
    spread_over_ten_days()
    print(f"filled in {time.monotonic() - began:.0f} s")


def spread_over_ten_days() -> None:
    """Times as they would be, and numbers that go on behind the copies."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE survey_participant SET entered_at = now() - random() * interval '10 days'"
        )
        cursor.execute(
            "UPDATE survey_participant SET consented_at = entered_at, "
            "completed_at = entered_at + (5 + 10 * random()) * interval '1 minute'"
        )
        for table in ("survey_participant", "survey_trial"):
            last = f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"
            cursor.execute(last)
        people = "(SELECT count(*) FROM survey_participant)"
        cursor.execute(f"UPDATE survey_allocation SET started = {people}, places = {people}")
        cursor.execute("VACUUM ANALYZE")


def measure() -> None:
    from survey import visits
    from survey.models import Participant, Response, Study
    from tests import factories

    study = Study.objects.get()
    print(f"{Response.objects.count():,} responses, {Participant.objects.count():,} participants")
    start, first, record = Stopwatch("start"), Stopwatch("next trials"), Stopwatch("record")
    people = [start.timed(factories.enrol, study, number) for number in range(PEOPLE)]
    for _answer in range(ANSWERS):
        for person in people:
            payload = factories.payload(person)
            first.timed(lambda token: visits.ahead(visits.participant_of(token)), person.token)
            record.timed(factories.record, person, payload)
    for stopwatch in (start, first, record):
        print(stopwatch, flush=True)
    client, one = researcher(), f"/admin/survey/study/{study.pk}"
    pages = {"dashboard": "/admin/", "study page": f"{one}/change/", "live": f"{one}/watch/live/"}
    for name, path in pages.items():
        look = Stopwatch(name)
        for _look in range(LOOKS):
            look.timed(opened, client, path)
        print(look, flush=True)


class Stopwatch:
    """Wall time of each call, and CPU of this process and of its backend in the database.

    On a machine that is busy with other things the CPU is what counts.
    """

    def __init__(self, name: str) -> None:
        self.name, self.milliseconds, self.cpu = name, [], 0.0

    def timed(self, job: Callable[..., Any], *values: Any) -> Any:
        began, cpu = time.perf_counter(), cpu_seconds()
        result = job(*values)
        self.cpu += cpu_seconds() - cpu
        self.milliseconds.append((time.perf_counter() - began) * 1000)
        return result

    def __str__(self) -> str:
        n = len(self.milliseconds)
        cuts = statistics.quantiles(self.milliseconds, n=100, method="inclusive")
        return (
            f"{self.name}: n {n}, median {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, "
            f"{1000 * self.cpu / n:.1f} CPU ms"
        )


def cpu_seconds() -> float:
    """Of this process and of the connection's backend, which is on this machine."""
    from django.db import connection

    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def researcher():
    """A browser in which somebody with all rights is signed in."""
    from django.contrib.auth.models import User
    from django.test import Client, override_settings

    override_settings(CLOSED_LAB=True, ALLOWED_HOSTS=["*"]).enable()
    user = User.objects.filter(username="owner").first()
    user = user or User.objects.create_superuser("owner", password="owner")
    client = Client()
    client.force_login(user)
    return client


def opened(client, path: str) -> None:
    status = client.get(path).status_code
    if status != 200:
        raise SystemExit(f"{path} was answered with {status}")


if __name__ == "__main__":
    main()
