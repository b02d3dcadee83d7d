"""Other people's tables into the trials table, by a declarative mapping.

The mapping is a TOML file. `[columns]` says where each column of the trials table comes from: the
name of a source column, or a table with `from` (or a fixed `value`) and, in this order, `extract`
(a regular expression, its first group), `map` (old to new texts, `""` for empty), `scale` (the
ends of the old scale, put on 0 to 1) and `default` (for what `map` or `extract` leave over).
`[wide]` turns a table with one row a participant into one with a row a trial. `[[lookup]]` joins
another table, such as one of the images. `[where]` keeps only rows with these texts.

    [wide]
    pattern = 'Answer\\.q(?P<question_number>\\d+)'   # columns of trials; groups become columns
    response = "choice"                             # what the cell is called from then on

    [[lookup]]
    file = "images.csv"              # beside the mapping
    on = "question_number"           # a column so far
    key = "#row"                     # a column of the other table, or its row number from 1

    [columns]
    participant_id = "participant"
    task = { value = "prefer_pair" }
    response = { from = "choice", map = { A = "left", B = "right" } }
    confidence = { from = "sure", scale = [1, 7] }
"""

import json
import re
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import schema
from analysis.checks import DataError, Fault

STEPS = ("from", "value", "extract", "map", "scale", "default")
Spec = Mapping[str, Any]


def convert(mapping: Path, source: Path) -> pd.DataFrame:
    """The trials table that the mapping makes of the source, as text.

    Parameters
    ----------
    mapping : Path
        The TOML file.
    source : Path
        CSV, XLSX or jsPsych JSON; a folder stands for all such files in it.

    Raises
    ------
    DataError
        For a faulty mapping, an unreadable file, or cells that the mapping does not know.
    """
    plan = _read_mapping(mapping)
    table = _read_source(source)
    if "wide" in plan:
        table = _long(table, plan["wide"], str(mapping))
    for lookup in plan.get("lookup", []):
        table = _joined(table, lookup, mapping)
    table = _kept(table, plan.get("where", {}), str(mapping))
    return _columns(table, plan["columns"], str(mapping), str(source))


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        plan = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError([Fault(str(path), None, "", str(error), "a TOML file")]) from None
    faults = [
        Fault(str(path), None, name, "no such table", "columns, wide, lookup, where")
        for name in plan
        if name not in ("columns", "wide", "lookup", "where")
    ]
    columns = plan.setdefault("columns", {})
    known = {column.name for column in schema.COLUMNS}
    for name, spec in columns.items():
        if name not in known:
            faults.append(Fault(str(path), None, name, "no such column", "a column of the table"))
        steps = {"from": spec} if isinstance(spec, str) else spec
        if not isinstance(steps, dict) or not ("from" in steps) ^ ("value" in steps):
            faults.append(Fault(str(path), None, name, repr(spec), "a column name, from or value"))
        elif unknown := [step for step in steps if step not in STEPS]:
            faults.append(Fault(str(path), None, name, ", ".join(unknown), ", ".join(STEPS)))
        columns[name] = steps
    if faults:
        raise DataError(faults)
    return plan


def _read_source(path: Path) -> pd.DataFrame:
    """The rows of a file, or of all files in a folder, as text."""
    suffixes = (".csv", ".xlsx", ".json")
    files = sorted(f for f in path.rglob("*") if f.suffix in suffixes) if path.is_dir() else [path]
    tables = [_read_file(file) for file in files]
    if not tables:
        raise DataError([Fault(str(path), None, "", "no file", ", ".join(suffixes))])
    table = pd.concat(tables, ignore_index=True)
    return table.astype(object).where(table.notna(), "").astype(str)


