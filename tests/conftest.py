"""Fixtures for all tests."""

from contextlib import contextmanager

import pytest
from django.db import connection

from tests import factories


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    """Files of a test lie in the test's own folder."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


@pytest.fixture
def study(db):
    """A live study: 4 preference trials, then 4 detection trials, on the same pairs."""
    return factories.make_study()


@pytest.fixture
def closed_lab(settings):
    """A password is enough to sign in."""
    settings.CLOSED_LAB = True


@pytest.fixture
def owner(db, django_user_model, client):
    """Somebody who may make studies, signed in."""
    user = django_user_model.objects.create_user("owner", is_staff=True)
    client.force_login(user)
    return user


@contextmanager
def triggers_off():
    """Let a test reset (or tamper with) tables that the database otherwise guards."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = replica")
            try:
                yield cursor
            finally:
                cursor.execute("SET session_replication_role = DEFAULT")
            return
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
        for name, _sql in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
        try:
            yield cursor
        finally:
            for _name, sql in triggers:
                cursor.execute(sql)


@pytest.fixture(scope="session", autouse=True)
def _flush_despite_triggers():
    """Tests with real transactions empty the tables afterwards, responses included."""
    operations = type(connection.ops)
    plain = operations.execute_sql_flush

    def flush(self, sql_list):
        with triggers_off():
            plain(self, sql_list)

    operations.execute_sql_flush = flush
    yield
    operations.execute_sql_flush = plain
