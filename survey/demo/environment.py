"""The demo's settings: made once, kept in `var/demo.env`, and used by later commands too."""

import os
import secrets
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def prepare(command: str) -> None:
    """Put the demo's settings into the environment, unless a SECRET_KEY is there already.

    `demo` makes them; every other command finds them when they are there, so that
    `manage.py export demo` works after `manage.py demo` without further ado.
    """
    if os.environ.get("SECRET_KEY"):
        return
    file = Path(os.environ.get("HONMONO_VAR", ROOT / "var")) / "demo.env"
    if command == "demo" and not file.exists():
        _write(file)
    if file.exists():
        for line in file.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition("=")
            os.environ.setdefault(name, value)


def _write(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(f"SECRET_KEY={secrets.token_urlsafe(50)}\n")
        out.write("CLOSED_LAB=true\n")
