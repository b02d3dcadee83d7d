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
        compiler, sql, params = self._composed()
        filled = dict(zip(self.places, values, strict=True))
        with connection.cursor() as cursor:
            cursor.execute(sql, [filled.get(param, param) for param in params])
            found = cursor.fetchall()
        info = compiler.klass_info
        start, stop = info["select_fields"][0], info["select_fields"][-1] + 1
        names = [column[0].target.attname for column in compiler.select[start:stop]]
        populators = get_related_populators(info, compiler.select, connection.alias)
        for row in compiler.results_iter([found]):
            instance = info["model"].from_db(connection.alias, names, row[start:stop])
            for populator in populators:
                populator.populate(row, instance)
            yield instance

    def first(self, *values: Any) -> Row | None:
        """The first instance, if there is one."""
        return next(self.rows(*values), None)

    def _composed(self) -> tuple[Any, str, tuple[Any, ...]]:
        """The compiler with its SQL; a connection belongs to a thread, and so does this."""
        key = id(connection.connection)
        if getattr(self.local, "key", None) != key:
            compiler = self.queryset().query.get_compiler(connection.alias)
            sql, params = compiler.as_sql()
            self.local.key, self.local.composed = key, (compiler, sql, params)
        composed: tuple[Any, str, tuple[Any, ...]] = self.local.composed
        return composed


def insert(instance: models.Model) -> None:
    """Insert a row with the values of all its fields, and nothing else."""
    fields = instance._meta.concrete_fields
    names = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    table = connection.ops.quote_name(instance._meta.db_table)
    values = [
        field.get_db_prep_save(getattr(instance, field.attname), connection) for field in fields
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)  # noqa: S608
