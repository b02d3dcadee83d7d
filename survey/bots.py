"""Simulated participants that take the real path: entry page, consent, JSON, background, end.

They are marked as simulated from their first request and count for nothing. A bot looks up the
truth in the database, because a bot that cannot see needs it to answer like somebody who can.
"""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import CookieJar
from math import exp
from typing import Any, Protocol
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

from django.conf import settings
from django.test import Client
from django.urls import reverse

from survey import enrolment, studies
from survey.models import Participant, Stimulus, Study


class BotError(Exception):
    """The server answered something that a bot cannot go on with."""


@dataclass(frozen=True)
class Page:
    status: int
    text: str
    url: str


class Transport(Protocol):
    """How a bot reaches the server."""

    def get(self, path: str) -> Page: ...
    def post(self, path: str, body: str, content_type: str) -> Page: ...


class TlsClient(Client):
    """As over TLS, where production leads everything else."""

    def generic(self, *args: Any, **kwargs: Any) -> Any:
        return super().generic(*args, **kwargs | {"secure": True})


class InProcess:
    """Straight into the application, through all of its middleware."""

    def __init__(self) -> None:
        host = next((h.strip("[].*") for h in settings.ALLOWED_HOSTS if h != "*"), "localhost")
        headers = {"host": host, "origin": f"https://{host}"}
        self.client = TlsClient(enforce_csrf_checks=True, headers=headers)

    def get(self, path: str) -> Page:
        return self._page(path, self.client.get(path, follow=True))

    def post(self, path: str, body: str, content_type: str) -> Page:
        response = self.client.post(path, body, content_type=content_type, follow=True)
        return self._page(path, response)

    def _page(self, path: str, response: Any) -> Page:
        url = response.redirect_chain[-1][0] if response.redirect_chain else path
        return Page(response.status_code, response.content.decode(), url)


class Http:
    """Over the network, with a cookie jar of its own."""

    def __init__(self, base: str) -> None:
        if not base.startswith(("http://", "https://")):
            raise BotError(f"{base} is not an address; it starts with http:// or https://")
        self.base = base.rstrip("/")
        self.opener = build_opener(HTTPCookieProcessor(CookieJar()))

    def get(self, path: str) -> Page:
        return self._open(Request(self._address(path)))  # noqa: S310 (checked above)

    def post(self, path: str, body: str, content_type: str) -> Page:
        headers = {"Content-Type": content_type, "Referer": self._address(path)}
        return self._open(Request(self._address(path), body.encode(), headers))  # noqa: S310

    def _address(self, path: str) -> str:
        return path if path.startswith("http") else self.base + path

    def _open(self, request: Request) -> Page:
        try:
            with self.opener.open(request, timeout=60) as response:
                return Page(response.status, response.read().decode(), response.url)
        except HTTPError as error:
            return Page(error.code, error.read().decode(errors="replace"), request.full_url)


def run(study: Study, count: int, *, seed: int = 1, http: str | None = None) -> Iterator[str]:
    """Send `count` bots through the study, one after the other; yields the code of each."""
    truth = {stimulus.key: stimulus for stimulus in study.stimuli.all()}
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")  # noqa: S311 (a simulation)
        yield Bot(Http(http) if http else InProcess(), study, truth, rng).take_part()


