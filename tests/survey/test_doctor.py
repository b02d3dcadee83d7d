"""The doctor finds what is wrong and says how to mend it."""

import shutil
from collections import namedtuple
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from survey import doctor, health
from survey.models import Response
from tests import factories
from tests.conftest import triggers_off
from tests.survey.test_health import unapply_the_last

Usage = namedtuple("Usage", "total used free")
LONG_SECRET = "".join(chr(ord("A") + n % 26) for n in range(60))


def whats(check) -> list[str]:
    return [fault.what for fault in check()]


@pytest.fixture
def production(settings):
    """The settings of a site behind a proxy that does TLS."""
    settings.ALLOWED_HOSTS = ["survey.example.org"]
    settings.SECRET_KEY = LONG_SECRET
    settings.SECURE = settings.SECURE_SSL_REDIRECT = True
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    settings.TRUSTED_PROXY = ["127.0.0.1"]
    return settings


def test_settings_of_production_have_no_fault(production):
    assert whats(doctor.check_settings) == []


def test_settings_of_a_laptop_need_no_tls(settings):
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
    settings.SECRET_KEY = LONG_SECRET

    assert whats(doctor.check_settings) == []


def test_public_site_without_tls_is_a_fault(production):
    production.SECURE = False

    assert whats(doctor.check_settings) == [
        "the site is public, but cookies may travel unencrypted"
    ]


def test_secure_site_without_a_named_proxy_is_a_fault(production):
    production.TRUSTED_PROXY = []

    assert whats(doctor.check_settings) == [
        "SECURE_COOKIES is on, but no proxy that does TLS is named"
    ]


def test_debugging_and_a_short_secret_are_faults(production):
    production.DEBUG, production.SECRET_KEY = True, "short"

    mends = [fault.mend for fault in doctor.check_settings()]

    assert sorted(mends) == sorted([doctor.MEND["security.W018"], doctor.MEND["security.W009"]])


def test_folder_that_is_open_to_all_is_a_fault(settings, tmp_path, media):
    settings.VAR_DIR = tmp_path
    media.mkdir()
    tmp_path.chmod(0o755)
    open_to_all = whats(doctor.check_permissions)
    tmp_path.chmod(0o750)

    assert open_to_all == [f"{tmp_path} is open to every user of this machine"]
    assert whats(doctor.check_permissions) == []


def test_full_disk_is_a_fault(monkeypatch, media):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 10**12, 5_000_000))

    assert f"5 MB are free at {media}" in whats(doctor.check_disk)


def test_room_on_the_disk_is_none():
    assert whats(doctor.check_disk) == []


def test_catalogue_that_is_not_compiled_is_a_fault(monkeypatch, tmp_path):
    (tmp_path / "django.po").write_text("")
    monkeypatch.setattr(doctor.translations, "LOCALE", tmp_path)

    assert whats(doctor.check_translations) == [f"{tmp_path / 'django.po'} is not compiled"]


def test_missing_triggers_are_faults(db):
    before = whats(doctor.check_database)
    with triggers_off():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE survey_response DISABLE TRIGGER response_guard")
        found = set(whats(doctor.check_database)) - set(before)

    assert "survey_response is not guarded against changes" in found


def test_database_that_forgets_is_a_fault(transactional_db):
    with connection.cursor() as cursor:
        off = {"sqlite": "PRAGMA synchronous=OFF", "postgresql": "SET synchronous_commit = off"}
        cursor.execute(off[connection.vendor])
        found = whats(doctor.check_database)
        on = {"sqlite": "PRAGMA synchronous=FULL", "postgresql": "SET synchronous_commit = on"}
        cursor.execute(on[connection.vendor])
        mended = whats(doctor.check_database)
        cursor.execute(off[connection.vendor])

    expected = {
        "sqlite": "SQLite acknowledges before the disk has written",
        "postgresql": "synchronous_commit is off: a power cut would lose acknowledged responses",
    }[connection.vendor]
    assert (expected in found, expected in mended) == (True, False)


def test_pending_migration_is_a_fault(db):
    applied = whats(doctor.check_migrations)
    unapply_the_last()

    pending = [fault.mend for fault in doctor.check_migrations()]

    assert applied == []
    assert ["manage.py migrate" in mend for mend in pending] == [True]


def test_response_of_the_future_is_a_fault(study):
    participant = factories.enrol(study)
    factories.answer_all(participant)
    right = whats(doctor.check_clock)
    with triggers_off():
        Response.objects.update(answered_at=timezone.now() + timedelta(hours=1))

    wrong = whats(doctor.check_clock)

    assert right == []
    assert [text.endswith("which is to come") for text in wrong] == [True]


def test_missing_image_of_an_open_study_is_a_fault(study, media):
    whole = whats(doctor.check_storage)
    next((media / "stimuli").iterdir()).unlink()

    assert whole == []
    assert whats(doctor.check_storage) == [f"1 of 8 images of open studies are missing in {media}"]


def test_folder_that_cannot_be_used_is_a_fault_and_no_crash(db, settings, tmp_path):
    (tmp_path / "file").write_text("")
    settings.MEDIA_ROOT = tmp_path / "file" / "media"

    faults = dict(doctor.examine())["storage"]

    assert [("Not a directory" in fault.what) for fault in faults] == [True]


def test_command_tells_faults_and_ends_with_an_error(db, settings, capsys):
    settings.SECRET_KEY = "short"

    with pytest.raises(CommandError, match="to mend"):
        call_command("doctor")

    out = capsys.readouterr().out
    assert doctor.MEND["security.W009"] in out
    assert "migrations    ok" in out.splitlines()


def test_command_ends_well_where_nothing_is_wrong(db, monkeypatch, capsys):
    parts = ("check_settings", "check_permissions", "check_database")
    for name in parts:  # those of a test run differ from production on purpose
        monkeypatch.setattr(doctor, name, lambda: iter(()))

    call_command("doctor")

    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[1] for line in lines} == {"ok"}
    assert health.MIN_FREE_BYTES > 0
