"""Prepare all images of a manifest on all cores: all or nothing."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from survey.messages import Message

from .errors import Fault, Limits, ManifestError, StimulusError, gettext_noop
from .manifest import Manifest, Row
from .pictures import Display, Prepared, prepare
from .similarity import near_pairs

_AN_IMAGE = gettext_noop(
    "a complete JPEG, PNG, WebP, AVIF or TIFF image, different from all others"
)
# Starting a process costs as much as preparing a few images.
_WORTH_A_PROCESS = 8


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Two stimuli that look almost the same. That is meant when they are a matched pair."""

    first: Row
    second: Row
    distance: int  # different bits of 64

    @property
    def is_same_pair(self) -> bool:
        return bool(self.first.pair_id) and self.first.pair_id == self.second.pair_id

    @property
    def is_across_origins(self) -> bool:
        return self.first.origin != self.second.origin


def prepare_all(
    manifest: Manifest,
    display: Display,
    limits: Limits | None = None,
    jobs: int | None = None,
    progress: Callable[[int, int], object] | None = None,
    folder: Path | None = None,
) -> list[Prepared]:
    """Prepare every image, in the order of the manifest's rows; ``jobs=1`` starts no processes.

    Raises ManifestError with the faults of all images; two rows with the same file are a fault.
    ``progress`` is called with the number done and the number of all. Never more than one original
    a process is held in memory; with a ``folder`` the encoded images are not held either but
    written there as ``<number of the row>.jpg``, and ``Prepared.jpeg`` is empty.
    """
    work = partial(_try, display=display, limits=limits or Limits(), folder=folder)
    results: list[Prepared | StimulusError] = []
    for result in _each(work, manifest.rows, jobs):
        results.append(result)
        if progress:
            progress(len(results), len(manifest.rows))
    faults = list(_faults(manifest.rows, results))
    if faults:
        raise ManifestError(faults)
    return [result for result in results if isinstance(result, Prepared)]


def near_duplicates(manifest: Manifest, prepared: list[Prepared]) -> list[NearDuplicate]:
    """Return all pairs of stimuli that look almost the same, within and across origins."""
    hashes = [stimulus.perceptual_hash for stimulus in prepared]
    rows = manifest.rows
    return [NearDuplicate(rows[i], rows[j], distance) for i, j, distance in near_pairs(hashes)]


def _each(
    work: Callable[[Row], Prepared | StimulusError], rows: tuple[Row, ...], jobs: int | None
) -> Iterator[Prepared | StimulusError]:
    jobs = min(jobs or os.cpu_count() or 1, max(1, len(rows) // _WORTH_A_PROCESS))
    if jobs == 1:
        yield from map(work, rows)
        return
    # Not fork: a web server or a test runner has threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        yield from pool.map(work, rows)


def _try(
    row: Row, display: Display, limits: Limits, folder: Path | None
) -> Prepared | StimulusError:
    try:
        prepared = prepare(row.read(), display, limits)
    except StimulusError as error:
        return error
    if folder is None:
        return prepared
    # Renamed when it is whole: somebody may be watching the folder.
    unfinished = folder / f"{row.number}.part"
    unfinished.write_bytes(prepared.jpeg)
    unfinished.replace(folder / f"{row.number}.jpg")
    return replace(prepared, jpeg=b"")


def _faults(rows: Iterable[Row], results: list[Prepared | StimulusError]) -> Iterator[Fault]:
    files: dict[str, str] = {}
    for row, result in zip(rows, results, strict=True):
        error = result if isinstance(result, StimulusError) else _duplicate(row, result, files)
        if error:
            found = Message("%(file)s: %(error)s", file=row.file, error=error.message)
            yield Fault("manifest.csv", row.number, "file", found, _AN_IMAGE)


def _duplicate(row: Row, prepared: Prepared, files: dict[str, str]) -> StimulusError | None:
    first = files.setdefault(prepared.sha256, row.file)
    return None if first == row.file else StimulusError("duplicate", found=first)
