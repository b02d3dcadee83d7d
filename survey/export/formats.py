"""The trials table in other forms: XLSX, Parquet, and one row per participant.

Each is written from start to end into a file that need not be seekable, and never held whole.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO
from xml.sax.saxutils import escape

from survey.export import records, tables
from survey.export.tables import EVERYBODY, Selection, Table
from survey.models import Study, Trial

#: A sheet holds no more; further rows go onto further sheets.
SHEET_ROWS = 1_048_576


def write_csv(out: BinaryIO, study: Study, selection: Selection = EVERYBODY) -> Iterator[None]:
    """The trials table as CSV."""
    for data in tables.trials(study, selection).csv():
        out.write(data)
        yield


def write_parquet(out: BinaryIO, study: Study, selection: Selection = EVERYBODY) -> Iterator[None]:
    """The trials table as Parquet, typed, in row groups as they come."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv
    from pyarrow import parquet

    table = tables.trials(study, selection)
    kinds = {
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "time": pa.timestamp("us", "UTC"),
    }
    schema = pa.schema([(column.name, kinds[column.type]) for column in table.columns])
    options = arrow_csv.ConvertOptions(
        column_types=schema,
        null_values=[""],
        true_values=["true"],
        false_values=["false"],
        strings_can_be_null=True,
    )
    read = arrow_csv.ReadOptions(column_names=table.names)
    parse = arrow_csv.ParseOptions(newlines_in_values=True)
    pieces = table.csv()
    next(pieces)  # the header
    with parquet.ParquetWriter(pa.PythonFile(out, mode="w"), schema) as writer:
        yield  # the download begins
        for data in _larger(pieces):
            writer.write_table(arrow_csv.read_csv(io.BytesIO(data), read, parse, options))
            yield
    yield


def _larger(pieces: Iterable[bytes], size: int = 1 << 22) -> Iterator[bytes]:
    """Pieces put together, because small row groups are slow to read."""
    waiting: list[bytes] = []
    for data in pieces:
        waiting.append(data)
        if sum(map(len, waiting)) >= size:
            yield b"".join(waiting)
            waiting = []
    if any(waiting):
        yield b"".join(waiting)


def rows_of(table: Table) -> Iterator[list[str]]:
    """The rows of a table as text, without the header."""
    pieces = table.csv()
    next(pieces)
    for data in pieces:
        yield from csv.reader(io.StringIO(data.decode(), newline=""))


# --- one row per participant -------------------------------------------------------------------

#: What is told of a response in a wide table: task -> (ending of the name, column of the trial).
VALUES = {
    "detect_pair": ("correct", "correct"),
    "detect_single": ("correct", "correct"),
    "prefer_pair": ("chose_ai", "chose_ai"),
    "rate_single": ("rating", "response"),
}
PLACE = records.Column("block_key", "text", "Name of the block")


def write_wide(out: BinaryIO, study: Study, selection: Selection = EVERYBODY) -> Iterator[None]:
    """One row per participant: a value, a response time and a confidence for each thing shown.

    The columns are named BLOCK_ITEM_WHAT, because every participant has an order of the own.
    """
    people = records.participants(study, selection)
    out.write(tables.csv_lines([people.names]).rstrip())
    yield  # the download begins
    shown = _wide_columns(study, selection)
    out.write(b"," + tables.csv_lines([shown]) if shown else b"\n")
    groups = _by_participant(study, selection)
    code, cells = next(groups, ("", {}))
    batch: list[list[str]] = []
    for person in rows_of(people):
        found: dict[str, str] = {}
        if person[0] == code:
            found = cells
            code, cells = next(groups, ("", {}))
        batch.append([*person, *(found.get(name, "") for name in shown)])
        if len(batch) >= 100:
            out.write(tables.csv_lines(batch))
            batch = []
            yield
    out.write(tables.csv_lines(batch))
    yield


def _wide_columns(study: Study, selection: Selection) -> list[str]:
    """Every column that some participant fills, in the order of blocks and items."""
    trials = Trial.objects.filter(participant__in=selection.participants(study)).order_by()
    places = trials.values_list(
        "block_key", "kind", "task", "pair_code", "left__code", "right__code", "stimulus__code"
    ).distinct()
    names = {
        _place(block, kind, pair, left, right, single): task
        for block, kind, task, pair, left, right, single in places
    }
    return [f"{place}_{end}" for place in sorted(names) for end in _ends(names[place])]


