"""The tables of a study as CSV, read at the speed of the database.

No model instance is made per trial: PostgreSQL writes the CSV itself (COPY), and SQLite puts
everything between two numbers together. Each chunk of bytes holds whole rows.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import chain, groupby
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from analysis import schema
from analysis.schema import Column
from survey import studies
from survey.models import Participant, Study

#: Rows that are fetched or formatted at once, and bytes that are passed on at once.
BATCH = 5_000
CHUNK = 1 << 18

Chunk = tuple[bytes, int]


@dataclass(frozen=True)
class Selection:
    """Whose data: everybody unless told otherwise. The dates are those of entry, both included."""

    completed_only: bool = False
    without_simulated: bool = False
    since: date | None = None
    until: date | None = None

    def participants(self, study: Study) -> QuerySet[Participant]:
        """The participants who are meant, in the order in which they entered."""
        chosen = study.participants.order_by("pk")
        if self.completed_only:
            chosen = chosen.filter(completed_at__isnull=False)
        if self.without_simulated:
            chosen = chosen.filter(is_simulated=False)
        if self.since:
            chosen = chosen.filter(entered_at__gte=_midnight(self.since))
        if self.until:
            chosen = chosen.filter(entered_at__lt=_midnight(self.until + timedelta(days=1)))
        return chosen


EVERYBODY = Selection()


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


@dataclass
class Table:
    """A table that is written once: its columns, and where its rows come from."""

    name: str
    columns: Sequence[Column]
    source: Callable[[], Iterator[Chunk]]
    rows: int = field(default=0, init=False)

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def csv(self) -> Iterator[bytes]:
        """The CSV text, header first; afterwards `rows` says how many rows there were."""
        yield csv_lines([self.names])
        self.rows = 0
        for data, count in self.source():
            self.rows += count
            yield data


def csv_lines(rows: Iterable[Sequence[Any]]) -> bytes:
    """Rows as CSV in UTF-8."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


def table_of(name: str, columns: Sequence[Column], rows: Iterable[dict[str, Any]]) -> Table:
    """A small table from rows that Python makes."""
    names = [column.name for column in columns]

    def source() -> Iterator[Chunk]:
        batch = []
        for row in rows:
            batch.append([row.get(name) for name in names])
            if len(batch) == BATCH:
                yield csv_lines(batch), len(batch)
                batch = []
        yield csv_lines(batch), len(batch)

    return Table(name, columns, source)


@contextmanager
def snapshot() -> Iterator[None]:
    """Read everything as it is at one moment, and block no participant meanwhile.

    Within a transaction there is nothing to do. Django's own `atomic` would take SQLite's lock
    for writing, and hold it for as long as a slow download lasts.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ROLLBACK")


# --- the trials table --------------------------------------------------------------------------

#: The trials table and what follows from it, as the contract has it.
TRIAL_COLUMNS = schema.COLUMNS + schema.DERIVED

#: Column -> SQL where it is not the column of that name in the responses.
SQL = {
    "row_id": "p.code || '-' || t.\"index\"",
    "design_hash": "v.design_hash",
    "participant_id": "p.code",
    "condition": "p.condition",
    "block": "t.block",
    "trial_index": 't."index"',
    "kind": "t.kind",
    "repeat_of": "t.repeat_of",
    "task": "t.task",
    "question": "t.question",
    "pair_id": "t.pair_code",
    "left_stimulus_id": "l.code",
    "right_stimulus_id": "r.code",
    "stimulus_id": "s.code",
    "left_origin": "l.origin",
    "right_origin": "r.origin",
    "origin": "s.origin",
    "left_generator": "l.generator",
    "right_generator": "r.generator",
    "generator": "s.generator",
    # of the stimulus that is not real
    "category": "CASE WHEN l.origin <> 'real' THEN l.category "
    "WHEN r.id IS NOT NULL THEN r.category ELSE s.category END",
    "enhancement_level": "CASE WHEN l.origin <> 'real' THEN l.level "
    "WHEN r.id IS NOT NULL THEN r.level ELSE s.level END",
    "exposure_ms": "t.exposure_ms",
    "disclosure": "t.disclosure",
    "study_version": "CAST(v.number AS text)",
    "is_simulated": "CASE WHEN p.is_simulated THEN 'true' ELSE 'false' END",
    "block_key": "t.block_key",
    **{column.name: f"d.{column.name}" for column in schema.DERIVED},
}

#: Texts that we make ourselves, without anything that is special in CSV.
PLAIN = {"row_id", "study_id", "design_hash", "participant_id", "study_version", "flags"}

#: What only one of the engines understands.
DIALECTS = {
    "postgresql": {
        "flags": "CASE WHEN a.flags <> '[]' THEN (SELECT string_agg(name, ';') "
        "FROM jsonb_array_elements_text(a.flags) AS name) END",
        "answered_at": "to_char(a.answered_at AT TIME ZONE 'UTC', "
        """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""",
        "month": "to_char({time} AT TIME ZONE 'UTC', 'YYYY-MM')",
        "rows": "SELECT {fields} FROM jsonb_to_recordset(%s::jsonb) AS x({types})",
        "field": "x.{name}",
    },
    "sqlite": {
        "flags": "CASE WHEN a.flags <> '[]' THEN (SELECT group_concat(value, ';') "
        "FROM json_each(a.flags)) END",
        "answered_at": "replace(a.answered_at, ' ', 'T') || 'Z'",
        "month": "substr({time}, 1, 7)",
        "rows": "SELECT {fields} FROM json_each(%s)",
        # without the cast it has no affinity, and SQLite makes no index to find it by
        "field": "CAST(json_extract(value, '$.{name}') AS {type}) AS {name}",
    },
}

SHOWN_TYPES = {
    "id": "bigint",
    "code": "text",
    "origin": "text",
    "generator": "text",
    "category": "text",
    "level": "double precision",
    "kind": "integer",
}
DERIVED_TYPES = {
    "task": "text",
    "response": "text",
    "left_kind": "integer",
    "right_kind": "integer",
    "single_kind": "integer",
    **{column.name: "text" for column in schema.DERIVED},
}

QUERY = """
WITH shown AS MATERIALIZED ({shown}), derived AS MATERIALIZED ({derived})
SELECT {columns}
FROM survey_trial t
JOIN survey_participant p ON p.id = t.participant_id
JOIN survey_version v ON v.id = p.version_id
LEFT JOIN survey_response a ON a.trial_id = t.id
LEFT JOIN shown l ON l.id = t.left_id
LEFT JOIN shown r ON r.id = t.right_id
LEFT JOIN shown s ON s.id = t.stimulus_id
LEFT JOIN derived d ON d.task = t.task
    AND d.response = CASE t.task WHEN 'rate_single' THEN '' ELSE coalesce(a.response, '') END
    AND d.left_kind = coalesce(l.kind, -1) AND d.right_kind = coalesce(r.kind, -1)
    AND d.single_kind = coalesce(s.kind, -1)
