"""Compiled translations are made where they are missing or old, so nobody needs gettext's tools."""

import os
from pathlib import Path

import polib

LOCALE = Path(__file__).parent / "locale"


def compile_all(folder: Path = LOCALE) -> list[Path]:
    """Compile every catalogue whose compiled form is missing or older. Returns what was made."""
    stale = [source for source in folder.rglob("*.po") if _is_stale(source)]
    return [_compile(source) for source in stale]


def _is_stale(source: Path) -> bool:
    compiled = source.with_suffix(".mo")
    return not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime


def _compile(source: Path) -> Path:
    compiled = source.with_suffix(".mo")
    unfinished = source.with_suffix(f".{os.getpid()}.tmp")
    polib.pofile(str(source)).save_as_mofile(str(unfinished))
    unfinished.replace(compiled)  # several processes may start at once
    return compiled
