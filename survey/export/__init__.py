"""The data of a study as files, and as downloads that begin at once and never fill the memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from survey.export import formats
from survey.export.dataset import DataSet
from survey.export.release import REAL_PEOPLE, Release
from survey.export.tables import EVERYBODY, Selection, snapshot
from survey.models import Study

__all__ = ["EVERYBODY", "FORMATS", "REAL_PEOPLE", "Selection", "save", "stream"]

Writer = Callable[..., Iterator[None]]


@dataclass(frozen=True)
class Format:
    """A form in which the data can be had. The writer is a generator that writes piece by piece."""

    suffix: str
    content_type: str
    write: Writer
    selection: Selection = EVERYBODY  # whose data, unless told otherwise

    def file_name(self, study: Study, kind: str) -> str:
        return f"{study.slug}-{kind}.{self.suffix}"


def _data_set(out: BinaryIO, study: Study, selection: Selection, **more: Any) -> Iterator[None]:
    return DataSet(study, selection, **more).write(out)


def _release(out: BinaryIO, study: Study, selection: Selection, **more: Any) -> Iterator[None]:
    return Release(study, selection, **more).write(out)


XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMATS = {
    "psychds": Format("zip", "application/zip", _data_set),
    "csv": Format("csv", "text/csv; charset=utf-8", formats.write_csv),
    "xlsx": Format("xlsx", XLSX, formats.write_xlsx),
    "parquet": Format("parquet", "application/vnd.apache.parquet", formats.write_parquet),
    "wide": Format("csv", "text/csv; charset=utf-8", formats.write_wide),
    "release": Format("zip", "application/zip", _release, REAL_PEOPLE),
}


def save(
    study: Study,
    path: Path,
    kind: str = "psychds",
    selection: Selection | None = None,
    **more: Any,
) -> None:
    """Write the data into a file; `path` appears only once it is complete."""
    form = FORMATS[kind]
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("wb") as out, snapshot():
        for _piece in form.write(out, study, selection or form.selection, **more):
            pass
    unfinished.replace(path)


def stream(
    study: Study, kind: str = "psychds", selection: Selection | None = None, **more: Any
) -> Iterator[bytes]:
    """The same bytes piece by piece, as they are made."""
    form, out = FORMATS[kind], _Pieces()
    whose = selection or form.selection
    with snapshot():
        for _piece in form.write(cast(BinaryIO, out), study, whose, **more):
            if data := out.take():
                yield data
    yield out.take()


class _Pieces:
    """A file that can only be written; what was written is taken away piece by piece."""

    closed = False

    def __init__(self) -> None:
        self.waiting: list[bytes] = []

    def write(self, data: Any) -> int:
        self.waiting.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits anywhere else."""

    def writable(self) -> bool:
        return True

    def take(self) -> bytes:
        data = b"".join(self.waiting)
        self.waiting.clear()
        return data
