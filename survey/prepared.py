"""Statements of the short path, composed once: Django's own SQL without composing it each time.

A queryset says what is wanted, as everywhere. Composing its SQL costs several times as much as
running it, so the hot endpoints keep the composed form and only fill in values. PostgreSQL keeps
its plan too: with so many joins, planning costs more than looking the rows up.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any, Generic, TypeVar

import msgspec
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
        return next((instance for instance, _rows in self.groups(*values)), None)

    def groups(self, *values: Any) -> list[tuple[One, list[tuple[Any, ...]]]]:
        """Each instance, with the annotations of all its rows as the database gives them.

        So instances and the rows that belong to them take one statement.
        """
        return self._grouped(_run(self._composed.sql, self._filled(*values)).fetchall())

    def groups_of(self, keys: Iterable[int]) -> list[tuple[One, list[tuple[Any, ...]]]]:
        """The groups for each of many values of the only place.

        PostgreSQL gets them in one statement, which goes the way of a single value once for each:
        a plan for all at once would change with their number and with the size of the tables.
        """
        if connection.vendor == "sqlite":
            return [group for key in keys for group in self.groups(key)]
        sql, params = self._of_many
        return self._grouped(_run(sql, [f"[{','.join(map(str, keys))}]", *params]).fetchall())

    def _filled(self, *values: Any) -> list[Any]:
        filled = dict(zip(self.places, values, strict=True))
        return [filled.get(param, param) for param in self._composed.params]

    def _grouped(self, rows: list[tuple[Any, ...]]) -> list[tuple[One, list[tuple[Any, ...]]]]:
        composed, groups = self._composed, dict[Any, list[tuple[Any, ...]]]()
        for row in rows:
            groups.setdefault(row[composed.key], []).append(row)
        return [
            (composed.instance(group[0]), [row[composed.annotations] for row in group])
            for group in groups.values()
        ]

    @cached_property
    def _of_many(self) -> tuple[str, list[Any]]:
        """SQL that takes many values as JSON, and its further parameters.

        How many they are does not show, so PostgreSQL keeps one plan for any number.
        """
        composed, (place,) = self._composed, self.places
        marks = ["given.value::bigint" if param == place else "%s" for param in composed.params]
        parts = composed.sql.split("%s")
        one = "".join(part + mark for part, mark in zip(parts, [*marks, ""], strict=True))
        sql = f"SELECT one.* FROM json_array_elements_text(%s::json) given, LATERAL ({one}) one"  # noqa: S608
        return sql, [param for param in composed.params if param != place]

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
        self.key = own[self.names.index(self.model._meta.pk.attname)]
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


def insert_where(instances: Sequence[One], condition: str) -> set[Any]:
    """Insert rows of one table unless they are there already or the condition does not hold.

    `condition` is SQL that follows the rows, which it calls "new". Returns the keys of the rows
    that this call has inserted. With PostgreSQL it is one statement, so it is a transaction of its
    own; if the connection broke after the commit, the rows are there and no key is returned.
    """
    model = type(instances[0])
    table, names, _marks = _places(model)
    key = connection.ops.quote_name(model._meta.pk.column)
    if connection.vendor == "sqlite":
        sql = f"INSERT INTO {table} ({names}) SELECT new.* FROM ({_named(model)}) new {condition}"  # noqa: S608
        done = [_run(f"{sql} ON CONFLICT DO NOTHING", _values(one)).rowcount for one in instances]
        return {one.pk for one, count in zip(instances, done, strict=True) if count}
    new = f"json_populate_recordset(NULL::{table}, %s) new"
    columns = ", ".join(f"new.{name}" for name in names.split(", "))
    sql = f"INSERT INTO {table} ({names}) SELECT {columns} FROM {new} {condition}"  # noqa: S608
    ended = _run(f"{sql} ON CONFLICT DO NOTHING RETURNING {key}", [_as_json(instances)])
    return {row[0] for row in ended.fetchall()}


def _named(model: type[models.Model]) -> str:
    """A row of placeholders with the names of the table's columns."""
    quote = connection.ops.quote_name
    return "SELECT " + ", ".join(f"? AS {quote(field.column)}" for field in _fields(model))


def _as_json(instances: Sequence[models.Model]) -> str:
    """Rows as one value, so that the driver need not adapt each field of each of them."""
    rows = [
        {field.column: getattr(instance, field.attname) for field in _fields(type(instance))}
        for instance in instances
    ]
    return msgspec.json.encode(rows).decode()


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
