"""Looks at everything that a working installation needs, and says how to mend what is wrong."""

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connection
from django.db.models import Max
from django.utils import timezone

from survey import health, translations
from survey.models import Response, Stimulus, Study, media_path

CLOCK_TOLERANCE = timedelta(seconds=5)
LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]"}
#: Django's warnings that all say the same: no TLS.
ABOUT_TLS = {"security.W004", "security.W008", "security.W012", "security.W016"}
MEND_TLS = (
    "Let a proxy do TLS (docs/deploy.md), then set SECURE_COOKIES=true and TRUSTED_PROXY to the "
    "proxy's address, as a rule 127.0.0.1."
)
MEND = {
    "security.W009": "Make another SECRET_KEY before the first participant comes: "
    '`python -c "import secrets; print(secrets.token_urlsafe(50))"`',
    "security.W018": "Take DEBUG out of the environment.",
}
TRIGGERS = {"survey_response": 2, "survey_erasure": 2}


@dataclass(frozen=True)
class Fault:
    """Something that is wrong, and what to do about it."""

    what: str
    mend: str


Check = Callable[[], Iterator[Fault]]


def examine() -> Iterator[tuple[str, list[Fault]]]:
    """Each part's name and its faults; a part that cannot be looked at is a fault too."""
    parts: dict[str, Check] = {
        "settings": check_settings,
        "permissions": check_permissions,
        "disk": check_disk,
        "translations": check_translations,
        "database": check_database,
        "migrations": check_migrations,
        "clock": check_clock,
        "storage": check_storage,
    }
    for name, check in parts.items():
        yield name, _examine_one(check)


def _examine_one(check: Check) -> list[Fault]:
    try:
        return list(check())
    except (DatabaseError, OSError) as error:
        text = str(error).strip() or type(error).__name__
        return [Fault(text, "Mend what the parts above and below name, then look again.")]


def check_settings() -> Iterator[Fault]:
    """What Django checks for a deployment, and what belongs together in our own variables."""
    if not set(settings.ALLOWED_HOSTS) <= LOCAL_HOSTS and not settings.SECURE:
        yield Fault("the site is public, but cookies may travel unencrypted", MEND_TLS)
    if settings.SECURE and not settings.TRUSTED_PROXY:
        yield Fault("SECURE_COOKIES is on, but no proxy that does TLS is named", MEND_TLS)
    for message in checks.run_checks(include_deployment_checks=True):
        if not message.is_silenced() and message.id not in ABOUT_TLS:
            yield Fault(_one_line(message.msg), _one_line(MEND.get(message.id, message.hint or "")))


def _one_line(text: str) -> str:
    return " ".join(str(text).split())


def check_permissions() -> Iterator[Fault]:
    """We can write where we must, and others cannot read what they must not."""
    for folder in [settings.VAR_DIR, *health.folders()]:
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            yield Fault(
                f"{folder} is not writable",
                f"Give it to the user who runs the server: chown -R USER {folder}",
            )
    if settings.VAR_DIR.exists() and settings.VAR_DIR.stat().st_mode & 0o007:
        yield Fault(
            f"{settings.VAR_DIR} is open to every user of this machine",
            f"chmod o-rwx {settings.VAR_DIR}",
        )


def check_disk() -> Iterator[Fault]:
    """There is room for responses and images."""
    for folder in health.folders():
        free = health.free_bytes(folder)
        if free < health.MIN_FREE_BYTES:
            yield Fault(
                f"{free / 1e6:.0f} MB are free at {folder}",
                f"Make room: {health.MIN_FREE_BYTES / 1e6:.0f} MB at least, or no visitors come.",
            )


def check_translations() -> Iterator[Fault]:
    """Every catalogue has its compiled form, which is made when the program starts."""
    for source in translations.LOCALE.rglob("*.po"):
        compiled = source.with_suffix(".mo")
        if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
            yield Fault(
                f"{source} is not compiled",
                f"Run any `manage.py` command once as a user who may write in {source.parent}.",
            )


def check_database() -> Iterator[Fault]:
    """The database answers, keeps what it acknowledged, and guards the responses."""
    health.database()
    yield from {"sqlite": _check_sqlite, "postgresql": _check_postgres}[connection.vendor]()


def _check_sqlite() -> Iterator[Fault]:
    mend = "Do not change the OPTIONS of the database in the settings."
    if (mode := _value("PRAGMA journal_mode")) != "wal":
        yield Fault(f"SQLite's journal is {mode!r} and not a write-ahead log", mend)
    if _value("PRAGMA synchronous") != 2:
        yield Fault("SQLite acknowledges before the disk has written", mend)
    if (found := _value("PRAGMA quick_check")) != "ok":
        yield Fault(
            f"the database file is damaged: {found}",
            "Stop the server, keep the file, and restore the last backup with `manage.py restore`.",
        )
    yield from _check_triggers(
        "SELECT count(*) FROM sqlite_master WHERE type='trigger' AND tbl_name=%s"
    )


def _check_postgres() -> Iterator[Fault]:
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        if (value := _value(f"SHOW {name}")) == "off":
            yield Fault(
                f"{name} is {value}: a power cut would lose acknowledged responses",
                f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();",
            )
    yield from _check_triggers(
        "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal "
        "AND tgenabled = 'O' AND tgrelid = to_regclass(%s)"
    )


def _check_triggers(query: str) -> Iterator[Fault]:
    for table, wanted in TRIGGERS.items():
        if _value(query, table) < wanted:
            yield Fault(
                f"{table} is not guarded against changes",
                "Run `manage.py migrate`; where that does nothing, restore a backup into a new "
                "database, which brings the triggers back.",
            )


def _value(query: str, *parameters: str):
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchone()[0]


def check_migrations() -> Iterator[Fault]:
    """The tables are those of this version."""
    if pending := health.pending_migrations():
        yield Fault(
            f"{len(pending)} migrations are not applied, up to {pending[-1]}",
            "Make a backup with `manage.py backup --out FILE`, then run `manage.py migrate`.",
        )


def check_clock() -> Iterator[Fault]:
    """The clocks of this machine and of the database agree, and time has not run backwards."""
    mend = "Let the machines' clocks be set by NTP: apt-get install systemd-timesyncd"
    now = timezone.now()
    if connection.vendor == "postgresql":
        apart = abs(_value("SELECT clock_timestamp()") - now)
        if apart > CLOCK_TOLERANCE:
            yield Fault(f"this clock and the database's are {apart} apart", mend)
    last = Response.objects.aggregate(last=Max("answered_at"))["last"]
    if last is not None and last > now + CLOCK_TOLERANCE:
        yield Fault(f"there is a response of {last:%Y-%m-%d %H:%M:%S}, which is to come", mend)


def check_storage() -> Iterator[Fault]:
    """Images can be stored, and those of open studies are there."""
    settings.MEDIA_ROOT.mkdir(parents=True, exist_ok=True)
    probe = settings.MEDIA_ROOT / f".doctor-{secrets.token_hex(4)}"
    probe.write_bytes(b"honmono")
    probe.unlink()
    shown = Stimulus.objects.filter(study__state__in=(Study.State.LIVE, Study.State.PAUSED))
    keys = shown.values_list("key", flat=True)
    missing = [key for key in keys if not media_path("stimuli", f"{key}.jpg").is_file()]
    if missing:
        yield Fault(
            f"{len(missing)} of {len(keys)} images of open studies are missing in "
            f"{settings.MEDIA_ROOT}",
            "Set MEDIA_ROOT to the folder that holds them, or restore a backup.",
        )
