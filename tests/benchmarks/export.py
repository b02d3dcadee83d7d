"""Export of a large study: time, memory above idle, and the first byte, beside plain psql.

    uv run python -m tests.benchmarks.export [--trials 1000000] [--rounds 3] [--forms csv ...]

Uses DATABASE_URL where it names a PostgreSQL server, else SQLite; in both cases a database of
its own that is made, filled by SQL and dropped. The forms and, on PostgreSQL, `psql \\copy` of the
same query take turns, so that a busy machine slows all of them; the medians count. Prints one line
of Markdown a form. CPU is that of the exporting process, which with PostgreSQL has the server's
beside it.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PER_PERSON = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--forms", nargs="+", default=["csv", "parquet", "psychds", "wide", "xlsx"])
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(measure(options.run)))
        return
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        connection, study = set_up(options.trials)
        try:
            print(f"{options.trials:,} trials, {connection.vendor}, {options.rounds} rounds")
            found = rounds(connection, study, options, Path(folder))
        finally:
            connection.creation.destroy_test_db("benchmark", verbosity=0)
    print("| form | seconds | CPU s | first bytes after s | MB | MB of memory above idle |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, runs in found.items():
        middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        cells = [f"{middle[key]:{form}}" if key in middle else "" for key, form in SHOWN.items()]
        print(f"| {name} | {' | '.join(cells)} |")


#: What is told of a run, and how.
SHOWN = {"seconds": ".1f", "cpu": ".1f", "first": ".2f", "size": ".0f", "above": ".0f"}


def rounds(connection, study: str, options, folder: Path) -> dict[str, list[dict[str, float]]]:
    """Every form in turn, as often as there are rounds."""
    found: dict[str, list[dict[str, float]]] = {}
    for _round in range(options.rounds):
        for form in options.forms:
            command = [sys.executable, "-m", "tests.benchmarks.export", "--run", form]
            environment = os.environ | {"BENCHMARK_STUDY": study}
            said = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE)
            found.setdefault(form, []).append(json.loads(said.stdout))
        if connection.vendor == "postgresql":
            seconds = {"seconds": plain_copy(connection, study, folder)}
            found.setdefault("psql \\copy of the same query", []).append(seconds)
    return found


def prepare(folder: Path) -> None:
    """Settings and folders of this run."""
    os.environ.setdefault("SECRET_KEY", "benchmark" * 8)
    os.environ["HONMONO_VAR"] = str(folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"


def set_up(trials: int):
    """A database with one study and as many answered trials."""
    import django

    django.setup()
    from django.db import connection

    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    os.environ["BENCHMARK_DATABASE"] = str(connection.settings_dict["NAME"])
    from tests import factories

    study = factories.make_study(factories.block(trials=PER_PERSON), pairs=PER_PERSON)
    participant = factories.complete(factories.enrol(study))
    multiply(connection, participant, trials // PER_PERSON - 1)
    return connection, study.slug


def multiply(connection, participant, copies: int) -> None:
    """Copy one participant with trials and responses, in SQL."""
    numbers = {
        "postgresql": f"SELECT generate_series(1, {copies}) AS n",
        "sqlite": f"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s "
        f"WHERE n < {copies}) SELECT n FROM s",
    }[connection.vendor]
    shifts = {
        "survey_participant": {"id": "id + n", "number": "n"}
        | {name: f"{name} || n" for name in ("code", "token", "start_key")},
        "survey_trial": {"id": "id + n * 1000", "participant_id": "participant_id + n"},
        "survey_response": {"trial_id": "trial_id + n * 1000"},
    }
    wheres = {
        "survey_participant": f"id = {participant.pk}",
        "survey_trial": f"participant_id = {participant.pk}",
        "survey_response": f"trial_id IN (SELECT id FROM survey_trial "
        f"WHERE participant_id = {participant.pk})",
    }
    with connection.cursor() as cursor:
        for table, shift in shifts.items():
            described = connection.introspection.get_table_description(cursor, table)
            names = [f'"{column.name}"' for column in described]
            values = [shift.get(name.strip('"'), name) for name in names]
            cursor.execute(
                f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} "
                f"FROM {table}, ({numbers}) AS numbers WHERE {wheres[table]}"
            )
        cursor.execute("ANALYZE")


def measure(form: str) -> dict[str, float]:
    """One export in a process of its own, so that its memory is its own."""
    import django

    django.setup()
    from django.db import connection

    connection.settings_dict["NAME"] = os.environ["BENCHMARK_DATABASE"]
    from survey import export
    from survey.models import Study

    study = Study.objects.get(slug=os.environ["BENCHMARK_STUDY"])
    idle, first, size = memory(), 0.0, 0
    begun, begun_cpu = time.perf_counter(), time.process_time()
    for piece in export.stream(study, form):
        first = first or time.perf_counter() - begun
        size += len(piece)
    return {
        "seconds": time.perf_counter() - begun,
        "cpu": time.process_time() - begun_cpu,
        "first": first,
        "size": size / 1e6,
        "above": memory() - idle,
    }


def memory() -> float:
    """The most that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def plain_copy(connection, slug: str, folder: Path) -> float:
    """Seconds that `psql \\copy` of the same query takes."""
    from survey.export import tables
    from survey.models import Study

    study = Study.objects.get(slug=slug)
    query, params = tables.query(study, tables.EVERYBODY, tables.TRIAL_COLUMNS, {})
    with connection.cursor() as cursor:
        text = cursor.mogrify(query, params)
    script = folder / "copy.sql"
    script.write_text(f"\\copy ({' '.join(text.split())}) TO '/dev/null' CSV\n")
    config = connection.settings_dict
    host, port = config["HOST"], str(config["PORT"])
    command = ["psql", "-q", "-h", host, "-p", port, "-U", config["USER"], "-d", config["NAME"]]
    begun = time.perf_counter()
    subprocess.run([*command, "-f", str(script)], check=True)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
