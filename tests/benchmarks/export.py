"""Export of a large study: time, memory above idle, and the first byte, beside plain psql.

    uv run python -m tests.benchmarks.export [--trials 1000000] [--forms csv parquet ...]

Uses DATABASE_URL where it names a PostgreSQL server, else SQLite; in both cases a database of
its own that is made, filled by SQL and dropped. Prints one line of Markdown a form.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PER_PERSON = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1_000_000)
    parser.add_argument("--forms", nargs="+", default=["csv", "parquet", "psychds", "wide", "xlsx"])
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        measure(options.run)
        return
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        connection, study = set_up(options.trials)
        try:
            print(f"{options.trials:,} trials, {connection.vendor}")
            print("| form | seconds | first bytes after s | MB | MB of memory above idle |")
            print("| --- | --- | --- | --- | --- |")
            for form in ["nothing", *options.forms]:
                command = [sys.executable, "-m", "tests.benchmarks.export", "--run", form]
                subprocess.run(command, check=True, env=os.environ | {"BENCHMARK_STUDY": study})
            if connection.vendor == "postgresql":
                plain_copy(connection, Path(folder))
        finally:
            connection.creation.destroy_test_db("benchmark", verbosity=0)


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


def measure(form: str) -> None:
    """One export in a process of its own, so that its memory is its own."""
    import django

    django.setup()
    from django.db import connection

    connection.settings_dict["NAME"] = os.environ["BENCHMARK_DATABASE"]
    from survey import export
    from survey.models import Study

    study = Study.objects.get(slug=os.environ["BENCHMARK_STUDY"])
    if form == "nothing":
        print(f"| (idle) | | | | {memory():.0f} in all |", flush=True)
        return
    idle, begun, first, size = memory(), time.perf_counter(), 0.0, 0
    for piece in export.stream(study, form):
        first = first or time.perf_counter() - begun
        size += len(piece)
    seconds = time.perf_counter() - begun
    above = memory() - idle
    print(f"| {form} | {seconds:.1f} | {first:.2f} | {size / 1e6:.0f} | {above:.0f} |", flush=True)


def memory() -> float:
    """The most that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def plain_copy(connection, folder: Path) -> None:
    """`psql \\copy` of the same query, for comparison."""
    from survey.export import tables
    from survey.models import Study

    study = Study.objects.get(slug=os.environ.get("BENCHMARK_STUDY", "small"))
    query, params = tables.query(study, tables.EVERYBODY, tables.TRIAL_COLUMNS, {})
    with connection.cursor() as cursor:
        text = cursor.mogrify(query, params)
    (folder / "copy.sql").write_text(f"\\copy ({' '.join(text.split())}) TO '/dev/null' CSV\n")
    config = connection.settings_dict
    host, port = config["HOST"], str(config["PORT"])
    command = ["psql", "-q", "-h", host, "-p", port, "-U", config["USER"], "-d", config["NAME"]]
    begun = time.perf_counter()
    subprocess.run([*command, "-f", str(folder / "copy.sql")], check=True)
    print(f"| psql \\copy of the same query | {time.perf_counter() - begun:.1f} | | | |")


if __name__ == "__main__":
    main()
