"""Everything in one file, and back again, on either engine."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from survey import backup, flow, integrity, sealing
from survey.models import Participant, Response, Study
from tests import factories, postgres

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@pytest.fixture
def busy_study(transactional_db):
    """A study with somebody who finished, somebody in the middle and somebody who withdrew."""
    study = factories.make_study()
    factories.complete(factories.enrol(study))
    middle = factories.enrol(study)
    factories.record(middle, factories.payload(middle, flags=["fast"]))
    gone = factories.enrol(study)
    factories.record(gone, factories.payload(gone))
    flow.withdraw(gone)
    return study


@pytest.fixture(scope="session")
def postgres_server():
    """The address of a PostgreSQL: CI's, or one that lives as long as these tests."""
    if address := os.environ.get("HONMONO_TEST_POSTGRES"):
        yield address
        return
    server = postgres.Postgres()
    yield server.url
    server.remove()


def rows_of(file: Path) -> dict[str, list]:
    """What a backup holds, table by table, but for the number of the erasing transaction."""
    tables: dict[str, list] = {}
    with tarfile.open(file) as archive:
        for member in archive.getmembers():
            if member.name.startswith("rows/"):
                label = member.name.split("/")[1]
                lines = gzip.decompress(archive.extractfile(member).read()).splitlines()
                names, *rows = map(json.loads, lines)
                named = [dict(zip(names, row, strict=True)) for row in rows]
                tables.setdefault(label, []).extend(named)
    for row in tables["survey.erasure"]:
        del row["transaction"]
    return tables


def rewrite(source: Path, target: Path, change) -> None:
    """Copy an archive; `change` gets name and data of each member and returns data or None."""
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        backup_members = backup.Members(new)
        for member in old.getmembers():
            data = change(member.name, old.extractfile(member).read())
            if data is not None:
                backup_members.add_bytes(member.name, data)


def empty(media) -> None:
    """An empty database and an empty folder, as a new machine has them."""
    call_command("flush", interactive=False, verbosity=0)
    shutil.rmtree(media, ignore_errors=True)


