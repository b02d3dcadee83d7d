"""What makes a trials table unusable (faults) or doubtful (notices)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from analysis import schema
from analysis.texts import Message

MISSING_CODE = -1.0  # what some survey tools write for "no answer"
DEFAULT_SHARE = 0.25  # one value of a fine scale in so many responses looks like a default
FINE_SCALE = 20  # different values from which a scale counts as a slider

Parts = list[tuple[str, pa.Table]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that makes the input unusable. Row 1 is the header, as in a spreadsheet."""

    file: str
    row: int | None
    column: str
    found: str
    allowed: str

    def __str__(self) -> str:
        row = "-" if self.row is None else self.row
        return (
            f"{self.file}: row {row}, column {self.column or '-'}: "
            f"found {self.found}; allowed: {self.allowed}"
        )


class DataError(Exception):
    """The input cannot be analysed; `faults` says everything that is wrong with it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


def numbers(values: np.ndarray) -> NDArray[np.float64]:
    """Text as numbers, NaN where it is none."""
    as_numbers = pd.to_numeric(pd.Series(values, dtype=object), errors="coerce")
    found: NDArray[np.float64] = as_numbers.to_numpy(dtype=np.float64)
    return found


# Faults: found in columns of text, each distinct value looked at once


class _Cells:
    """One column of text: its distinct values and which row holds which."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        encoded = column.combine_chunks().fill_null("").dictionary_encode()
        self.codes = np.asarray(encoded.indices)
        self.values = np.array(encoded.dictionary.to_pylist(), dtype=object)

    def where(self, bad: np.ndarray, rows: np.ndarray | None = None) -> Iterator[tuple[int, str]]:
        """Row (header = 1) and text of the cells whose value is bad."""
        hits = bad[self.codes] if len(self.values) else np.zeros(0, dtype=bool)
        for row in np.flatnonzero(hits if rows is None else hits & rows):
            yield int(row) + 2, self.values[self.codes[row]]

    def equals(self, *texts: str) -> np.ndarray:
        """For each row whether it holds one of the texts."""
        return np.asarray(np.isin(self.values.astype(str), texts)[self.codes], dtype=bool)


def faults(parts: Parts) -> list[Fault]:
    """Everything that makes the tables unusable, in the order of the columns."""
    found = [fault for name, table in parts for fault in _table_faults(name, table)]
    found += _repeated_row_ids(parts)
    if not any(table.num_rows for _, table in parts):
        found.append(Fault(parts[0][0], None, "", "no rows", "at least one trial"))
    return found


def _table_faults(name: str, table: pa.Table) -> Iterator[Fault]:
    missing = _missing_columns(name, table)
    yield from missing
    cells = {
        column.name: _Cells(table.column(column.name))
        for column in schema.COLUMNS
        if column.name in table.column_names
    }
    for column in schema.COLUMNS:
        if column.name in cells:
            yield from _column_faults(name, column, cells[column.name])
    if not missing and table.num_rows:
        yield from _required_faults(name, cells)
        yield from _response_faults(name, cells)


def _missing_columns(name: str, table: pa.Table) -> list[Fault]:
    present = set(table.column_names)
    tasks = set(table.column("task").to_pylist()) if "task" in present else set()
    needed = {
        "always": True,
        "pair": bool(tasks & set(schema.PAIR_TASKS)),
        "single": bool(tasks & set(schema.SINGLE_TASKS)),
    }
    return [
        Fault(name, 1, column.name, "no such column", column.meaning)
        for column in schema.COLUMNS
        if needed.get(column.required, False) and column.name not in present
    ]


def _column_faults(name: str, column: schema.Column, cells: _Cells) -> Iterator[Fault]:
    if column.allowed:
        bad = np.array([v not in ("", *column.allowed) for v in cells.values], dtype=bool)
        allowed = ", ".join(column.allowed)
    elif column.type in ("number", "integer"):
        bad = _bad_numbers(column, cells.values)
        allowed = _range_text(column)
    elif column.type == "time":
        times = pd.to_datetime(
            pd.Series(cells.values, dtype=object), errors="coerce", utc=True, format="ISO8601"
        )
        bad = (cells.values != "") & times.isna().to_numpy()
        allowed = "an ISO 8601 time, such as 2026-01-31T12:00:00Z"
    else:
        return
    for row, found in cells.where(bad):
        yield Fault(name, row, column.name, repr(found), allowed)


def _bad_numbers(column: schema.Column, values: np.ndarray) -> np.ndarray:
    number = numbers(values)
    bad = ~np.isfinite(number)
    low = -np.inf if column.minimum is None else column.minimum
    high = np.inf if column.maximum is None else column.maximum
    bad |= (number < low) & (number != MISSING_CODE)
    bad |= number > high
    if column.type == "integer":
        bad |= np.isfinite(number) & (number != np.round(number))
    return np.asarray(bad & (values != ""), dtype=bool)


def _range_text(column: schema.Column) -> str:
    kind = "a whole number" if column.type == "integer" else "a number"
    if column.minimum is not None and column.maximum is not None:
        return f"{kind} from {column.minimum:g} to {column.maximum:g}"
    return kind if column.minimum is None else f"{kind}, at least {column.minimum:g}"


