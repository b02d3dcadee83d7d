"""A design as plain data and back, and the hash under which it is frozen."""

import dataclasses
import difflib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

from survey.design.study import Stimulus, Study
from survey.design.validation import DesignError, Fault
from survey.messages import Message

FORMAT = 1
# Fields that came after the first frozen designs. Where they have their default the canonical
# JSON leaves them out, so that a design that was frozen before keeps its hash.
LATER = {"mode": "study", "fullscreen": "offer"}
Place = tuple[str | int, ...]
Report = Callable[[Place, object, str], None]


def to_dict(study: Study) -> dict[str, Any]:
    """The study as dicts, lists, strings, numbers and booleans, every field included."""
    data: dict[str, Any] = _plain(study, Study)
    return data


def compact_dict(study: Study) -> dict[str, Any]:
    """As `to_dict`, without the fields that have their default."""
    data: dict[str, Any] = _plain(study, Study, compact=True)
    return data


def from_dict(data: Mapping[str, Any]) -> Study:
    """The study that `to_dict` describes. Raises DesignError on unknown, missing or wrong members.

    Only the form is checked here; `validate` checks whether the design makes sense.
    """
    found: list[Fault] = []
    study = read(data, found)
    if found:
        raise DesignError(found)
    return study


def read(data: Mapping[str, Any], faults: list[Fault]) -> Study:
    """The study in `data`; each fault of its form is added to `faults`.

    Something empty stands where there was a fault, so that the rest can be checked as well.
    """

    def report(place: Place, found: object, allowed: str) -> None:
        faults.append(Fault(spelled(place), found, allowed))

    study: Study = _read(Study, data, (), report)
    return study


def canonical_json(
    study: Study, stimuli: Sequence[Stimulus], digests: Mapping[str, str] | None = None
) -> str:
    """The frozen design: its one spelling, stimuli and (by id) their SHA-256 included."""
    fields = {k: v for k, v in to_dict(study).items() if k not in LATER or v != LATER[k]}
    content = {
        "format": FORMAT,
        "study": fields,
        "stimuli": [
            {**_plain(stimulus, Stimulus), "sha256": (digests or {}).get(stimulus.id, "")}
            for stimulus in sorted(stimuli, key=lambda stimulus: stimulus.id)
        ],
    }
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def design_hash(
    study: Study, stimuli: Sequence[Stimulus], digests: Mapping[str, str] | None = None
) -> str:
    """The SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(study, stimuli, digests).encode()).hexdigest()


def from_canonical(text: str) -> tuple[Study, list[Stimulus]]:
    """The study and the stimuli of a frozen design."""
    content = json.loads(text)
    stimuli = [
        Stimulus(**{name: value for name, value in member.items() if name != "sha256"})
        for member in content["stimuli"]
    ]
    return from_dict(content["study"]), stimuli


def spelled(place: Place) -> str:
    """The place as in `blocks[1].trials`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")


def _plain(value: Any, kind: Any, compact: bool = False) -> Any:
    """`value`, of the declared type `kind`, without tuples and dataclasses; 1 becomes 1.0."""
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return {
            field.name: _plain(getattr(value, field.name), hints[field.name], compact)
            for field in dataclasses.fields(kind)
            if not (compact and getattr(value, field.name) == _default(field))
        }
    if get_origin(kind) is tuple:
        return [_plain(member, get_args(kind)[0], compact) for member in value]
    if get_origin(kind) is dict:
        return {name: _plain(member, get_args(kind)[1], compact) for name, member in value.items()}
    if is_typeddict(kind):
        return dict(value)
    is_float = kind is float or float in get_args(kind)
    return float(value) if is_float and type(value) is int else value


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _read(kind: Any, value: Any, place: Place, report: Report) -> Any:
    """`value` as the declared type `kind`; each misfit goes to `report`."""
    if dataclasses.is_dataclass(kind) or is_typeddict(kind):
        return _read_record(kind, value, place, report)
    if get_origin(kind) is dict:
        return _read_table(get_args(kind)[1], value, place, report)
    if get_origin(kind) in (tuple, list):
        return _read_list(kind, value, place, report)
    return _read_scalar(kind, value, place, report)


def _read_record(kind: Any, value: Any, place: Place, report: Report) -> Any:
    hints = get_type_hints(kind)
    if not isinstance(value, Mapping):
        report(place, value, A_TABLE)
        return kind(**{name: _empty(hints[name]) for name in _required(kind)})
    for name in value:
        if name not in hints:
            report((*place, name), name, _suggestion(name, list(hints)))
    members = {
        name: _read(hints[name], value[name], (*place, name), report)
        for name in hints
        if name in value
    }
    for name in _required(kind):
        if name not in members:
            report((*place, name), None, Message("this must be given"))
            members[name] = _empty(hints[name])
    return kind(**members)


def _empty(kind: Any) -> Any:
    """What stands in for a member with a fault."""
    return (get_origin(kind) or kind)()


def _required(kind: Any) -> list[str]:
    if is_typeddict(kind):
        return []
    return [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]


def _suggestion(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return Message("a known name; did you mean %(name)s?", name=close[0])
    return Message("a known name: %(names)s", names=", ".join(known))


def _read_table(kind: Any, value: Any, place: Place, report: Report) -> Any:
    if not isinstance(value, Mapping):
        report(place, value, A_TABLE)
        return {}
    return {name: _read(kind, value[name], (*place, name), report) for name in value}


def _read_list(kind: Any, value: Any, place: Place, report: Report) -> Any:
    if not isinstance(value, list | tuple):
        report(place, value, Message("a list in square brackets"))
        value = ()
    member = get_args(kind)[0]
    read = [_read(member, item, (*place, i), report) for i, item in enumerate(value)]
    return tuple(read) if get_origin(kind) is tuple else read


A_TABLE = Message("a table")
NAMES = {
    str: Message("a text in quotes"),
    int: Message("a whole number"),
    float: Message("a number"),
    bool: Message("true or false"),
}


def _read_scalar(kind: Any, value: Any, place: Place, report: Report) -> Any:
    if type(value) is int and kind is float:
        return float(value)
    if type(value) is not kind or value in (float("inf"), float("-inf")) or value != value:
        report(place, value, NAMES[kind])
        return _empty(kind)
    return value
