"""The same study in oTree, in an environment of its own, for `serve.py --peer otree`.

oTree is fetched with pip when the benchmark runs and is no part of this project. Its study has as
many trials as ours, each a page with two images and one choice; a trial is answered when the page
of the next one has come: POST, redirect, GET. Images are fetched in neither of the two.
"""

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from PIL import Image

PACKAGES = ("otree>=6,<7", "psycopg2-binary")

SETTINGS = """
SECRET_KEY = "benchmark"
LANGUAGE_CODE = "en"
REAL_WORLD_CURRENCY_CODE = "USD"
DEMO_PAGE_INTRO_HTML = ""
SESSION_CONFIGS = [dict(name="looking", app_sequence=["looking"], num_demo_participants=1)]
SESSION_CONFIG_DEFAULTS = dict(real_world_currency_per_point=1, participation_fee=0)
"""

APP = """
from otree.api import *

class C(BaseConstants):
    NAME_IN_URL = "looking"
    PLAYERS_PER_GROUP = None
    NUM_ROUNDS = {trials}

class Subsession(BaseSubsession):
    pass

class Group(BaseGroup):
    pass

class Player(BasePlayer):
    choice = models.StringField(choices=["left", "right"], widget=widgets.RadioSelect)

class Look(Page):
    form_model = "player"
    form_fields = ["choice"]

page_sequence = [Look]
"""

PAGE = """
{{ block content }}
<img src="{{ static 'left.jpg' }}"> <img src="{{ static 'right.jpg' }}">
{{ formfield 'choice' }} {{ next_button }}
{{ endblock }}
"""


class Peer:
    """A project of oTree in a folder, and its production server."""

    def __init__(self, folder: Path, trials: int, port: int, database: str | None) -> None:
        self.folder, self.trials, self.port = folder, trials, port
        self._bin = folder / "environment" / "bin"
        self._server = database
        url = {"DATABASE_URL": f"{database.rpartition('/')[0]}/otree"} if database else {}
        path = f"{self._bin}:{os.environ['PATH']}"
        self.environment = os.environ | {"OTREE_PRODUCTION": "1", "PATH": path} | url

    def set_up(self) -> None:
        """Fetch oTree, write the project, make a database of its own."""
        if self._server:
            again = ["-c", "DROP DATABASE IF EXISTS otree", "-c", "CREATE DATABASE otree"]
            subprocess.run(["psql", "--quiet", self._server, *again], check=True)
        subprocess.run([sys.executable, "-m", "venv", self._bin.parent], check=True)
        fetch = [self._bin / "pip", "install", "--quiet", *PACKAGES]
        subprocess.run(fetch, check=True)
        app, images = self.folder / "looking", self.folder / "_static"
        app.mkdir()
        images.mkdir()
        (self.folder / "settings.py").write_text(SETTINGS)
        (app / "__init__.py").write_text(APP.format(trials=self.trials))
        (app / "Look.html").write_text(PAGE)
        for name in ("left", "right"):
            Image.new("RGB", (640, 480), "teal").save(images / f"{name}.jpg")

    def start(self, cores: str) -> "subprocess.Popen[bytes]":
        """An empty database and the production server, in a group of processes of its own."""
        reset = [self._bin / "otree", "resetdb", "--noinput"]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        quiet |= {"cwd": self.folder, "env": self.environment}
        subprocess.run(reset, check=True, **quiet)
        serve = ["taskset", "-c", cores, self._bin / "otree", "prodserver", str(self.port)]
        return subprocess.Popen(serve, start_new_session=True, **quiet)

    def stop(self, server: "subprocess.Popen[bytes]") -> None:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)

    def enrol(self, count: int) -> list[str]:
        """The codes of as many participants, made as researchers make them."""
        wish = {"session_config_name": "looking", "num_participants": count}
        session = self._ask("sessions", wish)["code"]
        return [one["code"] for one in self._ask(f"get_session/{session}", {})["participants"]]

    def _ask(self, path: str, content: dict[str, Any]) -> Any:
        url = f"http://127.0.0.1:{self.port}/api/{path}"
        with urllib.request.urlopen(url, json.dumps(content).encode(), timeout=600) as answer:
            return json.load(answer)


async def participant(port: int, code: str, think: float, start: float, tally: Any) -> None:
    """One synthetic participant until the time is over or the trials are done."""
    await asyncio.sleep(max(0.0, start - time.monotonic()))
    streams = await asyncio.open_connection("127.0.0.1", port)
    page = await open_page(streams, f"/InitializeParticipant/{code}")
    if tally.gate:
        await tally.gate.wait()
    due = time.monotonic() + random.random() * think
    while "/looking/Look/" in page and time.monotonic() < tally.end:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        page = await open_page(streams, page, b"choice=left")
        now = time.monotonic()
        tally.latencies.append(now - due)
        due = max(due + think, now) if think else now
    streams[1].close()


async def open_page(streams: Any, path: str, form: bytes = b"") -> str:
    """Open a page, or send a form to it, and follow; returns the address of what came."""
    status, target = await request(streams, path, form)
    if form and status == 200:
        raise SystemExit(f"{path} refused {form!r}")
    while status in (302, 303, 307):
        path = target
        status, target = await request(streams, path)
    if status != 200:
        raise SystemExit(f"{path} was answered with {status}")
    return path


async def request(streams: Any, path: str, form: bytes = b"") -> tuple[int, str]:
    """One HTTP/1.1 request on a kept connection; returns status and where to go from there."""
    reader, writer = streams
    head = f"{'POST' if form else 'GET'} {path} HTTP/1.1\r\nHost: localhost\r\n"
    if form:
        kind = "application/x-www-form-urlencoded"
        head += f"Content-Type: {kind}\r\nContent-Length: {len(form)}\r\n"
    writer.write(head.encode() + b"\r\n" + form)
    answer = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = re.search(r"(?i)\r\ncontent-length: (\d+)", answer)
    if length:
        await reader.readexactly(int(length[1]))
    else:  # in pieces, as redirects come
        await reader.readuntil(b"0\r\n\r\n")
    place = re.search(r"(?i)\r\nlocation: (?:https?://[^/]+)?(\S+)", answer)
    return int(answer.split()[1]), place[1] if place else ""
