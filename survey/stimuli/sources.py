"""A folder or a ZIP file with stimuli, read with the same suspicion.

File names from a manifest are looked up among the files that are really there, so no name can
lead out of the folder. Names are compared in Unicode NFC: macOS writes the same name differently.
"""

from __future__ import annotations

import os
import stat
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from survey.messages import Message

from .errors import Fault, Limits, ManifestError, StimulusError, gettext_noop

_CHUNK = 1 << 20
# A picture compresses well in a small file; a bomb is large.
_RATIO_FROM_BYTES = 1 << 20
_AN_ARCHIVE = gettext_noop("a folder or a ZIP file that can be read, within the limits")
UNSAFE_NAME = gettext_noop("the name of a file in the same folder or below it")
_NO_LINK = gettext_noop("a regular file or a folder, no link")
_NOT_ENCRYPTED = gettext_noop("an entry that is not encrypted")
_NAME_ONCE = gettext_noop("each name once")
_CLUTTER = ("__MACOSX/", ".DS_Store", "Thumbs.db")


def nfc(name: str) -> str:
    """Return the name in the form in which names are compared."""
    return unicodedata.normalize("NFC", name)


@dataclass(frozen=True, slots=True)
class Source:
    """Files by name. It holds no open file, so it can be sent to other processes."""

    path: Path
    names: dict[str, str]  # NFC name below the manifest's folder -> real name
    limits: Limits

    def read(self, name: str) -> bytes:
        """Return one file, or raise StimulusError."""
        try:
            if self.path.is_dir():
                return _read_file(self.path / self.names[name], self.limits)
            with zipfile.ZipFile(self.path) as archive:
                return _read_entry(archive, self.names[name], self.limits)
        except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError) as error:
            raise StimulusError("file") from error

    def only(self, name: str) -> Source:
        """Return the same source when one file of it is needed, which travels lightly."""
        names = {name: self.names[name]} if name in self.names else {}
        return Source(self.path, names, self.limits)


def open_source(path: Path, limits: Limits) -> Source:
    """List a folder or ZIP file; raise ManifestError when it is unsafe as a whole."""
    if path.is_dir():
        return Source(path, _folder_names(path, limits), limits)
    if not zipfile.is_zipfile(path):
        raise ManifestError([_fault(path.name, path.name, StimulusError("archive"))])
    return Source(path, _archive_names(path, limits), limits)


def _fault(file: str, found: str, error: StimulusError) -> Fault:
    told = Message("%(file)s: %(error)s", file=found, error=error.message)
    return Fault(file, 0, "", told, _AN_ARCHIVE)


def _folder_names(path: Path, limits: Limits) -> dict[str, str]:
    names = {}
    for folder, _, files in os.walk(path):  # does not follow links to folders
        for file in files:
            full = Path(folder, file)
            if stat.S_ISREG(full.lstat().st_mode):
                name = full.relative_to(path).as_posix()
                names[nfc(name)] = name
        if len(names) > limits.max_files:
            error = StimulusError("files", limit=limits.max_files)
            raise ManifestError([_fault(path.name, str(len(names)), error)])
    return names


def _read_file(path: Path, limits: Limits) -> bytes:
    with path.open("rb") as file:
        data = file.read(limits.max_bytes + 1)
    if len(data) > limits.max_bytes:
        raise StimulusError("bytes", limit=limits.max_bytes)
    return data


def _archive_names(path: Path, limits: Limits) -> dict[str, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            faults = _archive_faults(path.name, entries, limits)
            if faults:
                raise ManifestError(faults)
            _count_bytes(path.name, archive, limits)
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise ManifestError([_fault(path.name, path.name, StimulusError("file"))]) from error
    files = [entry.filename for entry in entries if _is_wanted(entry)]
    prefix = _common_folder(files)
    return {nfc(name[len(prefix) :]): name for name in files}


def _archive_faults(file: str, entries: list[zipfile.ZipInfo], limits: Limits) -> list[Fault]:
    if len(entries) > limits.max_files:
        error = StimulusError("files", limit=limits.max_files)
        return [_fault(file, str(len(entries)), error)]
    faults: list[Fault] = []
    seen: set[str] = set()
    for entry in entries:
        allowed = _entry_allowed(entry, seen)
        if allowed:
            faults.append(Fault(file, 0, "", entry.filename, allowed))
        seen.add(nfc(entry.filename))
    return faults


def _entry_allowed(entry: zipfile.ZipInfo, seen: set[str]) -> str:
    """Return what an entry should have been, or nothing."""
    if is_unsafe(entry.filename):
        return UNSAFE_NAME
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return _NO_LINK
    if entry.flag_bits & 0x1:
        return _NOT_ENCRYPTED
    if nfc(entry.filename) in seen:
        return _NAME_ONCE
    return ""


def is_unsafe(name: str) -> bool:
    """Return whether a name could lead out of its folder on any system."""
    path = PurePosixPath(name)
    strange = "\\" in name or "\0" in name or name[1:2] == ":"
    return strange or path.is_absolute() or ".." in path.parts


def _is_wanted(entry: zipfile.ZipInfo) -> bool:
    return not entry.is_dir() and not any(part in entry.filename for part in _CLUTTER)


def _common_folder(files: list[str]) -> str:
    """Return the folder that holds everything, as when a folder itself was packed, or nothing."""
    if not files or any(nfc(name) == "manifest.csv" for name in files):
        return ""
    first, slash, _ = files[0].partition("/")
    prefix = first + slash
    return prefix if slash and all(name.startswith(prefix) for name in files) else ""


def _count_bytes(file: str, archive: zipfile.ZipFile, limits: Limits) -> None:
    """Unpack everything once without keeping it: what the directory claims proves nothing."""
    faults, total = [], 0
    for entry in archive.infolist():
        try:
            total += _entry_size(archive, entry, limits)
            if total > limits.max_total_bytes:
                raise StimulusError("total", limit=limits.max_total_bytes)
        except StimulusError as error:  # a bomb: unpack nothing more of it
            raise ManifestError([_fault(file, entry.filename, error)]) from error
        except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError):
            faults.append(_fault(file, entry.filename, StimulusError("file")))
    if faults:
        raise ManifestError(faults)


def _entry_size(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: Limits) -> int:
    size = 0
    with archive.open(entry) as stream:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            _check_entry(size, entry, limits)
    return size


def _read_entry(archive: zipfile.ZipFile, name: str, limits: Limits) -> bytes:
    entry = archive.getinfo(name)
    with archive.open(entry) as stream:
        data = stream.read(limits.max_bytes + 1)
    _check_entry(len(data), entry, limits)
    return data


def _check_entry(size: int, entry: zipfile.ZipInfo, limits: Limits) -> None:
    if size > limits.max_bytes:
        raise StimulusError("bytes", limit=limits.max_bytes)
    ratio = size / max(entry.compress_size, 1)
    if size > _RATIO_FROM_BYTES and ratio > limits.max_ratio:
        raise StimulusError("ratio", limit=limits.max_ratio)
