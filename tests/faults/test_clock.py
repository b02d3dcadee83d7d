"""The server's clock jumps an hour to and fro while somebody takes part."""

import json
import re
import time
from datetime import UTC, datetime

import pytest
from django.utils import timezone

from survey import integrity
from survey.models import Participant, Response

HOUR = 3600
#: More than nobody reads a page, and shorter than an hour.
READING = 10


class Clock:
    """What the server takes for the time; it goes on by itself and can be set."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def seconds(self) -> float:
        return real_seconds() + self.ahead

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds(), UTC)


real_seconds = time.time


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock.seconds)
    monkeypatch.setattr(timezone, "now", clock.now)
    return clock


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
def test_everything_is_stored_once_and_in_order_when_the_clock_jumps(study, client, clock, jump):
    page = client.get("/s/small/").content.decode()
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    clock.ahead += READING + jump
    address = client.post("/s/small/start", form | {"agree": "on", "adult": "on"})["Location"]
    state = client.get(f"{address}trials").json()
    while state["step"] == "trials":
        jump = -jump
        clock.ahead += READING + jump
        trial = state["trials"][0]
        answer = {"token": trial["token"], "response": "left", "confidence": 1.0, "rt_ms": 900}
        if not state["block"]["confidence"]:
            del answer["confidence"]
        state = post(client, address, answer)
        assert not state["replayed"]
        clock.ahead += jump
        assert post(client, address, answer)["replayed"]
        clock.ahead -= jump
    client.post(f"{address}background")

    participant = Participant.objects.get()
    assert (participant.flags, participant.completed_at is not None) == ([], True)
    stored = list(Response.objects.order_by("trial__index"))
    assert [response.trial.index for response in stored] == list(range(8))
    assert [response.flags for response in stored] == [[]] * 8
    assert min(response.server_elapsed_ms or 0 for response in stored) >= 0
    assert integrity.verify(study).faults == []


def post(client, address: str, answer: dict) -> dict:
    response = client.post(f"{address}responses", json.dumps(answer), "application/json")
    assert response.status_code == 200
    return response.json()


def test_a_clock_that_does_not_jump_still_tells_who_claims_too_much(study, client, clock):
    """The flags of the test above are missing because of the jumps alone."""
    form = {"agree": "on", "adult": "on", "start_key": "k" * 32}
    address = client.post("/s/small/start", form)["Location"]
    trial = client.get(f"{address}trials").json()["trials"][0]
    post(client, address, {"token": trial["token"], "response": "left", "rt_ms": 900_000})

    assert Participant.objects.get().flags == ["too_fast_start"]
    assert Response.objects.get().flags == ["rt_exceeds_server"]
