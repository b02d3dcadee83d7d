"""Backup of everything into one file, and its restoration into an empty database of any engine.

The file is a tar archive: `header.json`, then the rows of each table as gzipped JSON lines, then
the images, then `manifest.json` with the SHA-256 of each member. It is written and read as a
stream. The rows come from one snapshot, so a backup of a busy server is consistent, and the
images are read after it: whatever a row names was there before the row.
"""

import gzip
import hashlib
import io
import json
import os
import secrets
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from django.apps import apps
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.core.management.color import no_style
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from survey import sealing

FORMAT = 1
ROWS_A_MEMBER = 2000

#: Of the moment: who is signed in, who mistyped a password, who started within this hour.
LEFT_OUT = {"sessions", "axes"}
LEFT_OUT_TABLES = {"survey.startcount"}
#: Made by `migrate`, with other numbers in each database; the backup's take their place.
MADE_BY_MIGRATE = {"contenttypes.contenttype", "auth.permission"}


class BackupError(Exception):
    """Why there is no backup, or no restoration; nothing was left half done."""


@dataclass
class Summary:
    """What a backup holds."""

    made_at: str = ""
    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0


def tables() -> list[type[models.Model]]:
    """The models whose rows are kept."""
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if not model._meta.proxy
        and model._meta.managed
        and model._meta.app_label not in LEFT_OUT
        and model._meta.label_lower not in LEFT_OUT_TABLES
    ]


def applied_migrations() -> list[str]:
    """The state of the tables, as the names of what made them."""
    return sorted(
        f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations()
    )


# --- writing -----------------------------------------------------------------------------------


