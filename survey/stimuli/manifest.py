"""Read `manifest.csv` and `generators.csv` (CONTRACT.md, section 4), and name every fault."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TypeVar

from .errors import Fault, Limits, ManifestError, StimulusError, gettext_noop
from .sources import UNSAFE_NAME, Source, is_unsafe, nfc, open_source

Value = TypeVar("Value")

ORIGINS = ("real", "ai", "enhanced")
_REQUIRED = ("file", "origin")
_OPTIONAL = (
    *("pair_id", "generator", "category", "enhancement_level", "is_catch"),
    *("credit", "licence", "source", "prompt"),
)
_GENERATOR_COLUMNS = ("vendor", "kind", "open_weights", "released", "cost_per_image_usd")

_A_BOOLEAN = gettext_noop("true, false or empty")
_A_DATE = gettext_noop("a date like 2025-01-31, or empty")
_A_LEVEL = gettext_noop("a number from 0 to 1, or empty")
_A_COST = gettext_noop("a number of at least 0, or empty")
_A_NAME = gettext_noop("a name, each once")
_NO_GENERATOR = gettext_noop("empty for a real photograph")
_KNOWN_GENERATOR = gettext_noop("a name that generators.csv lists")
_REAL_LEVEL = gettext_noop("0 or empty for a real photograph")
_ENHANCED_LEVEL = gettext_noop("more than 0, or empty, for an enhanced photograph")
_EACH_ONCE = gettext_noop("each file once")
_A_FILE = gettext_noop("a file that is there")
_A_COLUMN = gettext_noop("a column of this name, once")
_A_TABLE = gettext_noop(
    "a CSV table in UTF-8 (in Excel: “CSV UTF-8”) with a header and at least one row"
)
_A_MANIFEST = gettext_noop("a table that says of each image what it is")
_AS_HEADER = gettext_noop("as many cells as the header has")


@dataclass(frozen=True, slots=True)
class Generator:
    """A system that makes or changes images. Unknown is empty or None."""

    name: str
    vendor: str = ""
    kind: str = ""
    open_weights: bool | None = None
    released: date | None = None
    cost_per_image_usd: float | None = None
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One stimulus as the manifest describes it; its bytes are read when asked for."""

    number: int  # row of the table, the header being 1
    file: str
    origin: str
    folder: Source = field(repr=False)
    pair_id: str = ""
    generator: str = ""
    category: str = ""
    enhancement_level: float | None = None
    is_catch: bool = False
    credit: str = ""
    licence: str = ""
    source: str = ""
    prompt: str = ""
    notes: dict[str, str] = field(default_factory=dict)

    def read(self) -> bytes:
        """Return the bytes of the original, or raise StimulusError."""
        return self.folder.read(self.file)


