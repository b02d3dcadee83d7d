"""The WSGI server of the demo and of production alike, with the worker for background tasks."""

import logging
import os
import resource
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from survey import health

log = logging.getLogger(__name__)

#: Connections that are open at once. More would wait unseen in the kernel, although each of them
#: asks only every few seconds.
CONNECTIONS = 50_000
#: Requests that are worked on at once. Responses wait for the same commit, and the more they are,
#: the more share it. With PostgreSQL other requests have a connection a thread.
THREADS = {"postgresql": 16, "sqlite": 32}

#: Requests that run when the server is told to stop get so long to be answered.
STOP_SECONDS = 60
#: A background worker that ended is started again after this pause.
WORKER_PAUSE_SECONDS = 5


class ServerError(Exception):
    """Why the server does not start, and what to do about it."""


def serve(host: str, port: int, workers: int = 1) -> None:
    """Serve until interrupted. Raises ServerError where that would go wrong."""
    check_workers(workers)
    check_database()
    check_port(host, port)
    settings.SHARED_COMMITS = True  # the serving process is a fork of this one
    os.environ["SHARED_COMMITS"] = "true"  # or, where there is no fork, reads the settings anew
    connection.close()  # the serving processes open their own
    allow_connections()
    server = Granian(
        "survey.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=THREADS[connection.vendor],
        backpressure=CONNECTIONS,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
        websockets=False,
        log_level=LogLevels.info,
        log_dictconfig=_log_config(),
    )
    worker = Worker()
    server.on_startup(worker.start)
    server.on_shutdown(worker.stop)
    server.serve()


def allow_connections() -> None:
    """Each connection is an open file, and the usual limit of 1,024 is meant for other programs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    known = [limit for limit in (CONNECTIONS + 1000, hard) if limit != resource.RLIM_INFINITY]
    if soft == resource.RLIM_INFINITY or soft >= min(known):
        return
    with suppress(ValueError, OSError):  # a system may allow less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(known), hard))


def check_workers(workers: int) -> None:
    """SQLite has one writer at a time, so more processes would only wait for each other."""
    if workers > 1 and connection.vendor == "sqlite":
        raise ServerError(
            f"SQLite is served by exactly one process, not {workers}. Leave --workers away, or "
            "set DATABASE_URL to a PostgreSQL database."
        )


def check_database() -> None:
    """Refuse to serve a database that does not answer or is not up to date."""
    try:
        pending = health.pending_migrations()
    except DatabaseError as error:
        raise ServerError(
            f"The database does not answer: {str(error).strip()}\n"
            "Check DATABASE_URL and that the database runs; `manage.py doctor` looks closer."
        ) from error
    if pending:
        raise ServerError(
            f"The database is not up to date ({len(pending)} migrations, up to {pending[-1]}). "
            "Make a backup with "
            "`manage.py backup --out FILE`, then run `manage.py migrate`, then start again."
        )


def check_port(host: str, port: int) -> None:
    """Refuse a port that is taken: the server itself would silently share it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ServerError(
                f"{host}, port {port} cannot be used: {error.strerror}. Stop what runs there, or "
                "choose another one with --port."
            ) from error


def _log_config() -> dict[str, Any]:
    """The server's own lines look like those of the project."""
    logger = {"handlers": ["console"], "level": "INFO", "propagate": False}
    logger |= {"filters": ["without_threads"]}
    parts = {name: settings.LOGGING[name] for name in ("formatters", "handlers")}
    parts |= {"filters": {"without_threads": {"()": "survey.logs.WithoutThreads"}}}
    return parts | {"loggers": {"_granian": logger, "granian.access": logger}}


class Worker:
    """The process for background tasks; it starts and stops with the server.

    It has a session of its own, so that Ctrl+C reaches the server only, which then ends both.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep_alive, daemon=True)

    def start(self) -> None:
        if apps.is_installed("django_tasks_db"):
            self._keeper.start()

    def _keep_alive(self) -> None:
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "db_worker"]
        while not self._stopping.is_set():
            self._process = subprocess.Popen(
                [*command, "--queue-name", "*"], start_new_session=True
            )
            code = self._process.wait()
            if not self._stopping.wait(WORKER_PAUSE_SECONDS):
                log.error("the worker for background tasks ended with code %s; starting anew", code)

    def stop(self) -> None:
        """Let the task that runs end, but not for ever."""
        self._stopping.set()
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            log.error("the worker for background tasks did not stop and was killed")
            self._process.kill()
