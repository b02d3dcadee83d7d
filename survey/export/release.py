"""The public release: the data set without what could point to a person.

No panel id is in any export. Here free text goes too, times become months, sizes of windows are
rounded or left out, and of the background answers only those stay that at least `K` people share.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from analysis.schema import Column
from survey import design
from survey.export import records, tables
from survey.export.anonymity import K, suppressed
from survey.export.dataset import DataSet
from survey.export.tables import Selection, Table
from survey.models import Participant, Study

#: Whose data are released unless told otherwise.
REAL_PEOPLE = Selection(without_simulated=True)

#: Columns that are left out of the release, and why.
LEFT_OUT = {
    "trials": ("viewport_w", "viewport_h", "dpr", "shown_w", "shown_h", "frame_ms"),
    "participants": ("viewport",),
}
DEVICE = "left out: sizes and speed of a screen can point to a device"
FREE_TEXT = "left out: free text"
MONTH = "only the month"
BAND = "in bands of ten"
TIMES = ("entered_at", "consented_at", "completed_at")


@dataclass(frozen=True)
class People:
    """The participants as they are released, by code."""

    asked: tuple[design.Question, ...]
    rows: dict[str, dict[str, Any]]
    emptied: Counter[str]  # column -> number of cells

    @property
    def without_language(self) -> list[str]:
        """Codes of those whose language would point to them."""
        return [
            code
            for code, row in self.rows.items()
            if row["withdrawn"] == "false" and not row["language"]
        ]


class Release(DataSet):
    """A data set that may be published."""

    def __init__(self, study: Study, selection: Selection = REAL_PEOPLE, **more: Any) -> None:
        super().__init__(study, selection, **more)
        self.people = anonymous(study, selection)

    def tables(self) -> list[Table]:
        stimuli = records.stimuli(self.study, with_files=self.with_images)
        return [self._trials(), self._participants(), stimuli, records.generators(self.study)]

    def _trials(self) -> Table:
        columns = [_monthly(c) for c in tables.TRIAL_COLUMNS if c.name not in LEFT_OUT["trials"]]
        told = {"answered_at": tables.month("a.answered_at")}
        codes = ", ".join(f"'{code}'" for code in self.people.without_language)
        if codes:
            told["language"] = f"CASE WHEN p.code NOT IN ({codes}) THEN a.language END"
        return tables.trials(self.study, self.selection, columns, told, by_code=True)

    def _participants(self) -> Table:
        columns = [
            _monthly(column)
            for column in records.PARTICIPANT_COLUMNS
            if column.name not in LEFT_OUT["participants"]
        ]
        columns += [_released(question) for question in self.people.asked]
        rows = (self.people.rows[code] for code in sorted(self.people.rows))
        return tables.table_of("participants", columns, rows)

    def readme_lines(self) -> list[str]:
        return [
            *super().readme_lines(),
            f"- `suppressed.csv`: what was left out, made coarser or emptied for the public "
            f"release. Every combination of language, source and background answers that is "
            f"left belongs to at least {K} participants.",
        ]

    def more_files(self) -> dict[str, str]:
        lines = tables.csv_lines([("table", "column", "what", "cells"), *self.suppressed()])
        return {"suppressed.csv": lines.decode()}

    def suppressed(self) -> Iterator[tuple[str, str, str, Any]]:
        """What the release does not tell: table, column, what was done, number of cells."""
        for table, names in LEFT_OUT.items():
            yield from ((table, name, DEVICE, "") for name in names)
        for question in records.questions(self.study).values():
            if question.kind == "text":
                yield "participants", f"background_{question.key}", FREE_TEXT, ""
            if question.kind == "number":
                yield "participants", f"background_{question.key}", BAND, ""
        yield "trials", "answered_at", MONTH, ""
        yield from (("participants", name, MONTH, "") for name in TIMES)
        for column, cells in sorted(self.people.emptied.items()):
            yield "participants", column, f"emptied: fewer than {K} share the answers", cells


def anonymous(study: Study, selection: Selection = REAL_PEOPLE) -> People:
    """The participants with coarse times and k-anonymous answers."""
    asked = tuple(q for q in records.questions(study).values() if q.kind != "text")
    rows = {p.code: _coarse(p, asked) for p in selection.participants(study).iterator()}
    # Simulated participants must not make a group look larger, so what they are is fixed.
    names = ["is_simulated", "language", "source", *(f"background_{q.key}" for q in asked)]
    staying = {code: row for code, row in rows.items() if row["withdrawn"] == "false"}
    cells = {code: [str(row[name]) for name in names] for code, row in staying.items()}
    emptied: Counter[str] = Counter()
    for code, numbers in suppressed(cells, fixed=1).items():
        for number in numbers:
            rows[code][names[number]] = ""
            emptied[names[number]] += 1
    return People(asked, rows, emptied)


def _coarse(person: Participant, asked: Sequence[design.Question]) -> dict[str, Any]:
    row = records.participant_row(person, asked)
    for name in TIMES:
        row[name] = str(row.get(name, ""))[:7]
    for question in asked:
        name = f"background_{question.key}"
        value = row.get(name)
        row[name] = "" if value is None else _band(value) if question.kind == "number" else value
    return row


def _band(value: Any) -> str:
    low = int(float(value) // 10 * 10)
    return f"{low} to {low + 9}"


def _monthly(column: Column) -> Column:
    if column.type != "time":
        return column
    return replace(column, type="month", meaning=f"{column.meaning}; {MONTH}")


def _released(question: design.Question) -> Column:
    column = records.background_column(question)
    if question.kind != "number":
        return column
    return replace(column, type="text", meaning=f"{column.meaning}; {BAND}")