def write(target: Path) -> Summary:
    """Write a backup; the file appears under its name only when it is whole and on the disk."""
    if target.exists():
        raise BackupError(f"{target} is there already; a backup never overwrites another one.")
    key = sealing.read_key(settings.BACKUP_KEY) if settings.BACKUP_KEY else None
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}.unfinished")
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            summary = _write_sealed(out, key) if key else _write_archive(out)
            out.flush()
            os.fsync(out.fileno())
        os.link(unfinished, target)  # unlike rename, it never replaces a file
    except OSError as error:
        raise BackupError(f"{target} could not be written: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    _sync_folder(target.parent)
    return summary


def _write_sealed(out: BinaryIO, key: bytes) -> Summary:
    with sealing.Sealed(out, key) as sealed:
        return _write_archive(sealed)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_archive(out: Any) -> Summary:
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        members = Members(archive)
        with snapshot():
            summary = Summary(made_at=timezone.now().isoformat())
            header = {"format": FORMAT, "made_at": summary.made_at}
            members.add("header.json", header | {"migrations": applied_migrations()})
            for model in tables():
                summary.rows[model._meta.label_lower] = _write_rows(members, model)
        summary.files = _write_files(members)
        members.add("manifest.json", {"rows": summary.rows, "sha256": members.digests})
    return summary


@contextmanager
def snapshot() -> Iterator[None]:
    """One consistent view of the database that holds up nobody who writes."""
    if connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
        return
    # Not `atomic`, which takes SQLite's write lock at once; a deferred transaction only reads.
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


class Members:
    """An archive that is being written, and the digests of its members so far."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self.digests: dict[str, str] = {}

    def add(self, name: str, content: dict[str, Any]) -> None:
        self.add_bytes(name, json.dumps(content, indent=1).encode())

    def add_bytes(self, name: str, data: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        self._archive.addfile(info, io.BytesIO(data))
        self.digests[name] = hashlib.sha256(data).hexdigest()


def _write_rows(members: Members, model: type[models.Model]) -> int:
    """The rows of one table, in members of bounded size. Returns how many there are."""
    names = [f.attname for f in model._meta.local_concrete_fields]
    query = model._base_manager.order_by("pk").values_list(*names)
    rows, count, part = iter(query.iterator(chunk_size=ROWS_A_MEMBER)), 0, 0
    while chunk := list(islice(rows, ROWS_A_MEMBER)):
        lines = [json.dumps(row, cls=ExactEncoder, separators=(",", ":")) for row in chunk]
        packed = gzip.compress("\n".join([json.dumps(names), *lines]).encode(), 6, mtime=0)
        members.add_bytes(f"rows/{model._meta.label_lower}/{part:06}.jsonl.gz", packed)
        count, part = count + len(chunk), part + 1
    return count


class ExactEncoder(DjangoJSONEncoder):
    """Times with microseconds, which Django's encoder cuts; the hash chains need them."""

    def default(self, value: Any) -> Any:
        return value.isoformat() if hasattr(value, "isoformat") else super().default(value)


def _write_files(members: Members) -> int:
    root, count = Path(settings.MEDIA_ROOT), 0
    waiting = root / "uploads"  # sent, not yet imported
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        if path.is_relative_to(waiting):
            continue
        with suppress(FileNotFoundError):  # removed in this moment, so no row names it any more
            members.add_bytes(f"files/{path.relative_to(root).as_posix()}", path.read_bytes())
            count += 1
    return count


# --- restoring ---------------------------------------------------------------------------------


def restore(source: Path) -> Summary:
    """Fill an empty database and an empty folder of images. All or nothing."""
    root = Path(settings.MEDIA_ROOT)
    call_command("migrate", verbosity=0, interactive=False)
    _check_empty(root)
    try:
        with source.open("rb") as file, _opened(file) as stream, transaction.atomic():
            return _Restoration(root).run(stream)
    except BaseException as error:
        for path in root.glob("*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if isinstance(error, sealing.SealError | tarfile.TarError | OSError | EOFError):
            raise BackupError(f"{source} cannot be read: {error}") from error
        raise


def _check_empty(root: Path) -> None:
    if root.exists() and any(root.iterdir()):
        raise BackupError(f"{root} is not empty; a backup is restored beside nothing else.")
    for model in tables():
        if model._meta.label_lower not in MADE_BY_MIGRATE and model._base_manager.exists():
            raise BackupError(
                f"The database is not empty (there are {model._meta.verbose_name_plural}). "
                "Restore into a new one: name it in DATABASE_URL."
            )


@contextmanager
def _opened(file: BinaryIO) -> Iterator[Any]:
    """The archive's stream, unsealed if it is sealed."""
    if file.read(len(sealing.MAGIC)) != sealing.MAGIC:
        file.seek(0)
        yield file
        return
    if not settings.BACKUP_KEY:
        raise BackupError("This backup is encrypted. Put its key into BACKUP_KEY.")
    key = sealing.read_key(settings.BACKUP_KEY)
    with io.BufferedReader(sealing.Opened(file, key), sealing.CHUNK) as stream:
        yield stream


class _Restoration:
    """One run through an archive: rows and files as they come, then the manifest over them all."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._models = {model._meta.label_lower: model for model in tables()}
        self._digests: dict[str, str] = {}
        self._summary = Summary()
        self._manifest: dict[str, Any] | None = None

    def run(self, stream: Any) -> Summary:
        for label in sorted(MADE_BY_MIGRATE, reverse=True):  # content types after permissions
            self._models[label]._base_manager.all().delete()
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for info in archive:
                reader = archive.extractfile(info) if info.isfile() else None
                if reader is None or self._manifest is not None:
                    raise BackupError(f"{info.name} does not belong into a backup.")
                self._take(info.name, reader.read())
        self._check_manifest()
        self._reset_sequences()
        return self._summary

    def _take(self, name: str, data: bytes) -> None:
        kind, _slash, rest = name.partition("/")
        if not self._digests and name != "header.json":
            raise BackupError("This is no backup of Honmono.")
        if name == "manifest.json":
            self._manifest = json.loads(data)
            return
        self._digests[name] = hashlib.sha256(data).hexdigest()
        if name == "header.json":
            self._check_header(json.loads(data))
        elif kind == "rows":
            self._take_rows(rest.partition("/")[0], data)
        elif kind == "files":
            self._take_file(rest, data)
        else:
            raise BackupError(f"{name} does not belong into a backup.")

    def _check_header(self, header: dict[str, Any]) -> None:
        if header.get("format") != FORMAT:
            raise BackupError(f"Format {header.get('format')} of a backup is not known here.")
        here, there = set(applied_migrations()), set(header["migrations"])
        if here != there:
            differ = ", ".join(sorted(here ^ there))
            raise BackupError(
                f"The backup was made with another version of Honmono ({differ}). Install that "
                "version, restore, and upgrade then."
            )
        self._summary.made_at = header["made_at"]

    def _take_rows(self, label: str, data: bytes) -> None:
        model = self._models.get(label)
        if model is None:
            raise BackupError(f"The table {label} is not known here.")
        names, *rows = (json.loads(line) for line in gzip.decompress(data).splitlines())
        by_name = {f.attname: f for f in model._meta.local_concrete_fields}
        _insert(model, [by_name[name] for name in names], rows)
        self._summary.rows[label] = self._summary.rows.get(label, 0) + len(rows)

    def _take_file(self, name: str, data: bytes) -> None:
        path = self._root / name
        if not name or ".." in Path(name).parts or not path.is_relative_to(self._root):
            raise BackupError(f"{name!r} does not belong into a backup.")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        self._summary.files += 1

    def _check_manifest(self) -> None:
        if self._manifest is None:
            raise BackupError("The backup was cut off: its manifest is missing.")
        then = self._manifest["sha256"]
        wrong = [
            name for name in {**then, **self._digests} if then.get(name) != self._digests.get(name)
        ]
        if wrong:
            raise BackupError(f"The backup was changed: {', '.join(sorted(wrong)[:5])}")

    def _reset_sequences(self) -> None:
        """New rows are numbered after the restored ones."""
        ContentType.objects.clear_cache()
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(no_style(), tables()):
                cursor.execute(statement)


def _insert(model: type[models.Model], fields: list[Any], rows: list[list[Any]]) -> None:
    """Insert rows as they are: no defaults, no signals, no time of today.

    Triggers and constraints of the database hold as always.
    """
    objects = [
        model(**{f.attname: f.to_python(value) for f, value in zip(fields, row, strict=True)})
        for row in rows
    ]
    step = max(1, connection.ops.bulk_batch_size(fields, objects)) if objects else 1
    for first in range(0, len(objects), step):
        batch = objects[first : first + step]
        model._base_manager._insert(batch, fields=fields, using=connection.alias, raw=True)
