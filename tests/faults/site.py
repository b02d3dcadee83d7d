"""The real server with its real settings, in processes of its own that may be killed."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90


class Site:
    """One server and its database."""

    def __init__(self, folder: Path, database_url: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = folder
        self.log = folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.tokens: set[str] = set()
        self.environment = os.environ | {
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "survey.settings",
            "HONMONO_VAR": str(folder),
            "SECRET_KEY": secrets.token_urlsafe(50),
        }

    def set_up(self) -> None:
        """Make the database and a live study."""
        self._run("-m", "tests.faults.site", "set_up")

    def look(self) -> dict[str, Any]:
        """What is stored, and what `verify` finds."""
        seen = json.loads(self._run("-m", "tests.faults.site", "look"))
        self.tokens |= set(seen["people"])
        return seen

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def start(self) -> None:
        """Start the server and wait until it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--port", str(self.port)],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while self.health() != 200:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(self.log.read_text()[-5000:])
            time.sleep(0.05)

    def health(self) -> int:
        """The status of the health check; 0 when nobody answers."""
        try:
            url = f"http://127.0.0.1:{self.port}/health/ready"
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def kill(self) -> None:
        """The processes end at once, as in a power cut."""
        assert self.process is not None
        workers = self.descendants()
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pid in workers:
            _kill_if_there(pid)

    def stop(self) -> int:
        """End the server politely. Returns its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(90)

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def descendants(self) -> dict[int, str]:
        """The processes that the server started, with their command lines."""
        assert self.process is not None
        return _descendants(self.process.pid)


def _descendants(pid: int) -> dict[int, str]:
    found = {}
    for child in _children(pid):
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        found |= {child: command} | _descendants(child)
    return found


def _children(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in lists for child in path.read_text().split()]


def _kill_if_there(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


# --- in a process of its own, where Django is set up with the project's settings -----------------


def set_up() -> None:
    from django.core.management import call_command

    from tests import factories

    call_command("migrate", verbosity=0)
    factories.make_study()


def look() -> None:
    from survey import integrity
    from survey.models import Participant, Response, Study

    study = Study.objects.get()
    people: dict[str, Any] = {
        person.token: {
            "responses": {},
            "planned": person.planned,
            "completed": person.completed_at is not None,
        }
        for person in Participant.objects.all()
    }
    stored = Response.objects.values_list("trial__participant__token", "trial__index", "response")
    for token, index, response in stored:
        people[token]["responses"][index] = response
    print(json.dumps({"people": people, "faults": integrity.verify(study).faults}))


if __name__ == "__main__":
    import django

    django.setup()
    {"set_up": set_up, "look": look}[sys.argv[1]]()
