"""Debian's Firefox over Marionette, its own remote protocol: JSON on a socket, no driver needed."""

import contextlib
import itertools
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("firefox-esr", "firefox")
START_SECONDS = 60
#: The key under which WebDriver names an element.
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def installed() -> str | None:
    """The path of a Firefox that is there already."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Firefox:
    """One window. Every command waits for its answer."""

    def __init__(self, connection: socket.socket) -> None:
        self.stream = connection.makefile("rwb")
        self.numbers = itertools.count()
        self._receive()  # the greeting
        self.command("WebDriver:NewSession", strictFileInteractability=True)

    def command(self, name: str, **parameters: Any) -> Any:
        number = next(self.numbers)
        message = json.dumps([0, number, name, parameters]).encode()
        self.stream.write(b"%d:%s" % (len(message), message))
        self.stream.flush()
        _kind, answered, error, result = self._receive()
        if error or answered != number:
            raise RuntimeError(f"{name} {parameters}: {error}")
        return result

    def _receive(self) -> Any:
        length = b""
        while (digit := self.stream.read(1)) != b":":
            length += digit
        return json.loads(self.stream.read(int(length)))

    def open(self, url: str) -> None:
        self.command("WebDriver:Navigate", url=url)

    def read(self, expression: str) -> Any:
        """The value of an expression in the page."""
        script = f"return {expression}"
        return self.command("WebDriver:ExecuteScript", script=script, args=[])["value"]

    def until(self, expression: str, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not self.read(expression):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds} s: {expression}")
            time.sleep(0.02)

    def click(self, selector: str) -> None:
        """A click of the mouse in the middle of an element, as a person's would come."""
        found = self.command("WebDriver:FindElement", using="css selector", value=selector)
        self.command("WebDriver:ElementClick", id=found["value"][ELEMENT])

    def key(self, key: str) -> None:
        """A key pressed and released, wherever the focus is."""
        presses = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        keyboard = {"type": "key", "id": "keyboard", "actions": presses}
        self.command("WebDriver:PerformActions", actions=[keyboard])


@contextlib.contextmanager
def started(path: str, profile: Path) -> Iterator[Firefox]:
    """A headless Firefox with an empty profile on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "marionette.port": port,
        "app.update.auto": False,
        "browser.shell.checkDefaultBrowser": False,
    }
    lines = [f'user_pref("{name}", {json.dumps(value)});\n' for name, value in settings.items()]
    (profile / "user.js").write_text("".join(lines), encoding="utf-8")
    command = [path, "--headless", "--marionette", "--no-remote", "--profile", str(profile)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with _connected(port) as connection:
            yield Firefox(connection)
    finally:
        process.terminate()
        process.wait(30)


def _connected(port: int) -> socket.socket:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS)
        except ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