def _required_faults(name: str, cells: dict[str, _Cells]) -> Iterator[Fault]:
    in_pair = cells["task"].equals(*schema.PAIR_TASKS)
    in_single = cells["task"].equals(*schema.SINGLE_TASKS)
    everywhere = np.ones(len(in_pair), dtype=bool)
    wanted = [("participant_id", everywhere, "a code"), ("task", everywhere, "a task")]
    wanted += [(column, in_pair, "an origin") for column in ("left_origin", "right_origin")]
    wanted += [("origin", in_single, "an origin")]
    for column, rows, allowed in wanted:
        if column in cells:
            for row, _ in cells[column].where(cells[column].values == "", rows):
                yield Fault(name, row, column, "an empty cell", allowed)


def _response_faults(name: str, cells: dict[str, _Cells]) -> Iterator[Fault]:
    response = cells["response"]
    for task, options in schema.RESPONSES.items():
        bad = np.array([v not in ("", *options) for v in response.values], dtype=bool)
        for row, found in response.where(bad, cells["task"].equals(task)):
            yield Fault(name, row, "response", repr(found), f"{', '.join(options)} ({task})")
    bad = (response.values != "") & ~np.isfinite(numbers(response.values))
    for row, found in response.where(bad, cells["task"].equals("rate_single")):
        yield Fault(name, row, "response", repr(found), "a number (rate_single)")


def _repeated_row_ids(parts: Parts) -> Iterator[Fault]:
    seen: set[str] = set()
    for name, table in parts:
        if "row_id" not in table.column_names:
            continue
        for row, value in enumerate(table.column("row_id").to_pylist(), start=2):
            if value and value in seen:
                yield Fault(name, row, "row_id", f"{value!r} again", "each row_id once")
            seen.add(value)


# Notices: usable, but the reader of the results should know


def clear_missing_codes(trials: pd.DataFrame) -> list[Message]:
    """Set -1 codes to missing where -1 cannot be a value; say how many there were."""
    found = []
    for column in schema.COLUMNS:
        if column.minimum is None or column.name not in trials:
            continue
        coded = trials[column.name] == MISSING_CODE
        if coded.any():
            trials.loc[coded, column.name] = np.nan
            found.append((column.name, int(coded.sum())))
    rated = trials["task"] == "rate_single"
    ratings = pd.to_numeric(trials["response"].astype(object).where(rated), errors="coerce")
    coded = ratings == MISSING_CODE
    if coded.any() and not (ratings[~coded] < 0).any():
        trials.loc[coded, "response"] = np.nan
        found.append(("response", int(coded.sum())))
    return [
        Message(
            "{column}: {count} cells hold -1. They were read as missing.",
            {"column": name, "count": count},
        )
        for name, count in found
    ]


def notices(trials: pd.DataFrame) -> list[Message]:
    """Warnings about a usable table, with the derived columns already there."""
    answered = trials[trials["response"].notna()]
    return [*_empty_cells(answered), *_repeated_items(answered), *_defaults(answered)]


def _empty_cells(answered: pd.DataFrame) -> Iterator[Message]:
    """Columns that are filled in some answered trials of a task and empty in others."""
    pair = answered["task"].isin(schema.PAIR_TASKS)
    of_pair = ("pair_id", "left_stimulus_id", "right_stimulus_id")
    single = {"stimulus_id": ~pair}
    rows = {**dict.fromkeys(of_pair, pair), **single}
    for name in (*rows, "rt_ms", "confidence"):
        if name not in answered:
            continue
        part = answered[rows.get(name, pd.Series(True, index=answered.index))]
        if name == "confidence":  # asked for in some tasks only
            part = part[part["task"].isin(part.loc[part[name].notna(), "task"].unique())]
        empty = int(part[name].isna().sum())
        if 0 < empty < len(part):
            yield Message(
                "{column} is empty in {count} of {total} answered trials.",
                {"column": name, "count": empty, "total": len(part)},
            )


def repeated(trials: pd.DataFrame) -> pd.Series:
    """Whether an earlier main trial of the same participant showed the same for the same task."""
    keys = ["participant_id", "task", "question", "item", "exposure_ms", "disclosure"]
    keys = [name for name in keys if name in trials]
    main = is_main(trials) & trials["item"].notna() & trials["response"].notna()
    again = trials[main].duplicated(keys)
    return again.reindex(trials.index, fill_value=False)


def is_main(trials: pd.DataFrame) -> pd.Series:
    """Whether the trial counts: no practice, no catch trial, no repeat."""
    if "kind" not in trials:
        return pd.Series(True, index=trials.index)
    return trials["kind"].isna() | (trials["kind"] == "main")


def _repeated_items(answered: pd.DataFrame) -> Iterator[Message]:
    count = int(repeated(answered).sum())
    if count:
        yield Message(
            "{count} trials show a participant what he or she had already seen in the same task, "
            "although they are not marked as repeats.",
            {"count": count},
        )


def _defaults(answered: pd.DataFrame) -> Iterator[Message]:
    """Sliders that seem to have been left where they stood."""
    scales = [("confidence", "confidence", answered)] if "confidence" in answered else []
    rated = answered[answered["rating"].notna()]
    questions = rated["question"] if "question" in rated else pd.Series("", index=rated.index)
    for question, part in rated.groupby(questions.astype(object).fillna(""), observed=True):
        scales.append((str(question) or "rating", "rating", part))
    for label, column, part in scales:
        counts = part[column].value_counts(normalize=True)
        if len(counts) >= FINE_SCALE and counts.iloc[0] > DEFAULT_SHARE:
            yield Message(
                "{scale}: {share:.0%} of the responses are exactly {value:g}. "
                "The slider may have been left untouched.",
                {"scale": label, "share": counts.iloc[0], "value": counts.index[0]},
            )
