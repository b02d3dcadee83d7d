"""A study as a TOML file: read with every fault and its line, written so that it reads well."""

import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from survey.design.serial import compact_dict, read
from survey.design.study import Study
from survey.design.toml_lines import lines_of
from survey.design.validation import DesignError, Fault, faults, shown
from survey.messages import Message

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class TomlFault:
    """One fault of a study file: its line and place, what was found, what is allowed."""

    line: int
    place: str
    found: object
    allowed: str

    def __str__(self) -> str:
        where = f"line {self.line}, {self.place}" if self.place else f"line {self.line}"
        return f"{where}: found {shown(self.found)}; allowed: {self.allowed}"


class StudyFileError(DesignError):
    """A study file with faults; `faults` are TomlFaults in the order of their lines."""


def loads(text: str) -> Study:
    """The study in a TOML text. Raises StudyFileError with every fault of form and design."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyFileError([_syntax_fault(text, error)]) from None
    form: list[Fault] = []
    study = read(data, form)
    told = {fault.place for fault in form}
    found = [*form, *(fault for fault in faults(study) if fault.place not in told)]
    if found:
        raise StudyFileError(_with_lines(text, found))
    return study


def _syntax_fault(text: str, error: tomllib.TOMLDecodeError) -> TomlFault:
    """tomllib stops at the first fault of syntax and names its line in the message."""
    reason, _, where = str(error).partition(" (at ")
    number = re.match(r"line (\d+)", where)
    lines = text.splitlines() or [""]
    line = int(number.group(1)) if number else len(lines)
    return TomlFault(
        line, "", lines[min(line, len(lines)) - 1], Message("TOML (%(reason)s)", reason=reason)
    )


def _with_lines(text: str, found: Iterable[Fault]) -> list[TomlFault]:
    lines = lines_of(text)
    placed = [TomlFault(_line(lines, f.place), f.place, f.found, f.allowed) for f in found]
    return sorted(placed, key=lambda fault: fault.line)


def _line(lines: dict[str, int], place: str) -> int:
    """The line of a place, or of the nearest table around it that the file has."""
    while place and place not in lines:
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return lines.get(place, 1)


def dumps(study: Study) -> str:
    """The study as TOML, without the fields that have their default. `loads` gives it back."""
    return "\n".join(_table((), compact_dict(study))).lstrip("\n") + "\n"


def _table(path: tuple[str, ...], members: dict[str, Any]) -> list[str]:
    tables = {name: value for name, value in members.items() if _is_table(path, value)}
    lines = [f"{_key(name)} = {_value(v)}" for name, v in members.items() if name not in tables]
    for name, value in tables.items():
        below = (*path, name)
        header = ".".join(map(_key, below))
        for entry in value if isinstance(value, list) else [value]:
            has_own_lines = not entry or not all(_is_table(below, v) for v in entry.values())
            title = f"[[{header}]]" if isinstance(value, list) else f"[{header}]"
            lines += ["", title] if has_own_lines or isinstance(value, list) else []
            lines += _table(below, entry)
    return lines


def _is_table(path: tuple[str, ...], value: Any) -> bool:
    """Tables get a header of their own, but for the short ones of the background questions."""
    if path[:1] == ("background",):
        return False
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and isinstance(value[0], dict)
    )


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(name)} = {_value(member)}" for name, member in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + "".join(f"    {_value(member)},\n" for member in value) + "]"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return repr(value)


def _text(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    if "\n" not in text:
        return quoted
    inner = re.sub(r"\\(n|\"|.)", lambda m: {"n": "\n", '"': '"'}.get(m[1], m[0]), quoted[1:-1])
    return '"""\n' + re.sub(r'"(?="")|"$', r"\\" + '"', inner) + '"""'


def _key(name: str) -> str:
    return name if BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)
