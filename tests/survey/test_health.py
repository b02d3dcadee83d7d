"""Health endpoints, the start of the server, its log and the proxy in front."""

import json
import logging
import shutil
import socket
import sys
from collections import namedtuple

import pytest
from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import RequestFactory

from survey import bots, limits, logs, proxy, server
from survey.models import Participant, StartCount

Usage = namedtuple("Usage", "total used free")
CONSENT = {"agree": "on", "adult": "on"}


def unapply_the_last() -> None:
    """As if the newest migration had not been applied yet."""
    leaf = MigrationLoader(connection).graph.leaf_nodes("survey")[0]
    MigrationRecorder(connection).record_unapplied(*leaf)


# --- health


def test_live_asks_nothing_of_the_database(db, client, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get("/health/live")

    assert (response.status_code, response.json()) == (200, {"live": True})


def test_ready_site_says_so(db, client):
    response = client.get("/health/ready")

    good = {"ready": True, "database": True, "migrations": True, "disk": True}
    assert (response.status_code, response.json()) == (200, good)
    assert "no-store" in response["Cache-Control"]


def test_site_with_a_pending_migration_is_not_ready(db, client):
    unapply_the_last()

    response = client.get("/health/ready")

    assert (response.status_code, response.json()["migrations"]) == (503, False)


def test_site_with_a_full_disk_is_not_ready(db, client, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 10**12, 5))

    response = client.get("/health/ready")

    assert (response.status_code, response.json()["disk"]) == (503, False)


def test_site_without_a_database_is_not_ready(db, client):
    def refuse(*_arguments):
        raise OperationalError("no connection")

    with connection.execute_wrapper(refuse):
        response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json() == {
        "ready": False,
        "database": False,
        "migrations": False,
        "disk": True,
    }


def test_health_takes_no_post(client):
    assert client.post("/health/live").status_code == 405


# --- the start of the server


def test_server_refuses_more_than_one_process_on_sqlite(monkeypatch):
    monkeypatch.setattr(connection, "vendor", "sqlite")

    with pytest.raises(server.ServerError, match="exactly one process, not 3"):
        server.check_workers(3)


def test_server_takes_many_processes_on_postgresql(monkeypatch):
    monkeypatch.setattr(connection, "vendor", "postgresql")

    assert server.check_workers(8) is None


def test_server_refuses_an_old_database_with_the_command_to_run(db):
    server.check_database()
    unapply_the_last()

    with pytest.raises(server.ServerError, match=r"run `manage.py migrate`"):
        server.check_database()


def test_server_refuses_without_a_database(db):
    def refuse(*_arguments):
        raise OperationalError("no connection")

    with (
        connection.execute_wrapper(refuse),
        pytest.raises(server.ServerError, match="no connection"),
    ):
        server.check_database()