def _read_file(path: Path) -> pd.DataFrame:
    readers = {".csv": _read_csv, ".xlsx": _read_xlsx, ".json": _read_json}
    if path.suffix.lower() not in readers:
        allowed = ", ".join(readers)
        raise DataError([Fault(str(path), None, "", f"a file named {path.name}", allowed)])
    try:
        return readers[path.suffix.lower()](path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError([Fault(str(path), None, "", str(error), "a readable file")]) from None


def _read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def _read_xlsx(path: Path) -> pd.DataFrame:
    return pd.read_excel(path, dtype=str, keep_default_na=False, engine="openpyxl")


def _read_json(path: Path) -> pd.DataFrame:
    """jsPsych's list of trials, or a list of such lists; nested values become `outer.inner`."""
    text = path.read_text(encoding="utf-8")
    content = json.loads(text, parse_int=str, parse_float=str)  # numbers as they are written
    if isinstance(content, dict):
        content = content.get("trials", [content])
    trials = [trial for part in content for trial in (part if isinstance(part, list) else [part])]
    return pd.json_normalize(trials)


def _long(table: pd.DataFrame, wide: Spec, file: str) -> pd.DataFrame:
    """One row for each column whose name fits the pattern, empty cells too."""
    try:
        pattern, response = re.compile(wide["pattern"]), str(wide["response"])
    except (KeyError, TypeError, re.error) as error:
        allowed = "a regular expression as pattern, and a name as response"
        raise DataError([Fault(file, None, "wide", str(error), allowed)]) from None
    matches = {name: pattern.fullmatch(str(name)) for name in table}
    hits = {name: match for name, match in matches.items() if match}
    if not hits:
        raise DataError([Fault(file, None, "wide", "no column", f"columns like {pattern.pattern}")])
    rest = table[[name for name in table if name not in hits]]
    parts = [
        rest.assign(**{response: table[name], **match.groupdict()}) for name, match in hits.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _joined(table: pd.DataFrame, lookup: Spec, mapping: Path) -> pd.DataFrame:
    wanted = ("file", "on", "key")
    if missing := [name for name in wanted if name not in lookup]:
        raise DataError(
            [Fault(str(mapping), None, "lookup", f"no {missing[0]}", ", ".join(wanted))]
        )
    path = mapping.parent / lookup["file"]
    other = _read_file(path).astype(str)
    other["#row"] = [str(number) for number in range(1, len(other) + 1)]
    for name, columns in ((lookup["on"], table), (lookup["key"], other)):
        if name not in columns:
            allowed = ", ".join(map(str, columns))
            raise DataError([Fault(str(mapping), None, "lookup", f"no column {name}", allowed)])
    joined = table.merge(
        other.drop_duplicates(lookup["key"]),
        left_on=lookup["on"],
        right_on=lookup["key"],
        how="left",
        suffixes=("", "_looked_up"),
    )
    return joined.fillna("")


def _kept(table: pd.DataFrame, where: Spec, file: str) -> pd.DataFrame:
    for name, value in where.items():
        if name not in table:
            allowed = ", ".join(map(str, table))
            raise DataError([Fault(file, None, "where", f"no column {name}", allowed)])
        texts = [str(text) for text in (value if isinstance(value, list) else [value])]
        table = table[table[name].isin(texts)]
    return table


def _columns(
    table: pd.DataFrame, columns: Mapping[str, Spec], file: str, source: str
) -> pd.DataFrame:
    there = ", ".join(map(str, table))
    absent = [
        Fault(file, None, name, f"no column {spec['from']} in the source", there)
        for name, spec in columns.items()
        if "from" in spec and spec["from"] not in table
    ]
    if absent:
        raise DataError(absent)
    found, faults = {}, []
    for column in schema.COLUMNS:
        if column.name in columns:
            cells, wrong = _cells(table, columns[column.name])
            faults += [Fault(source, None, column.name, *fault) for fault in wrong]
            found[column.name] = cells
    if faults:
        raise DataError(faults)
    return pd.DataFrame(found, index=table.index).reset_index(drop=True)


def _cells(table: pd.DataFrame, spec: Spec) -> tuple[pd.Series, list[tuple[str, str]]]:
    """The cells of one column, and each text that the mapping does not know with what it does."""
    if "value" in spec:
        return pd.Series(_text(spec["value"]), index=table.index), []
    cells: pd.Series = table[str(spec["from"])]
    new, faults = {}, []
    for old in cells.unique():
        try:
            new[old] = _cell(old, spec)
        except ValueError as error:
            faults.append((repr(old), str(error)))
    return cells.map(new), faults


def _cell(text: str, spec: Spec) -> str:
    """One text through the steps of its column; ValueError says what would have been allowed."""
    default = _text(spec["default"]) if "default" in spec else None
    if text == "" and "" not in spec.get("map", {}):
        return default or ""
    if "extract" in spec:
        match = re.search(spec["extract"], text)
        if match is None:
            return _or_fault(default, f"a text like {spec['extract']}")
        text = match.group(1)
    if "map" in spec:
        if text not in spec["map"]:
            return _or_fault(default, ", ".join(spec["map"]))
        text = _text(spec["map"][text])
    if "scale" in spec and text != "":
        low, high = spec["scale"]
        return _rescaled(text, low, high, default)
    return text


def _rescaled(text: str, low: float, high: float, default: str | None) -> str:
    """A number from `low` to `high`, put on 0 to 1."""
    try:
        share = (float(text) - low) / (high - low)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        return _or_fault(default, f"a number from {low:g} to {high:g}")
    return f"{share:.10g}"


def _or_fault(default: str | None, allowed: str) -> str:
    if default is None:
        raise ValueError(allowed)
    return default


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