WHERE t.participant_id IN ({chosen})
ORDER BY {order}, t."index"
"""


def trials(
    study: Study,
    selection: Selection = EVERYBODY,
    columns: Sequence[Column] = TRIAL_COLUMNS,
    replaced: dict[str, str] | None = None,
    by_code: bool = False,
) -> Table:
    """One row per planned trial, without those of participants who have withdrawn.

    `replaced` gives other SQL for some columns, and `by_code` an order that does not follow the
    entries: a public release tells less.
    """

    def source() -> Iterator[Chunk]:
        return _rows(*query(study, selection, columns, replaced or {}, by_code))

    return Table("trials", columns, source)


def query(
    study: Study,
    selection: Selection,
    columns: Sequence[Column],
    replaced: dict[str, str],
    by_code: bool = False,
) -> tuple[str, list[Any]]:
    """The trials in SQL, with its parameters."""
    shown, derived = _shown(study)
    dialect = DIALECTS[connection.vendor]
    chosen = selection.participants(study).filter(withdrawn_at__isnull=True).order_by()
    chosen_sql, chosen_params = chosen.values("pk").query.sql_with_params()
    own = {name: dialect[name] for name in ("flags", "answered_at")}
    sql = SQL | own | {"study_id": f"'{study.slug}'", "mode": _mode_sql(study)} | replaced
    text = QUERY.format(
        shown=_rows_sql(dialect, SHOWN_TYPES),
        derived=_rows_sql(dialect, DERIVED_TYPES),
        columns=", ".join(_cells(columns, [_expression(column, sql) for column in columns])),
        chosen=chosen_sql,
        order="p.code" if by_code else "t.participant_id",
    )
    return text, [json.dumps(shown), json.dumps(derived), *chosen_params]


def _expression(column: Column, sql: dict[str, str]) -> str:
    """A column in SQL. Empty text becomes NULL, for PostgreSQL would write it as two quotes."""
    expression = sql.get(column.name, f"a.{column.name}")
    is_copied = connection.vendor == "postgresql"
    return f"NULLIF({expression}, '')" if is_copied and column.type == "text" else expression


def _cells(columns: Sequence[Column], expressions: list[str]) -> list[str]:
    """What the database returns: a cell a column; of SQLite pieces of the finished line.

    A piece ends at a number, which only Python writes with all its digits.
    """
    if connection.vendor == "postgresql":
        return expressions
    cells: list[str] = []
    pairs = zip(columns, expressions, strict=True)
    for is_number, group in groupby(pairs, lambda pair: pair[0].type == "number"):
        if is_number:
            cells += [f"coalesce({expression}, '')" for _column, expression in group]
        else:
            piece = [_text_sql(column, expression) for column, expression in group]
            cells.append(f"printf('{','.join(['%%s'] * len(piece))}', {', '.join(piece)})")
    return cells


def _text_sql(column: Column, expression: str) -> str:
    """A cell as CSV writes it: between quotes where it holds what is special there."""
    if column.type != "text" or column.allowed or column.name in PLAIN:
        return expression
    special = f"""{expression} GLOB '*[,"\n\r]*'"""
    quoted = f"""'"' || replace({expression}, '"', '""') || '"'"""
    return f"CASE WHEN {special} THEN {quoted} ELSE {expression} END"


def _mode_sql(study: Study) -> str:
    """Study or learning, as the frozen design of each version says."""
    modes = ((v.number, studies.frozen(v).study.mode) for v in study.versions.all())
    cases = "".join(f"WHEN v.number = {number} THEN '{mode}' " for number, mode in modes)
    return f"CASE {cases}END" if cases else "''"


def month(expression: str) -> str:
    """SQL for the month of a time, as in 2026-01."""
    return DIALECTS[connection.vendor]["month"].format(time=expression)


def _rows_sql(dialect: dict[str, str], types: dict[str, str]) -> str:
    """Rows that come as one JSON parameter, as a table expression."""
    fields = ", ".join(dialect["field"].format(name=n, type=t) for n, t in types.items())
    typed = ", ".join(f"{name} {type_}" for name, type_ in types.items())
    return dialect["rows"].format(fields=fields, types=typed)


def _shown(study: Study) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The stimuli, each with the number of its kind, and what follows from every meeting of kinds.

    A kind is all that `schema.derive` looks at, so that it is asked once a combination and not
    once a row.
    """
    stimuli = list(study.stimuli.select_related("generator"))
    others = _other_origins(stimuli)
    kinds: dict[tuple[str, str, str], int] = {}
    rows = []
    for stimulus in stimuli:
        generator = stimulus.generator.name if stimulus.generator else ""
        only = others.get(stimulus.pair_id, set()) if stimulus.origin == "real" else set()
        compared_with = next(iter(only)) if len(only) == 1 else ""
        kind = (stimulus.origin, generator, compared_with)
        rows.append(
            {
                "id": stimulus.pk,
                "code": stimulus.code,
                "origin": stimulus.origin,
                "generator": generator or None,
                "category": stimulus.category or None,
                "level": stimulus.enhancement_level,
                "kind": kinds.setdefault(kind, len(kinds)),
            }
        )
    return rows, list(_derived(kinds))


