"""The real server in a process of its own, with the demo study and the studies of `designs`."""

import os
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
SET_UP_SECONDS = 240


class Website:
    """A server that can be stopped and started again, and a look into its database."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.environment = {
            name: value for name, value in os.environ.items() if name != "DATABASE_URL"
        } | {
            "HONMONO_VAR": str(folder),
            "SECRET_KEY": secrets.token_urlsafe(50),
            "DJANGO_SETTINGS_MODULE": "survey.settings",
            "PYTHONPATH": str(ROOT),
        }

    def set_up(self) -> None:
        """Make the database and the studies."""
        command = [sys.executable, "-m", "tests.end_to_end.website"]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True)

    def set_up_once(self, shared: Path) -> None:
        """`set_up` by whichever process comes first; each of the others takes a copy."""
        ready = shared / "ready"
        try:
            shared.mkdir()
        except FileExistsError:
            deadline = time.monotonic() + SET_UP_SECONDS
            while not ready.exists():
                if time.monotonic() > deadline:
                    raise RuntimeError("the studies of the browser tests were not made") from None
                time.sleep(0.1)
        else:
            Website(shared).set_up()
            ready.touch()
        shutil.copytree(shared, self.folder, dirs_exist_ok=True)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [sys.executable, "manage.py", "serve", "--port", str(self.port)]
        log = (self.folder / "server.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError((self.folder / "server.log").read_text())
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server, as a restart does."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(30)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/"):
                return True
        except (urllib.error.URLError, ConnectionError):
            return False

    def query(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Rows of the server's database."""
        connection = sqlite3.connect(self.folder / "honmono.sqlite3")
        connection.row_factory = sqlite3.Row
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def responses(self, token: str) -> list[sqlite3.Row]:
        """What is stored of a participant, with the truth beside it, in the order of the trials."""
        return self.query(
            """SELECT r.*, t."index", t.block, t.kind, t.task, t.exposure_ms,
                      l.origin AS left_origin, o.origin AS right_origin
               FROM survey_response r
               JOIN survey_trial t ON t.id = r.trial_id
               JOIN survey_participant p ON p.id = t.participant_id
               LEFT JOIN survey_stimulus l ON l.id = t.left_id
               LEFT JOIN survey_stimulus o ON o.id = t.right_id
               WHERE p.token = ? ORDER BY t."index" """,
            token,
        )

    def truths(self) -> set[str]:
        """Everything that would give a stimulus away: names of files, pairs, makers, credits."""
        names = self.query(
            """SELECT s.code, s.original, s.original_sha256, p.code, g.name
               FROM survey_stimulus s LEFT JOIN survey_pair p ON p.id = s.pair_id
               LEFT JOIN survey_generator g ON g.id = s.generator_id"""
        )
        credits = self.query("SELECT credit FROM survey_stimulus")
        return {str(value) for row in [*names, *credits] for value in row if value}


def make_studies() -> None:
    """Run in a process of its own: Django is set up there and nowhere in the test process."""
    import django

    django.setup()
    from django.core.management import call_command

    from survey import demo, image_set, studies
    from tests.end_to_end import designs

    call_command("migrate", verbosity=0)
    plans = (
        demo.demo_design(),
        designs.LESSON,
        designs.SHORT,
        designs.EVERY_TASK,
        designs.CROWD,
        designs.LARGE_SCREENS,
        designs.WHOLE_SCREEN,
        designs.WINDOW,
    )
    first, *others = [studies.save_design(plan) for plan in plans]
    image_set.import_stimuli(first, demo.STIMULI)
    for study in others:
        image_set.copy_stimuli(first, study)  # preparing them takes seconds
    for study in (first, *others):
        go_live(study)
    fill(next(study for study in others if study.slug == "crowd"))


def fill(study: Any) -> None:
    """Let enough others take part for a comparison; they count as people."""
    from survey import bots, standing

    list(bots.run(study, standing.ENOUGH))
    study.participants.update(is_simulated=False)


def go_live(study: Any) -> None:
    """Open a study; the leak audit, which has tests of its own, counts as passed."""
    from survey import studies
    from survey.models import Audit

    served = studies.served_digest(study)
    Audit.objects.create(study=study, passed=True, verdict="too_few", served=served)
    studies.go_live(study)


if __name__ == "__main__":
    make_studies()
