"""The files of images: untouched originals, prepared pictures, and what is served.

A file is written before the row that names it and removed after it, so that whatever breaks off
leaves files that nobody names, and never a name without a file.
"""

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages

from survey import stimuli
from survey.models import Stimulus, Study, media_path

Name = TypeVar("Name")


def original(name: str) -> Path:
    """Where an original lies; studies that have the same file share it."""
    return media_path("originals", name)


def prepared(study: Study, sha256: str) -> Path:
    """Where the picture lies that was made of an original for the display of a study."""
    return media_path("prepared", f"{sha256}-{study.pk}.jpg")


def served(key: str) -> Path:
    """Where the file lies that browsers get."""
    return media_path("stimuli", f"{key}.jpg")


def write(path: Path, data: bytes) -> None:
    """Write a file so that it is either whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(data)
    unfinished.replace(path)


def publish(pictures: Mapping[Name, Path]) -> dict[Name, str]:
    """Serve pictures anew and return their keys: one length, random names, in random order."""
    if not pictures:
        return {}
    length = stimuli.padded_length(path.stat().st_size for path in pictures.values())
    order = list(pictures)
    secrets.SystemRandom().shuffle(order)
    keys: dict[Name, str] = {}
    for name in order:
        keys[name] = stimuli.random_key()
        data = stimuli.pad(pictures[name].read_bytes(), length)
        write(served(keys[name]), data)
        if store := copies():
            store.save(f"{keys[name]}.jpg", ContentFile(data))
    return keys


def copies() -> Storage | None:
    """The store that browsers get images from, if any; MEDIA_ROOT has them all the same."""
    return storages["stimuli"] if "stimuli" in settings.STORAGES else None


def copy_missing(store: Storage) -> int:
    """Copy to the store what it has not, in random order; returns how many."""
    keys = list(Stimulus.objects.values_list("key", flat=True))
    secrets.SystemRandom().shuffle(keys)
    missing = [key for key in keys if not store.exists(f"{key}.jpg")]
    for key in missing:
        store.save(f"{key}.jpg", ContentFile(served(key).read_bytes()))
    return len(missing)


def withdraw(keys: Iterable[str]) -> None:
    """Serve the files of these keys no longer."""
    for key in keys:
        served(key).unlink(missing_ok=True)
        if store := copies():
            store.delete(f"{key}.jpg")


def forget(study: Study, contents: Iterable[tuple[str, str]]) -> None:
    """Remove what was kept of images that are gone: (SHA-256, name of the original).

    An original stays while any study has it.
    """
    for sha256, name in contents:
        if not study.stimuli.filter(original_sha256=sha256).exists():
            prepared(study, sha256).unlink(missing_ok=True)
        if not Stimulus.objects.filter(original=name).exists():
            original(name).unlink(missing_ok=True)