class Bot:
    """One simulated person: an ability, a taste, a pace."""

    def __init__(
        self, transport: Transport, study: Study, truth: dict[str, Stimulus], rng: random.Random
    ) -> None:
        self.transport, self.study, self.truth, self.rng = transport, study, truth, rng
        self.ability = rng.gauss(0.6, 0.5)
        self.taste = rng.gauss(0.2, 0.5)
        self.pace = rng.gauss(7.4, 0.3)

    def take_part(self) -> str:
        """Consent, answer every trial, fill in the background. Returns the participant's code."""
        simulated = {"simulated": enrolment.simulation_pass()}
        address = reverse("entry", args=[self.study.slug])
        entry = self.transport.get(f"{address}?{urlencode(simulated)}")
        fields = {"agree": "on", "adult": "on"} | simulated
        page = self._post_form(reverse("start", args=[self.study.slug]), entry, fields)
        token = page.url.rstrip("/").rsplit("/", 1)[-1]
        participant = Participant.objects.get(token=token)
        state = self._json(self.transport.get(reverse("trials", args=[token])))
        while state["step"] == "trials":
            trial, block = state["trials"][0], state["block"]
            body = json.dumps({"token": trial["token"], **self._answer(trial, block)})
            address = reverse("responses", args=[token])
            state = self._json(self.transport.post(address, body, "application/json"))
        self._finish(participant, token)
        return participant.code

    def _finish(self, participant: Participant, token: str) -> None:
        path = reverse("background", args=[token])
        page = self.transport.get(path)
        if not page.url.endswith(path):  # nothing to ask, so the end is there already
            return
        fields: dict[str, Any] = {}
        for question in studies.frozen(participant.version).study.background:
            if question.choices:
                fields[question.key] = self.rng.choice(question.choices).value
            elif question.kind == "number":
                fields[question.key] = str(self.rng.randint(18, 80))
            elif question.required:
                fields[question.key] = "simulated"
        self._post_form(path, page, fields)

    def _answer(self, trial: dict[str, Any], block: dict[str, Any]) -> dict[str, Any]:
        keys = [url.rsplit("/", 1)[-1].removesuffix(".jpg") for url in trial["images"]]
        stimuli = [self.truth[key] for key in keys]
        rt_ms = 250 + exp(self.rng.gauss(self.pace, 0.5))
        response, sure = self._choose(block, stimuli)
        return {
            "response": response,
            "confidence": self._confidence(block, sure),
            "reason": self.rng.choice(block["reasons"])["code"] if block["reasons"] else None,
            "rt_ms": round(rt_ms, 1),
            "shown_ms": round(trial["exposure_ms"] or rt_ms, 1),
            "frame_ms": 16.7,
            "input_device": self.rng.choice(["mouse", "touch", "keyboard"]),
            "layout": "side_by_side" if len(stimuli) == 2 else None,
            "viewport_w": 1440,
            "viewport_h": 900,
            "dpr": 1,
            "images_loaded_ms": round(self.rng.uniform(20, 200), 1),
            "focus_lost_ms": 0,
        }

    def _choose(self, block: dict[str, Any], stimuli: list[Stimulus]) -> tuple[Any, float]:
        """A response, and how sure the bot may be of it (from 0 to 1)."""
        task, first = block["task"], stimuli[0]
        if task == "rate_single":
            steps = block["scale"]["steps"]
            middle = (steps + 1) / 2 + self.taste * (first.origin != "real") + _item(first)
            return min(steps, max(1, round(self.rng.gauss(middle, steps / 6)))), 0.5
        hard = _item(first) + (2.0 if first.is_catch else 0.0)
        strength = self.taste + hard / 2 if task == "prefer_pair" else self.ability + hard
        chance = 1 / (1 + exp(-strength))
        picks_ai = self.rng.random() < chance
        sure = abs(chance - 0.5) * 2
        if task == "detect_single":
            return ("ai" if picks_ai == (first.origin != "real") else "real"), sure
        return ("left" if picks_ai == (first.origin != "real") else "right"), sure

    def _confidence(self, block: dict[str, Any], sure: float) -> float | None:
        if block["confidence"] is None:
            return None
        noisy = min(1.0, max(0.0, self.rng.gauss(sure, 0.25)))
        steps = block["confidence"]["steps"]
        values = [step["value"] for step in steps] or [round(noisy, 2)]
        return min(values, key=lambda value: abs(value - noisy))

    def _post_form(self, path: str, page: Page, fields: dict[str, Any]) -> Page:
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        body = urlencode(dict(hidden) | fields, doseq=True)
        answer = self.transport.post(path, body, "application/x-www-form-urlencoded")
        if answer.status != 200:
            raise BotError(f"{path}: status {answer.status}")
        return answer

    def _json(self, page: Page) -> dict[str, Any]:
        if page.status != 200:
            raise BotError(f"{page.url}: status {page.status}: {page.text[:200]}")
        state: dict[str, Any] = json.loads(page.text)
        return state


def _item(stimulus: Stimulus) -> float:
    """How easy (or liked) this stimulus is: fixed, and spread like a normal variable."""
    key = stimulus.pair_id or stimulus.pk
    return random.Random(f"item/{key}").gauss(0, 0.6)  # noqa: S311