def _ends(task: str) -> tuple[str, str, str]:
    return VALUES[task][0], "rt_ms", "confidence"


def _place(
    block: str, kind: str, pair: str, left: str | None, right: str | None, single: str | None
) -> str:
    """Where the response to something shown stands, whichever side it was on."""
    sides = "+".join(sorted(code for code in (left, right) if code))
    shown = single or pair or sides
    return "_".join((block, shown) if kind == "main" else (block, kind, shown))


def _by_participant(study: Study, selection: Selection) -> Iterator[tuple[str, dict[str, str]]]:
    table = tables.trials(study, selection, (*tables.TRIAL_COLUMNS, PLACE))
    code, cells = "", {}
    for values in rows_of(table):
        row = dict(zip(table.names, values, strict=True))
        if row["participant_id"] != code:
            if code:
                yield code, cells
            code, cells = row["participant_id"], {}
        sides = (row["pair_id"], row["left_stimulus_id"], row["right_stimulus_id"])
        place = _place(row["block_key"], row["kind"], *sides, row["stimulus_id"])
        sources = (VALUES[row["task"]][1], "rt_ms", "confidence")
        for end, source in zip(_ends(row["task"]), sources, strict=True):
            cells[f"{place}_{end}"] = row[source]
    if code:
        yield code, cells


# --- XLSX --------------------------------------------------------------------------------------

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_RELATIONS = (
    f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
)
#: Characters that XML cannot hold.
_FORBIDDEN = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF])


def write_xlsx(out: BinaryIO, study: Study, selection: Selection = EVERYBODY) -> Iterator[None]:
    """The trials table as a workbook. Text is written as text, so that no formula ever runs."""
    table = tables.trials(study, selection)
    numeric = [column.type in ("integer", "number") for column in table.columns]
    rows = rows_of(table)
    sheets = 0
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as book:
        book.writestr("_rels/.rels", _HEAD + _RELATIONS)
        yield  # the download begins
        first: list[str] | None = next(rows, None)
        while first is not None or not sheets:
            sheets += 1
            with book.open(f"xl/worksheets/sheet{sheets}.xml", "w", force_zip64=True) as sheet:
                first = yield from _sheet(sheet, table.names, numeric, first, rows)
        for name, text in _frame(sheets).items():
            book.writestr(name, _HEAD + text)
    yield


def _sheet(
    out: Any,
    names: list[str],
    numeric: Sequence[bool],
    first: list[str] | None,
    rows: Iterator[list[str]],
) -> Iterator[None]:
    """One sheet, as full as it gets. Returns the first row of the next one."""
    out.write(f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
    out.write(_row(names, [False] * len(names)).encode())
    written, waiting = 1, []
    while first is not None and written < SHEET_ROWS:
        waiting.append(_row(first, numeric))
        written += 1
        first = next(rows, None)
        if len(waiting) == 500:
            out.write("".join(waiting).encode())
            waiting = []
            yield
    out.write("".join([*waiting, "</sheetData></worksheet>"]).encode())
    return first


def _row(values: Sequence[str], numeric: Sequence[bool]) -> str:
    return f"<row>{''.join(map(_cell, values, numeric))}</row>"


def _cell(value: str, is_number: bool) -> str:
    if not value:
        return "<c/>"
    if is_number:
        return f"<c><v>{value}</v></c>"
    text = escape(value.translate(_FORBIDDEN))
    return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _frame(sheets: int) -> dict[str, str]:
    """The small files around the sheets."""
    numbers = range(1, sheets + 1)
    parts = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_TYPES}.worksheet+xml"/>'
        for n in numbers
    )
    names = "".join(f'<sheet name="trials{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in numbers
    )
    relations = f'<Relationships xmlns="{_PACKAGE}/relationships">'
    return {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
        f"{parts}</Types>",
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
        f"<sheets>{names}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f"{relations}{links}</Relationships>",
    }
