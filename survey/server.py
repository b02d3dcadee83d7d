"""The WSGI server of the demo and of production alike."""

import logging

from granian import Granian
from granian.constants import Interfaces

#: Requests that wait in the server; above it they wait in the kernel, and none is refused.
BACKPRESSURE = 2048
THREADS = 8


def serve(host: str, port: int, workers: int = 1) -> None:
    """Serve until interrupted. SQLite wants one worker; PostgreSQL takes any number."""
    logging.getLogger("granian").setLevel(logging.WARNING)
    Granian(
        "survey.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=THREADS,
        backpressure=BACKPRESSURE,
        log_enabled=True,
    ).serve()
