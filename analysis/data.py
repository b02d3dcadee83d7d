"""Load, validate and derive the trials table.

Reads a CSV file, a Parquet file or folder, or an exported data set (folder or ZIP), all in the
form of `analysis.schema`. Unusable input raises `DataError` with every fault; what is usable
but doubtful becomes a warning.
"""

import csv
import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from analysis import checks, schema
from analysis.checks import DataError, Fault
from analysis.texts import Message

TRIALS_NAME = "*description-trials_data.csv"
SIDE_TABLES = ("stimuli", "participants", "generators")


@dataclass(frozen=True)
class Dataset:
    """The trials, typed and with the derived columns, and what came with them.

    Text columns are categorical (missing: NaN); numbers, integers and the derived truth values
    `correct` and `chose_ai` are floats (missing: NaN); `is_simulated` is a truth value.
    """

    trials: pd.DataFrame
    sha256: str
    warnings: list[Message] = field(default_factory=list)
    stimuli: pd.DataFrame | None = None
    participants: pd.DataFrame | None = None
    generators: pd.DataFrame | None = None


def load(path: Path | str) -> Dataset:
    """Read, check and derive.

    Parameters
    ----------
    path : Path or str
        CSV file, Parquet file or folder, exported data set as folder or ZIP.

    Raises
    ------
    DataError
        With every fault that was found.
    """
    trial_files, side_files = _sources(Path(path))
    digest = hashlib.sha256()
    parts = []
    for name, content in trial_files:
        digest.update(content)
        parts.append((name, _read_table(name, content)))
    if found := checks.faults(parts):
        raise DataError(found)
    trials = _typed(pa.concat_tables([table for _, table in parts], promote_options="default"))
    warnings = checks.clear_missing_codes(trials)
    add_derived(trials)
    return Dataset(
        trials=trials,
        sha256=digest.hexdigest(),
        warnings=warnings + checks.notices(trials),
        **{kind: _side_table(*file) for kind, file in side_files.items()},
    )


def _sources(path: Path) -> tuple[list[tuple[str, bytes]], dict[str, tuple[str, bytes]]]:
    """Files with trials, and the other tables of a data set."""
    if not path.exists():
        raise DataError([Fault(str(path), None, "", "nothing there", "a file or folder")])
    if path.is_file() and path.suffix.lower() != ".zip":
        return [(str(path), path.read_bytes())], {}
    members = list(_members(path))
    trials = [(name, read()) for name, read in members if _is_named(name, "trials")]
    if not trials:
        trials = [(name, read()) for name, read in members if name.endswith(".parquet")]
    if not trials:
        allowed = f"a Psych-DS data set with data/{TRIALS_NAME}, or a folder of Parquet files"
        raise DataError([Fault(str(path), None, "", "no trials table", allowed)])
    side = {
        kind: (name, read())
        for kind in SIDE_TABLES
        for name, read in members
        if _is_named(name, kind)
    }
    return trials, side


def _is_named(name: str, kind: str) -> bool:
    return PurePosixPath(name).match(TRIALS_NAME.replace("trials", kind))


def _members(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Names of the files in a folder or ZIP, each with what reads it."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix in (".csv", ".parquet"):
                yield file.relative_to(path).as_posix(), file.read_bytes
        return
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise DataError([Fault(str(path), None, "", "a damaged file", "a ZIP archive")]) from None
    for name in sorted(archive.namelist()):
        yield name, partial(archive.read, name)


def _read_table(name: str, content: bytes) -> pa.Table:
    """Every cell as text, empty where there is nothing."""
    suffix = PurePosixPath(name).suffix.lower()
    readers = {".csv": _read_csv, ".parquet": _read_parquet}
    if suffix not in readers:
        allowed = ".csv, .parquet, .zip or a folder"
        raise DataError([Fault(name, None, "", f"a file of type {suffix or 'none'}", allowed)])
    return readers[suffix](name, content)


def _read_csv(name: str, content: bytes) -> pa.Table:
    header = _header(name, content)
    short: list[Fault] = []

    def keep_fault(row: pyarrow.csv.InvalidRow) -> str:
        found, allowed = f"{row.actual_columns} cells", f"{row.expected_columns} cells"
        short.append(Fault(name, row.number, "", found, allowed))
        return "skip"

    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(content if b"\n" in content else content + b"\n"),
            pyarrow.csv.ReadOptions(use_threads=False),  # threads lose count of the rows
            pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=keep_fault),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise DataError([Fault(name, None, "", str(error), "CSV in UTF-8")]) from None
    if short:
        raise DataError(short)
    return table


def _header(name: str, content: bytes) -> list[str]:
    line = content.split(b"\n", 1)[0].decode("utf-8-sig", errors="replace").strip()
    header = next(csv.reader([line]), [])
    if not any(header):
        raise DataError([Fault(name, 1, "", "an empty file", "a header and rows")])
    if repeated := sorted({column for column in header if header.count(column) > 1}):
        raise DataError([Fault(name, 1, c, "the name twice", "once") for c in repeated])
    return header


def _read_parquet(name: str, content: bytes) -> pa.Table:
    try:
        table = pyarrow.parquet.read_table(io.BytesIO(content))
    except pa.ArrowInvalid as error:
        raise DataError([Fault(name, None, "", str(error), "a Parquet file")]) from None
    columns = [column.cast(pa.string()).fill_null("") for column in table.columns]
    return pa.table(columns, names=table.column_names)


def _side_table(name: str, content: bytes) -> pd.DataFrame:
    """A table that came with the trials, as text with NaN where a cell is empty."""
    frame: pd.DataFrame = _read_csv(name, content).to_pandas()
    return frame.mask(frame == "")


