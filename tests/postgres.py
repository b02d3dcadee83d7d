"""A PostgreSQL for the tests that need one: CI's, or one of our own that is thrown away."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[1]
HOW_TO_GET_ONE = (
    "These tests need PostgreSQL's server, and none could be had. Install it "
    "(Debian: apt-get install postgresql), or name a server in HONMONO_TEST_POSTGRES."
)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def programs() -> Path:
    """The folder of PostgreSQL's programs, fetched if need be."""
    if found := _installed():
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "postgresql"], check=False)
        if found := _installed():
            return found
    pytest.fail(HOW_TO_GET_ONE)


def _installed() -> Path | None:
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in found), key=lambda p: int(p.parent.name), default=None)


class Postgres:
    """A server of our own, which can be stopped, killed and started again."""

    def __init__(self, folder: Path | None = None) -> None:
        self._bin = programs()
        place = {"HONMONO_POSTGRES_FOLDER": str(folder)} if folder else {}
        started = subprocess.run(
            [ROOT / ".ci" / "postgres", str(free_port())],
            env=os.environ | place,
            check=True,
            capture_output=True,
            text=True,
        )
        self.url = started.stdout.strip()
        with psycopg.connect(self.url) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
        assert row is not None
        self.data = Path(row[0])
        self._options = (self.data / "postmaster.opts").read_text().split(" ", 1)[1].strip()

    def start(self) -> None:
        """Start again what was stopped or killed."""
        self._control("start", "-w", "-l", str(self.data / "log"), "-o", self._options)

    def stop(self, mode: str = "fast") -> None:
        """Stop: `fast` ends connections politely, `immediate` is a crash."""
        self._control("stop", "-m", mode)

    def _control(self, *words: str) -> None:
        command = [self._bin / "pg_ctl", *words, "-D", self.data]
        who = (
            {"user": "postgres", "group": "postgres", "extra_groups": []}
            if os.geteuid() == 0
            else {}
        )
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who
        )

    def remove(self) -> None:
        """Stop for good, and remove its data."""
        self.stop("immediate")
        shutil.rmtree(self.data.parent)


def new_database(server: str, name: str) -> str:
    """An empty database on a server; returns its address."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}"')
    return server.rpartition("/")[0] + f"/{name}"