def _other_origins(stimuli: Iterable[Any]) -> dict[int | None, set[str]]:
    """For each pair the origins in it beside the photograph's."""
    others: dict[int | None, set[str]] = {}
    for stimulus in stimuli:
        if stimulus.pair_id and stimulus.origin != "real":
            others.setdefault(stimulus.pair_id, set()).add(stimulus.origin)
    return others


def _derived(kinds: dict[tuple[str, str, str], int]) -> Iterator[dict[str, Any]]:
    for task in schema.TASKS:
        for response in ("", *schema.RESPONSES.get(task, ())):
            for meeting in _meetings(task, kinds):
                row = {"task": task, "response": response} | meeting
                derived = schema.derive(row)
                yield {name: row.get(name) for name in DERIVED_TYPES} | derived


def _meetings(task: str, kinds: dict[tuple[str, str, str], int]) -> Iterator[dict[str, Any]]:
    nobody = {"left_kind": -1, "right_kind": -1, "single_kind": -1}
    if task not in schema.PAIR_TASKS:
        for (origin, generator, compared_with), number in kinds.items():
            single = {"origin": origin, "generator": generator, "compared_with": compared_with}
            yield nobody | single | {"single_kind": number}
        return
    for left, left_kind in kinds.items():
        for right, right_kind in kinds.items():
            sides = {"left_origin": left[0], "left_generator": left[1]}
            sides |= {"right_origin": right[0], "right_generator": right[1]}
            yield nobody | sides | {"left_kind": left_kind, "right_kind": right_kind}


def _rows(sql: str, params: list[Any]) -> Iterator[Chunk]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            yield from _copied(cursor, sql, params)
        else:
            cursor.execute(sql, params)
            line = ",".join(["%s"] * len(cursor.description)) + "\n"
            while batch := cursor.fetchmany(BATCH):
                yield (line * len(batch) % tuple(chain.from_iterable(batch))).encode(), len(batch)


def _copied(cursor: Any, sql: str, params: list[Any]) -> Iterator[Chunk]:
    """PostgreSQL writes the CSV; its rows are passed on in larger pieces."""
    waiting, size = [], 0
    with cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT csv)", params) as copy:
        for row in copy:
            waiting.append(row)
            size += len(row)
            if size >= CHUNK:
                yield b"".join(waiting), len(waiting)
                waiting, size = [], 0
    yield b"".join(waiting), len(waiting)