def test_server_refuses_a_port_that_is_shared():
    """Two servers on one port would each get some of the requests."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(server.ServerError, match="cannot be used"):
            server.check_port("127.0.0.1", port)

    assert server.check_port("127.0.0.1", port) is None


# --- the log


def record_of(message: str, *arguments, exc_info=None) -> logging.LogRecord:
    return logging.LogRecord(
        "django.request", logging.ERROR, __file__, 1, message, arguments, exc_info
    )


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("Not Found: /p/SeCrEt_-1/responses", "Not Found: /p/[private]/responses"),
        ("GET /p/SeCrEt HTTP/1.1", "GET /p/[private] HTTP/1.1"),
        ("/s/small/?PROLIFIC_PID=5f1&SESSION_ID=7 404", "/s/small/?[query] 404"),
        ("DETAIL:  Key (token)=(SeCrEt) exists.", "DETAIL: [row]"),
        ("postgres://me:pw@db/honmono", "postgres://[login]@db/honmono"),
        ("from 203.0.113.9, refused", "from [address], refused"),
        ("Listening at: http://127.0.0.1:8000", "Listening at: http://127.0.0.1:8000"),
        ("Which one? a=b", "Which one? a=b"),
    ],
)
def test_log_holds_nothing_personal(text, scrubbed):
    assert json.loads(logs.Lines().format(record_of("%s", text)))["message"] == scrubbed
    assert logs.Plain().format(record_of(text)).endswith(scrubbed)


def test_log_line_is_json_with_a_scrubbed_traceback():
    try:
        raise ValueError("at /p/SeCrEt/trials")
    except ValueError:
        line = logs.Lines().format(record_of("failed", exc_info=sys.exc_info()))

    values = json.loads(line)
    assert (values["level"], values["logger"], values["message"]) == (
        "ERROR",
        "django.request",
        "failed",
    )
    assert values["exception"].endswith("ValueError: at /p/[private]/trials")
    assert "\n" not in line


def test_the_server_does_not_warn_of_threads_that_we_want():
    logger = server._log_config()["loggers"]["_granian"]
    leaves = logs.WithoutThreads().filter

    assert logger["filters"] == ["without_threads"]
    assert not leaves(record_of("Configuration allows spawning up to %s Python threads", 32))
    assert leaves(record_of("Started worker-1"))


# --- the proxy and the limit of starts


def seen_by(remote: str, **headers) -> dict[str, str]:
    """What a view sees of a request: address and scheme headers."""
    request = RequestFactory().get("/", REMOTE_ADDR=remote, **headers)
    proxy.trusted_proxy(lambda request: request.META)(request)
    names = ("REMOTE_ADDR", "HTTP_X_FORWARDED_PROTO")
    return {name: request.META[name] for name in names if name in request.META}


def test_named_proxy_tells_who_asks(settings):
    settings.TRUSTED_PROXY = ["127.0.0.1"]

    seen = seen_by(
        "127.0.0.1", HTTP_X_FORWARDED_FOR="1.1.1.1, 203.0.113.9", HTTP_X_FORWARDED_PROTO="https"
    )

    assert seen == {"REMOTE_ADDR": "203.0.113.9", "HTTP_X_FORWARDED_PROTO": "https"}


@pytest.mark.parametrize("named", [[], ["127.0.0.1"]])
def test_others_cannot_claim_to_be_the_proxy(settings, named):
    settings.TRUSTED_PROXY = named

    seen = seen_by(
        "198.51.100.7", HTTP_X_FORWARDED_FOR="203.0.113.9", HTTP_X_FORWARDED_PROTO="https"
    )

    assert seen == {"REMOTE_ADDR": "198.51.100.7"}


def start_from(client, address: str, number: int) -> int:
    data = CONSENT | {"start_key": f"key-of-the-start-{address}-{number}".replace(".", "_")}
    response = client.post("/s/small/start", data, HTTP_X_FORWARDED_FOR=address)
    return response.status_code


def test_starts_from_one_address_are_limited(study, client, settings):
    settings.TRUSTED_PROXY, settings.STARTS_PER_HOUR = ["127.0.0.1"], 2

    statuses = [start_from(client, "203.0.113.9", n) for n in range(4)]

    assert statuses == [303, 303, 429, 429]
    assert start_from(client, "203.0.113.10", 0) == 303
    assert Participant.objects.count() == 3
    assert not StartCount.objects.filter(source__contains="203").exists()


@pytest.mark.parametrize(("named", "limit"), [([], 1), (["127.0.0.1"], 0)])
def test_starts_are_not_limited_without_proxy_or_limit(study, client, settings, named, limit):
    settings.TRUSTED_PROXY, settings.STARTS_PER_HOUR = named, limit

    assert [start_from(client, "203.0.113.9", n) for n in range(3)] == [303] * 3
    assert StartCount.objects.count() == 0


def test_bots_are_not_counted_and_pass_where_all_must_come_by_tls(study, settings):
    settings.TRUSTED_PROXY, settings.STARTS_PER_HOUR = ["127.0.0.1"], 1
    settings.SECURE_SSL_REDIRECT = True

    assert len(list(bots.run(study, 3))) == 3


def test_counts_of_earlier_hours_are_removed(db, monkeypatch):
    limits.count_start("one")
    StartCount.objects.update(hour="2020-01-01T00:00:00Z")

    assert limits.count_start("two") == 1
    assert list(StartCount.objects.values_list("source", flat=True)) == ["two"]
