"""Visitors who insist: each goes through the study as the page does, whatever the server does."""

import http.client
import json
import random
import re
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

STUDY = "small"
ANSWER_SECONDS = 30
PAUSE_SECONDS = 0.1


@dataclass
class Diary:
    """What one participant was told."""

    token: str
    acknowledged: dict[int, str] = field(default_factory=dict)
    completed: bool = False


class Visitor(threading.Thread):
    """One browser: takes part again and again until told to stop, and ends what it has begun."""

    def __init__(self, port: int, seed: int, enough: threading.Event) -> None:
        super().__init__(daemon=True)
        self._port, self._random, self._enough = port, random.Random(seed), enough
        self._connection: http.client.HTTPConnection | None = None
        self.diaries: list[Diary] = []
        self.faults: list[str] = []
        self.troubles = 0

    def run(self) -> None:
        try:
            while not self._enough.is_set():
                self._take_part()
        except Exception as error:  # reported by the test, which would otherwise wait in vain
            self.faults.append(repr(error))
        finally:
            self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _take_part(self) -> None:
        diary = Diary(self.start_part())
        self.diaries.append(diary)
        state = self.json("GET", f"/p/{diary.token}/trials")
        while state["step"] == "trials":
            trial = state["trials"][0]
            payload = self.response(state["block"], trial)
            state = self.json("POST", f"/p/{diary.token}/responses", payload)
            diary.acknowledged[trial["number"]] = payload["response"]
        self._finish(diary)

    def response(self, block: dict[str, Any], trial: dict[str, Any]) -> dict[str, Any]:
        payload = {"token": trial["token"], "response": self._random.choice(["left", "right"])}
        return payload | ({"confidence": 1.0} if block["confidence"] else {}) | {"rt_ms": 1}

    def start_part(self) -> str:
        """The consent; a repeated POST of the same form makes no second participant."""
        status, headers, page = self._insist("GET", f"/s/{STUDY}/")
        form = self._form(page) | {"agree": "on", "adult": "on"}
        cookie = headers.get("Set-Cookie", "").split(";")[0]
        status, headers, page = self._insist("POST", f"/s/{STUDY}/start", form, cookie)
        self._expect(status, 303, page)
        return headers["Location"].strip("/").removeprefix("p/")

    def _finish(self, diary: Diary) -> None:
        path = f"/p/{diary.token}/background"
        status, headers, page = self._insist("GET", path)
        if status == 200:
            cookie = headers.get("Set-Cookie", "").split(";")[0]
            status, headers, page = self._insist("POST", path, self._form(page), cookie)
        status, headers, page = self._insist("GET", f"/p/{diary.token}/debrief")
        self._expect(status, 200, page)
        diary.completed = True

    def _form(self, page: bytes) -> dict[str, str]:
        fields = re.findall(rb'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
        return {name.decode(): value.decode() for name, value in fields}

    def json(self, method: str, path: str, payload: Any = None) -> dict[str, Any]:
        status, _headers, body = self._insist(method, path, payload)
        self._expect(status, 200, body)
        return json.loads(body)

    def _expect(self, status: int, wanted: int, body: bytes) -> None:
        if status != wanted:
            raise RuntimeError(f"{status} instead of {wanted}: {body[:300]!r}")

    def _insist(
        self, method: str, path: str, content: Any = None, cookie: str = ""
    ) -> tuple[int, Any, bytes]:
        """Ask until there is an answer that is no trouble of the server's."""
        headers = {"Cookie": cookie} if cookie else {}
        body = None
        if content is not None:
            kind = "x-www-form-urlencoded" if cookie else "json"
            headers["Content-Type"] = f"application/{kind}"
            body = urlencode(content) if cookie else json.dumps(content)
        while True:
            answer = self.ask(method, path, body, headers)
            if answer is not None and answer[0] < 500:
                return answer
            self.troubles += 1
            time.sleep(PAUSE_SECONDS)

    def ask(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                "127.0.0.1", self._port, timeout=ANSWER_SECONDS
            )
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return None


class Crowd:
    """Visitors at work while the `with` block does harm; leaving it waits until all are through."""

    def __init__(self, port: int, size: int = 8, seed: int = 1) -> None:
        self._enough = threading.Event()
        self.visitors = [Visitor(port, seed * 1000 + n, self._enough) for n in range(size)]

    def __enter__(self) -> "Crowd":
        for visitor in self.visitors:
            visitor.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._enough.set()
        for visitor in self.visitors:
            visitor.join(120)

    @property
    def diaries(self) -> list[Diary]:
        return [diary for visitor in self.visitors for diary in visitor.diaries]

    @property
    def acknowledged(self) -> int:
        return sum(len(diary.acknowledged) for diary in self.diaries)

    @property
    def troubles(self) -> int:
        """How often a request had to be repeated."""
        return sum(visitor.troubles for visitor in self.visitors)

    def faults(self, stored: dict[str, Any]) -> list[str]:
        """Every promise of the server that its database does not keep."""
        faults = list(stored["faults"])
        for visitor in self.visitors:
            faults += visitor.faults
            faults += ["somebody could not go on"] * visitor.is_alive()
        for diary in self.diaries:
            faults += _broken_promises(diary, stored["people"].get(diary.token))
        for token, person in stored["people"].items():
            if person["completed"] and len(person["responses"]) != person["planned"]:
                faults.append(f"{token}: completed without all responses")
        return faults


def _broken_promises(diary: Diary, person: dict[str, Any] | None) -> list[str]:
    if person is None:
        return [f"{diary.token}: lost as a whole"]
    stored = {int(index): response for index, response in person["responses"].items()}
    lost = [n for n, told in diary.acknowledged.items() if stored.get(n) != told]
    faults = [f"{diary.token}: response {number} lost" for number in lost]
    if diary.completed and not person["completed"]:
        faults.append(f"{diary.token}: the completion is lost")
    return faults