def _typed(table: pa.Table) -> pd.DataFrame:
    """Known columns in their type; columns that the contract does not know stay text."""
    types = {column.name: column.type for column in schema.COLUMNS}
    derived = {column.name for column in schema.DERIVED}
    columns = {
        name: _typed_column(column.combine_chunks(), types.get(name, "text"))
        for name, column in zip(table.column_names, table.columns, strict=True)
        if name not in derived
    }
    return pd.DataFrame(columns)


def _typed_column(column: pa.Array, type_: str) -> Any:
    encoded = column.fill_null("").dictionary_encode()
    codes = np.asarray(encoded.indices)
    values = np.array(encoded.dictionary.to_pylist(), dtype=object)
    if type_ in ("number", "integer"):
        return checks.numbers(values)[codes]
    if type_ == "boolean":
        return (values == "true")[codes]
    return categorical(codes, [str(value) for value in values])


def categorical(codes: NDArray[np.int32], values: list[str]) -> Any:
    """Text as categories in sorted order; the empty text is missing."""
    order = sorted((k for k, value in enumerate(values) if value), key=lambda k: values[k])
    new_code = np.full(max(len(values), 1), -1)
    new_code[order] = np.arange(len(order))
    kind = pd.CategoricalDtype([values[k] for k in order])
    return pd.Categorical.from_codes(new_code[codes], dtype=kind)


def add_derived(trials: pd.DataFrame) -> None:
    """Add the columns of `schema.DERIVED`, and three more, in place.

    `item` is what was shown: the pair, or the single stimulus. `rating` is the number given
    in rate_single. `serves_every_contrast` marks real single stimuli that stand beside AI and
    enhanced ones alike.
    """
    keys = _derivation_keys(trials)
    codes, first = _combinations(keys)
    distinct = keys.iloc[first].astype(object)
    rows = distinct.where(distinct.notna(), None).to_dict("records")
    derived = [schema.derive({str(name): value for name, value in row.items()}) for row in rows]
    for column in schema.DERIVED:
        values = np.array([row[column.name] for row in derived], dtype=object)
        if column.type == "boolean":
            as_number = {"true": 1.0, "false": 0.0, None: np.nan}
            trials[column.name] = np.array([as_number[value] for value in values])[codes]
        else:
            trials[column.name] = pd.Categorical(values)[codes]
    trials["item"] = _item(trials)
    real = trials["origin"] == "real" if "origin" in trials else False
    trials["serves_every_contrast"] = real & keys["compared_with"].isna()
    rated = trials["task"] == "rate_single"
    ratings = trials["response"].astype(object).where(rated)
    trials["rating"] = pd.to_numeric(ratings, errors="coerce").astype(float)


def _derivation_keys(trials: pd.DataFrame) -> pd.DataFrame:
    """What `schema.derive` reads, as categories."""
    names = ["task", "response", "left_origin", "right_origin", "origin"]
    names += ["left_generator", "right_generator", "generator"]
    keys = pd.DataFrame({name: trials[name] for name in names if name in trials})
    known = sorted({value for values in schema.RESPONSES.values() for value in values})
    keys["response"] = keys["response"].cat.set_categories(known)
    keys["compared_with"] = _compared_with(trials)
    return keys


def _combinations(keys: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Number of the combination of each row, and the first row of each combination."""
    codes = np.zeros(len(keys), dtype=np.int64)
    for name in keys:
        column = keys[name].cat
        codes = codes * (len(column.categories) + 1) + column.codes.to_numpy() + 1
        codes = np.unique(codes, return_inverse=True)[1]
    return codes, np.unique(codes, return_index=True)[1]


def _compared_with(trials: pd.DataFrame) -> pd.Categorical:
    """For real single stimuli, the other origin shown of the same pair, else for the same task
    and question. Where both other origins are shown there, it stays open."""
    origins = list(schema.ORIGINS)
    if "origin" not in trials:
        return pd.Categorical([None] * len(trials), categories=origins)
    names = [name for name in ("task", "question", "pair_id", "origin") if name in trials]
    shown = trials.loc[trials["task"].isin(schema.SINGLE_TASKS), names].astype(object)
    by_question = _only_other_origin(shown.drop(columns="pair_id", errors="ignore"))
    other = by_question.reindex(trials.index)
    if "pair_id" in shown:
        in_pair = shown.loc[shown["pair_id"].notna(), ["pair_id", "origin"]]
        other = _only_other_origin(in_pair).reindex(trials.index).fillna(other)
    return pd.Categorical(other, categories=origins)


def _only_other_origin(shown: pd.DataFrame) -> pd.Series:
    """The origin beside real among the rows alike in all else, where there is exactly one."""
    keys = [name for name in shown if name != "origin"]
    seen = shown[shown["origin"] != "real"].drop_duplicates()
    only = seen[~seen.duplicated(keys, keep=False)]
    merged = shown[keys].merge(only, on=keys, how="left")
    return pd.Series(merged["origin"].to_numpy(), index=shown.index, dtype=object)


def _item(trials: pd.DataFrame) -> pd.Categorical:
    """The pair where it is named, else the two stimuli; the stimulus in single tasks."""

    def text(name: str) -> pd.Series:
        empty = pd.Series(np.nan, index=trials.index, dtype=object)
        return trials[name].astype(object) if name in trials else empty

    left, right = text("left_stimulus_id"), text("right_stimulus_id")
    both = left.where(left < right, right) + " + " + right.where(left < right, left)
    in_pair = trials["task"].isin(schema.PAIR_TASKS)
    return pd.Categorical(text("pair_id").fillna(both).where(in_pair, text("stimulus_id")))
