"""Statements of the short path, composed once: Django's own SQL without composing it each time.

A queryset says what is wanted, as everywhere. Composing its SQL costs several times as much as
running it, so the hot endpoints keep the composed form and only fill in values. PostgreSQL keeps
its plan too: with so many joins, planning costs more than looking the rows up.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any, Generic, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.query import get_related_populators

One = TypeVar("One", bound=models.Model)

#: Fields whose values every driver takes as they are, once they are of the right type.
PLAIN = (
    models.CharField,
    models.FloatField,
    models.PositiveIntegerField,
    models.PositiveSmallIntegerField,
    models.ForeignKey,
    models.OneToOneField,
)


class Prepared(Generic[One]):
    """A queryset with places in it: `places` are values that stand for what is filled in later.

    They must fit their columns and occur nowhere else in the queryset.
    """

    def __init__(self, queryset: Callable[[], "models.QuerySet[One]"], places: list[Any]) -> None:
        self.queryset, self.places = queryset, places

    def first(self, *values: Any) -> One | None:
        """The first instance, if there is one."""
        return self.with_rows(*values)[0]

    def with_rows(self, *values: Any) -> tuple[One | None, list[tuple[Any, ...]]]:
        """The first instance, and the annotations of every row as the database gives them.

        So one instance and many rows that belong to it take one statement.
        """
        composed = self._composed
        filled = dict(zip(self.places, values, strict=True))
        params = [filled.get(param, param) for param in composed.params]
        rows = _run(composed.sql, params).fetchall()
        instance = composed.instance(rows[0]) if rows else None
        return instance, [row[composed.annotations] for row in rows]

    @cached_property
    def _composed(self) -> "Composed":
        return Composed(self.queryset())


class Composed:
    """The SQL of one queryset, and how its rows become values and instances."""

    def __init__(self, queryset: "models.QuerySet[Any]") -> None:
        compiler = queryset.query.get_compiler(connection.alias)
        sql, self.params = compiler.as_sql()
        self.sql = _with_placeholders(sql)
        self.converters = compiler.get_converters([column[0] for column in compiler.select])
        info = compiler.klass_info
        self.model, own = info["model"], info["select_fields"]
        self.names = [compiler.select[position][0].target.attname for position in own]
        self.own = slice(own[0], own[-1] + 1)
        self.populators = get_related_populators(info, compiler.select, connection.alias)
        first = min(compiler.annotation_col_map.values(), default=0)
        self.annotations = slice(first, first + len(compiler.annotation_col_map))

    def instance(self, row: tuple[Any, ...]) -> Any:
        """One row as an instance with its related instances."""
        values = list(row)
        for position, (converters, expression) in self.converters.items():
            for converter in converters:
                values[position] = converter(values[position], expression, connection)
        instance = self.model.from_db(connection.alias, self.names, values[self.own])
        for populator in self.populators:
            populator.populate(values, instance)
        return instance


def moment(value: datetime | None) -> datetime | None:
    """A time as the database gives it, with its zone: SQLite keeps none, and Django writes UTC."""
    return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


def insert(*instances: models.Model) -> None:
    """Insert rows of one table with the values of all their fields, and nothing else."""
    table, names, marks = _places(type(instances[0]))
    rows = map(_values, instances)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
            cursor.executemany(sql, rows)
            return
        with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:  # one trip for all rows
            for row in rows:
                copy.write_row(row)


def insert_where(instance: models.Model, condition: str, params: list[Any]) -> bool:
    """Insert one row unless it is there already or the condition does not hold.

    One statement, so it is a transaction of its own. `condition` is SQL from FROM on. Returns
    whether the row was inserted by this call; if the connection broke after the commit, the row
    is there and the answer is no.
    """
    table, names, marks = _places(type(instance))
    sql = f"INSERT INTO {table} ({names}) SELECT {marks} {condition} ON CONFLICT DO NOTHING"
    return bool(_run(_with_placeholders(sql), [*_values(instance), *params]).rowcount)


def _run(sql: str, params: list[Any]) -> Any:
    """Run a statement; on a connection that turns out to be broken, once more on a new one.

    After a restart of the database each thread holds such a connection. What goes through here
    may run twice: it is a SELECT, or an INSERT that does nothing where the row is already there.
    Within a transaction earlier statements would be lost, so there it fails.
    """
    ours = connections[DEFAULT_DB_ALIAS]  # `connection` looks it up anew at every word
    try:
        return _execute(ours, sql, params)
    except DatabaseError:
        if ours.in_atomic_block or not _is_broken(ours.connection):
            raise
    ours.close()
    return _execute(ours, sql, params)


def _is_broken(held: Any) -> bool:
    """Whether the driver has noticed that the connection is gone."""
    return isinstance(held, psycopg.Connection) and bool(held.closed)


def _execute(ours: BaseDatabaseWrapper, sql: str, params: list[Any]) -> Any:
    """A cursor of the driver on which the statement has run; the driver keeps it prepared."""
    with ours.wrap_database_errors:
        ours.ensure_connection()
        if ours.vendor == "sqlite":
            return ours.connection.execute(sql, params)
        return psycopg.Cursor(ours.connection).execute(sql, params, prepare=True)


def _with_placeholders(sql: str) -> str:
    """SQL with the placeholders of the driver."""
    return sql.replace("%s", "?") if connection.vendor == "sqlite" else sql


@cache
def _places(model: type[models.Model]) -> tuple[str, str, str]:
    """The table, its columns and a placeholder for each."""
    quote, fields = connection.ops.quote_name, _fields(model)
    names = ", ".join(quote(field.column) for field in fields)
    return quote(model._meta.db_table), names, ", ".join(["%s"] * len(fields))


def _values(instance: models.Model) -> list[Any]:
    """The values of all fields, as the driver wants them."""
    state, ours = instance.__dict__, connections[DEFAULT_DB_ALIAS]
    return [
        prepare(state[name], ours) if prepare else state[name]
        for name, prepare in _adapters(type(instance))
    ]


@cache
def _adapters(model: type[models.Model]) -> list[tuple[str, Callable[..., Any] | None]]:
    """Each field's name, and what its value goes through; text and numbers go as they are."""
    return [
        (field.attname, None if type(field) in PLAIN else field.get_db_prep_save)
        for field in _fields(model)
    ]


@cache
def _fields(model: type[models.Model]) -> list[Any]:
    fields = model._meta.concrete_fields
    return [field for field in fields if not isinstance(field, models.AutoField)]
