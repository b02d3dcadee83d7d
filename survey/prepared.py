"""Statements of the short path, composed once: Django's own SQL without composing it each time.

A queryset says what is wanted, as everywhere. Composing its SQL costs several times as much as
running it, so the two hot endpoints keep the composed form, one a thread, and only fill in values.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from django.db import connection, models
from django.db.models.query import get_related_populators

Row = TypeVar("Row", bound=models.Model)


class Prepared(Generic[Row]):
    """A queryset with places in it: `places` are values that stand for what is filled in later.

    They must fit their columns and occur nowhere else in the queryset.
    """

    def __init__(self, queryset: Callable[[], "models.QuerySet[Row]"], places: list[Any]) -> None:
        self.queryset, self.places = queryset, places
        self.local = threading.local()

    def rows(self, *values: Any) -> Iterator[Row]:
        """The instances, as the queryset would give them."""
        composed = self._composed()
        filled = dict(zip(self.places, values, strict=True))
        with connection.cursor() as cursor:
            cursor.execute(composed.sql, [filled.get(param, param) for param in composed.params])
            found = cursor.fetchall()
        return map(composed.instance, found)

    def first(self, *values: Any) -> Row | None:
        """The first instance, if there is one."""
        return next(iter(self.rows(*values)), None)

    def _composed(self) -> "Composed":
        """The composed form for this thread's connection."""
        key = id(connection.connection)
        if getattr(self.local, "key", None) != key:
            self.local.key, self.local.composed = key, Composed(self.queryset())
        composed: Composed = self.local.composed
        return composed


class Composed:
    """The SQL of one queryset on one connection, and how its rows become instances."""

    def __init__(self, queryset: "models.QuerySet[Any]") -> None:
        self.alias = connection.alias
        self.compiler = queryset.query.get_compiler(self.alias)
        self.sql, self.params = self.compiler.as_sql()
        select, info = self.compiler.select, self.compiler.klass_info
        self.model = info["model"]
        self.start, self.stop = info["select_fields"][0], info["select_fields"][-1] + 1
        self.names = [column[0].target.attname for column in select[self.start : self.stop]]
        self.populators = get_related_populators(info, select, self.alias)
        self.converters = self.compiler.get_converters([column[0] for column in select])

    def instance(self, row: tuple[Any, ...]) -> Any:
        """One row as an instance with its related instances."""
        if self.converters:
            row = tuple(next(iter(self.compiler.apply_converters([list(row)], self.converters))))
        instance = self.model.from_db(self.alias, self.names, row[self.start : self.stop])
        for populator in self.populators:
            populator.populate(row, instance)
        return instance


def insert(*instances: models.Model) -> None:
    """Insert rows of one table with the values of all their fields, and nothing else."""
    model = instances[0]._meta
    fields = [field for field in model.concrete_fields if not isinstance(field, models.AutoField)]
    quote = connection.ops.quote_name
    names = ", ".join(quote(field.column) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    rows = [
        [field.get_db_prep_save(getattr(instance, field.attname), connection) for field in fields]
        for instance in instances
    ]
    sql = f"INSERT INTO {quote(model.db_table)} ({names}) VALUES ({marks})"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.executemany(sql, rows)
