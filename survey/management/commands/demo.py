"""`manage.py demo`: from nothing to a working study with real images, in one command."""

import json
import secrets
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.urls import reverse
from tqdm import tqdm

from survey import audits, bots, demo, design, export, image_set, server, studies
from survey.management.commands.import_stimuli import advance
from survey.models import Study

BOTS = 24
HOST = "127.0.0.1"


class Command(BaseCommand):
    help = "Set up and serve the demo studies. Running it again keeps what is there."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--no-serve", action="store_true", help="set up, print the links, stop")
        parser.add_argument("--fresh", action="store_true", help="throw the old demo away first")

    def handle(self, *args: Any, **options: Any) -> None:
        port = options["port"]
        if not options["no_serve"]:
            _check_port_is_free(port)
        if options["fresh"]:
            self._throw_away()
        self._say("Database")
        call_command("migrate", verbosity=0, interactive=False)
        password = make_admin()
        study = self._study(demo.SLUG)
        self._study(demo.LESSON, images_of=study)
        self._simulate(study)
        report = self._report(study)
        self._links(study, port, password, report)
        if not options["no_serve"]:
            self.stdout.write("\nThe server is running. Stop it with Ctrl+C.")
            server.serve(HOST, port)

    def _study(self, name: str, images_of: Study | None = None) -> Study:
        """One of the studies, live; what an interrupted run left undone is done now."""
        study = Study.objects.filter(slug=name).first()
        if study is not None and study.state != Study.State.DRAFT:
            return study
        self._say(f"Study {name}")
        study = studies.save_design(demo.demo_design(name))
        if images_of and not study.stimuli.exists():
            image_set.copy_stimuli(images_of, study)
        elif not study.stimuli.exists():
            with tqdm(desc="Images", unit="") as bar:
                image_set.import_stimuli(study, demo.STIMULI, progress=advance(bar))
        self._say("Leak audit")
        audits.run(study)
        studies.go_live(study)
        return study

    def _simulate(self, study: Study) -> None:
        missing = BOTS - study.participants.filter(is_simulated=True).count()
        if study.state == Study.State.LIVE and missing > 0:
            running = bots.run(study, missing)
            for _code in tqdm(running, total=missing, desc="Simulated participants", unit=""):
                pass

    def _report(self, study: Study) -> Path:
        """A first report, from the simulated participants and whoever took part since."""
        self._say("Report")
        folder = settings.VAR_DIR / "demo-report"
        data = settings.VAR_DIR / "demo-data.zip"
        export.save(study, data)
        command = [sys.executable, "-m", "analysis", "report", str(data), "--out", str(folder)]
        plan = settings.VAR_DIR / "demo-plan.json"
        plan.write_text(json.dumps(design.to_dict(studies.design_of(study))), encoding="utf-8")
        done = subprocess.run(
            [*command, "--preset", str(plan), "--include-simulated"],
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise CommandError(f"The report failed:\n{done.stderr}")
        return Path(folder) / "report.html"

    def _throw_away(self) -> None:
        """Remove the demo's database and files; a database of one's own is never touched."""
        database = settings.VAR_DIR / "honmono.sqlite3"
        if settings.DATABASES["default"]["NAME"] != str(database):
            raise CommandError("--fresh only throws away the demo's own database in var/.")
        connection.close()
        for file in database.parent.glob("honmono.sqlite3*"):
            file.unlink()
        for folder in (settings.MEDIA_ROOT, settings.VAR_DIR / "demo-report"):
            shutil.rmtree(folder, ignore_errors=True)

    def _links(self, study: Study, port: int, password: str | None, report: Path) -> None:
        base = f"http://{HOST}:{port}"
        sign_in = (
            f"user admin, password {password} (shown only now)"
            if password
            else "user admin, password as printed the first time "
            "(`manage.py changepassword admin` sets a new one)"
        )
        self.stdout.write("")
        self.stdout.write(f"Take part   {base}{reverse('entry', args=[study.slug])}")
        self.stdout.write(f"Admin       {base}{reverse('admin:index')}   {sign_in}")
        self.stdout.write(f"Report      {report.as_uri()}")
        self.stdout.write(f"Learn       {base}{reverse('entry', args=[demo.LESSON])}")
        self.stdout.flush()

    def _say(self, text: str) -> None:
        self.stdout.write(f"{text} ...")
        self.stdout.flush()


def make_admin() -> str | None:
    """The demo's administrator with a random password, or None when there is one already."""
    users = get_user_model().objects
    if users.filter(username="admin").exists():
        return None
    password = secrets.token_urlsafe(12)
    users.create_superuser("admin", password=password)
    return password


def _check_port_is_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise CommandError(f"Port {port} is in use. Choose another one: --port 8001") from None