@dataclass(frozen=True, slots=True)
class Manifest:
    rows: tuple[Row, ...]
    generators: tuple[Generator, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """One row of a CSV table; it turns cells into values and collects what is wrong."""

    file: str
    number: int
    cells: Mapping[str, str]
    faults: list[Fault]

    def text(self, column: str) -> str:
        return self.cells.get(column, "")

    def fault(self, column: str, allowed: str) -> None:
        self.faults.append(Fault(self.file, self.number, column, self.text(column), allowed))

    def parse(self, column: str, parser: Callable[[str], Value], allowed: str) -> Value | None:
        """Return the value of a cell; None when it is empty or, with a fault, wrong."""
        if not self.text(column):
            return None
        try:
            return parser(self.text(column))
        except ValueError:
            self.fault(column, allowed)
            return None

    def notes(self, known: tuple[str, ...]) -> dict[str, str]:
        return {name: text for name, text in self.cells.items() if text and name not in known}


def read_manifest(path: Path, limits: Limits | None = None) -> Manifest:
    """Read the manifest of a folder or ZIP file; raise ManifestError with every fault.

    Columns that are not known are kept as notes. Without `generators.csv` the names of generators
    are taken as they are. The images themselves are not decoded here: see `prepare_all`.
    """
    source = open_source(Path(path), limits or Limits())
    faults: list[Fault] = []
    generators = _read_generators(source, faults)
    lines = _read_table(source, "manifest.csv", _REQUIRED, faults)
    rows = _rows(lines, source, generators)
    if faults:
        raise ManifestError(sorted(faults, key=lambda fault: (fault.file, fault.row)))
    if generators is None:
        names = dict.fromkeys(row.generator for row in rows if row.generator)
        generators = [Generator(name) for name in names]
    return Manifest(tuple(rows), tuple(generators))


def _read_generators(source: Source, faults: list[Fault]) -> list[Generator] | None:
    if "generators.csv" not in source.names:
        return None
    generators: dict[str, Generator] = {}
    for line in _read_table(source, "generators.csv", ("name",), faults):
        generator = _generator(line)
        if not generator.name or generator.name in generators:
            line.fault("name", _A_NAME)
        generators[generator.name] = generator
    return list(generators.values())


def _generator(line: _Line) -> Generator:
    return Generator(
        name=line.text("name"),
        vendor=line.text("vendor"),
        kind=line.text("kind"),
        open_weights=line.parse("open_weights", _boolean, _A_BOOLEAN),
        released=line.parse("released", date.fromisoformat, _A_DATE),
        cost_per_image_usd=line.parse("cost_per_image_usd", _not_negative, _A_COST),
        notes=line.notes(("name", *_GENERATOR_COLUMNS)),
    )


def _rows(lines: list[_Line], source: Source, generators: list[Generator] | None) -> list[Row]:
    known = None if generators is None else {generator.name for generator in generators}
    seen: set[str] = set()
    rows = []
    for line in lines:
        row = _row(line, source)
        _check_file(line, row.file, source, seen)
        _check_origin(line, row, known)
        seen.add(row.file)
        rows.append(row)
    return rows


def _row(line: _Line, source: Source) -> Row:
    file = nfc(line.text("file"))
    texts = ("pair_id", "generator", "category", "credit", "licence", "source", "prompt")
    return Row(
        number=line.number,
        file=file,
        origin=line.text("origin"),
        folder=source.only(file),
        enhancement_level=line.parse("enhancement_level", _level, _A_LEVEL),
        is_catch=bool(line.parse("is_catch", _boolean, _A_BOOLEAN)),
        notes=line.notes((*_REQUIRED, *_OPTIONAL)),
        **{name: line.text(name) for name in texts},
    )


def _check_file(line: _Line, file: str, source: Source, seen: set[str]) -> None:
    if is_unsafe(file):
        line.fault("file", UNSAFE_NAME)
    elif file not in source.names:
        line.fault("file", _A_FILE)
    elif file in seen:
        line.fault("file", _EACH_ONCE)


def _check_origin(line: _Line, row: Row, known: set[str] | None) -> None:
    if row.origin not in ORIGINS:
        line.fault("origin", ", ".join(ORIGINS))
    if row.generator and row.origin == "real":
        line.fault("generator", _NO_GENERATOR)
    elif row.generator and known is not None and row.generator not in known:
        line.fault("generator", _KNOWN_GENERATOR)
    if row.origin == "real" and row.enhancement_level:
        line.fault("enhancement_level", _REAL_LEVEL)
    if row.origin == "enhanced" and row.enhancement_level == 0:
        line.fault("enhancement_level", _ENHANCED_LEVEL)


def _read_table(
    source: Source, file: str, required: tuple[str, ...], faults: list[Fault]
) -> list[_Line]:
    if file not in source.names:
        faults.append(Fault(file, 0, "", "", _A_MANIFEST))
        return []
    try:
        text = source.read(file).decode("utf-8-sig")
        table = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except (KeyError, StimulusError, UnicodeDecodeError, csv.Error) as error:
        told = error.message if isinstance(error, StimulusError) else str(error)
        faults.append(Fault(file, 0, "", told, _A_TABLE))
        return []
    header = [cell.strip() for cell in table[0]] if table else []
    lines = [
        line
        for number, cells in enumerate(table[1:], start=2)
        if (line := _line(file, number, header, cells, faults))
    ]
    _check_header(file, header, required, faults)
    if not lines:
        faults.append(Fault(file, 0, "", "", _A_TABLE))
    return lines


def _check_header(
    file: str, header: list[str], required: tuple[str, ...], faults: list[Fault]
) -> None:
    missing = [name for name in required if name not in header]
    twice = sorted({name for name in header if name and header.count(name) > 1})
    faults.extend(Fault(file, 1, name, "", _A_COLUMN) for name in missing)
    faults.extend(Fault(file, 1, name, name, _A_COLUMN) for name in twice)


def _line(
    file: str, number: int, header: list[str], cells: list[str], faults: list[Fault]
) -> _Line | None:
    """Return a row by column name, or None for an empty one or, with a fault, a ragged one."""
    cells = [cell.strip() for cell in cells]
    if not any(cells):
        return None
    if len(cells) != len(header):
        faults.append(Fault(file, number, "", f"{len(cells)}", _AS_HEADER))
        return None
    return _Line(file, number, dict(zip(header, cells, strict=True)), faults)


def _boolean(text: str) -> bool:
    lower = text.lower()  # spreadsheets turn true into TRUE
    if lower not in ("true", "false"):
        raise ValueError(text)
    return lower == "true"


def _not_negative(text: str) -> float:
    number = float(text)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(text)
    return number


def _level(text: str) -> float:
    number = _not_negative(text)
    if number > 1:
        raise ValueError(text)
    return number