def move(source: Path, folder: Path, database_url: str) -> dict:
    """Restore in another process, into another database; the copy's backup is `again.tar`."""
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "survey.settings",
        "HONMONO_VAR": str(folder),
        "SECRET_KEY": django_settings.SECRET_KEY,
    }
    command = [sys.executable, "-m", "tests.survey.moved", str(source), str(folder / "again.tar")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_restore_into_each_engine_brings_everything_back(busy_study, tmp_path, postgres_server):
    first, there, back = tmp_path / "first.tar", tmp_path / "there", tmp_path / "back"
    there.mkdir()
    back.mkdir()
    backup.write(first)
    findings = integrity.verify(busy_study)

    moved = move(first, there, postgres.new_database(postgres_server, "honmono_moved"))
    returned = move(there / "again.tar", back, f"sqlite:///{back / 'honmono.sqlite3'}")

    good = {
        "faults": [],
        "responses": findings.responses,
        "anchor": findings.anchor,
        "newcomer": 3,
        "append_only": True,
    }
    assert moved == good | {"engine": "postgresql"}
    assert returned == good | {"engine": "sqlite"}
    assert rows_of(there / "again.tar") == rows_of(first)
    assert rows_of(back / "again.tar") == rows_of(first)
    served = sorted(path.name for path in (back / "media" / "stimuli").iterdir())
    assert served == sorted(f"{stimulus.key}.jpg" for stimulus in busy_study.stimuli.all())


def test_backup_leaves_out_what_was_sent_and_is_not_imported_yet(busy_study, tmp_path, media):
    (media / "uploads" / "key" / "sent").mkdir(parents=True)
    (media / "uploads" / "key" / "sent" / "images.zip").write_bytes(b"large")
    kept = [path for path in (media / "stimuli").iterdir() if path.is_file()]

    backup.write(tmp_path / "backup")

    with tarfile.open(tmp_path / "backup") as archive:
        files = [name for name in archive.getnames() if name.startswith("files/")]
    assert sorted(files) == sorted(f"files/stimuli/{path.name}" for path in kept)


def test_backup_leaves_out_only_what_is_of_the_moment(db):
    kept = {model._meta.db_table for model in backup.tables()}

    left_out = set(connection.introspection.table_names()) - kept

    assert left_out == {
        "axes_accessattempt",
        "axes_accessattemptexpiration",
        "axes_accessfailurelog",
        "axes_accesslog",
        "django_migrations",  # in the header
        "django_session",
        "survey_startcount",
    }


@pytest.fixture
def write_ahead_log(transactional_db):
    """SQLite as the project's settings have it; those of the tests are for speed."""
    set_journal("WAL")
    yield
    set_journal("DELETE")


def set_journal(mode: str) -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            assert cursor.execute(f"PRAGMA journal_mode={mode}").fetchone() == (mode.lower(),)


@pytest.mark.usefixtures("write_ahead_log")
def test_backup_is_of_one_moment_and_holds_up_nobody(busy_study):
    before = Response.objects.count()

    with backup.snapshot():
        assert Response.objects.count() == before
        with ThreadPoolExecutor(1) as elsewhere:
            elsewhere.submit(answer_once).result(timeout=10)
        assert Response.objects.count() == before

    assert Response.objects.count() == before + 1


def answer_once() -> None:
    try:
        person = Participant.objects.get(number=1)
        factories.record(person, factories.payload(person))
    finally:
        connection.close()


def test_sealed_backup_opens_with_its_key_only(busy_study, tmp_path, settings, media):
    settings.BACKUP_KEY = KEY
    file = tmp_path / "sealed"
    backup.write(file)
    code = Participant.objects.get(number=0).code
    empty(media)

    settings.BACKUP_KEY = KEY.replace("M", "N")
    with pytest.raises(backup.BackupError, match="key does not fit"):
        backup.restore(file)
    settings.BACKUP_KEY = ""
    with pytest.raises(backup.BackupError, match="BACKUP_KEY"):
        backup.restore(file)
    settings.BACKUP_KEY = KEY
    backup.restore(file)

    assert Participant.objects.get(number=0).code == code
    assert b"survey" not in file.read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_damaged_sealed_backup_restores_nothing(busy_study, tmp_path, settings, media, share):
    settings.BACKUP_KEY = KEY
    backup.write(tmp_path / "sealed")
    data = bytearray((tmp_path / "sealed").read_bytes())
    place = len(sealing.MAGIC) + int((len(data) - len(sealing.MAGIC)) * share)
    data[place] ^= 1
    (tmp_path / "changed").write_bytes(data)
    (tmp_path / "cut").write_bytes(data[:place])
    empty(media)

    for name in ("changed", "cut"):
        with pytest.raises(backup.BackupError):
            backup.restore(tmp_path / name)

    assert (Study.objects.count(), list(media.glob("*"))) == (0, [])


def swap_a_row(name, data):
    if not name.startswith("rows/survey.participant/"):
        return data
    return gzip.compress(gzip.decompress(data).replace(b'"en"', b'"ja"'))


def drop_the_responses(name, data):
    return None if name.startswith("rows/survey.response/") else data


def drop_the_manifest(name, data):
    return None if name == "manifest.json" else data


def other_version(name, data):
    if name != "header.json":
        return data
    header = json.loads(data)
    header["migrations"].append("survey.9999_future")
    return json.dumps(header).encode()


def other_format(name, data):
    return data.replace(b'"format": 1', b'"format": 7') if name == "header.json" else data


CHANGES = {
    swap_a_row: "was changed",
    drop_the_responses: "was changed",
    drop_the_manifest: "manifest is missing",
    other_version: "survey.9999_future",
    other_format: "Format 7",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_changed_backup_restores_nothing(busy_study, tmp_path, media, change):
    backup.write(tmp_path / "whole.tar")
    rewrite(tmp_path / "whole.tar", tmp_path / "changed.tar", change)
    empty(media)

    with pytest.raises(backup.BackupError, match=CHANGES[change]):
        backup.restore(tmp_path / "changed.tar")

    assert (Study.objects.count(), list(media.glob("*"))) == (0, [])


@pytest.mark.parametrize("name", ["files/../outside.jpg", "files//etc/outside.jpg", "elsewhere/x"])
def test_backup_with_a_strange_path_is_refused(transactional_db, tmp_path, media, name):
    header = {"format": backup.FORMAT, "made_at": "", "migrations": backup.applied_migrations()}
    with tarfile.open(tmp_path / "strange.tar", "w") as archive:
        members = backup.Members(archive)
        members.add("header.json", header)
        members.add_bytes(name, b"x")

    with pytest.raises(backup.BackupError, match="does not belong"):
        backup.restore(tmp_path / "strange.tar")

    assert not (tmp_path / "outside.jpg").exists()


def test_restore_is_refused_beside_other_data(busy_study, tmp_path, media):
    backup.write(tmp_path / "file.tar")

    with pytest.raises(backup.BackupError, match="is not empty"):
        backup.restore(tmp_path / "file.tar")
    shutil.rmtree(media)
    with pytest.raises(backup.BackupError, match="database is not empty"):
        backup.restore(tmp_path / "file.tar")

    assert integrity.verify(busy_study).faults == []


def test_backup_never_overwrites_and_leaves_no_rest(busy_study, tmp_path):
    (tmp_path / "there").write_text("older")

    with pytest.raises(backup.BackupError, match="never overwrites"):
        backup.write(tmp_path / "there")
    with pytest.raises(backup.BackupError, match="No such file"):
        backup.write(tmp_path / "nowhere" / "file")

    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["there"]
    assert (tmp_path / "there").read_text() == "older"


def test_commands_say_what_they_did(busy_study, tmp_path, media, capsys):
    call_command("backup", out=tmp_path / "file.tar")
    assert "It is not encrypted" in capsys.readouterr().out
    assert (tmp_path / "file.tar").stat().st_mode & 0o777 == 0o600
    empty(media)

    call_command("restore", str(tmp_path / "file.tar"))

    assert "withdraw them again" in capsys.readouterr().out
    with pytest.raises(CommandError, match="not empty"):
        call_command("restore", str(tmp_path / "file.tar"))


def test_unusable_key_is_named(transactional_db, tmp_path, settings):
    settings.BACKUP_KEY = "too short"

    with pytest.raises(CommandError, match="32 bytes in base64"):
        call_command("backup", out=tmp_path / "file.tar")
