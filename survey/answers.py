"""What a browser sends as an answer, checked against what the block asks. No database, no writing.

Raises `AnswerError` where the answer itself is not among the choices; a measurement that makes no
sense is left empty and flagged, for it is no reason to lose a response.
"""

from collections.abc import Mapping
from typing import Any

from survey import design
from survey.models import Response

#: What may be answered, where it is not a number.
CHOICES = {
    "detect_pair": {"left", "right"},
    "prefer_pair": {"left", "right"},
    "detect_single": {"real", "ai"},
}

#: Measurements of the browser: name -> largest believable value. A day is the longest time.
MEASURES = {
    "rt_ms": 86_400_000.0,
    "shown_ms": 86_400_000.0,
    "frame_ms": 10_000.0,
    "images_loaded_ms": 86_400_000.0,
    "focus_lost_ms": 86_400_000.0,
    "viewport_w": 100_000.0,
    "viewport_h": 100_000.0,
    "dpr": 100.0,
    "shown_w": 100_000.0,
    "shown_h": 100_000.0,
}
DEVICES = frozenset(Response.Device.values)
LAYOUTS = ("side_by_side", "stacked")  # a tuple: anything may be looked for in it
MAX_FLAGS = 20


class AnswerError(ValueError):
    """The answer is not among the choices."""


def checked(block: design.Block, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload's values by the names of the response's fields."""
    flags = _flags(payload.get("flags"))
    values: dict[str, Any] = {
        "response": _choice(block, payload.get("response")),
        "confidence": _confidence(block, payload.get("confidence")),
        "reason": _reason(block, payload.get("reason")),
    }
    for name, largest in MEASURES.items():
        values[name] = _measure(payload.get(name), largest)
        if values[name] is None and payload.get(name) is not None:
            flags.append(f"bad_{name}")
    device, layout = payload.get("input_device"), payload.get("layout")
    values["input_device"] = device if isinstance(device, str) and device in DEVICES else ""
    values["layout"] = layout if layout in LAYOUTS else ""
    values["flags"] = flags
    return values


def _flags(value: object) -> list[str]:
    """The names among what the browser noticed; nothing else may get into the data."""
    if not isinstance(value, list):
        return []
    names = [flag for flag in value if isinstance(flag, str) and len(flag) <= 30]
    return [name for name in names if name.isidentifier()][:MAX_FLAGS]


def _choice(block: design.Block, value: object) -> str:
    if block.task == "rate_single":
        if isinstance(value, bool) or not isinstance(value, int):
            raise AnswerError
        if 1 <= value <= block.scale_steps:
            return str(value)
    elif isinstance(value, str) and value in CHOICES[block.task]:
        return value
    elif value == "tie" and block.task == "prefer_pair" and block.ties:
        return "tie"
    raise AnswerError


def _confidence(block: design.Block, value: object) -> float | None:
    if not block.confidence_steps:
        return None
    confidence = _measure(value, 1)
    if confidence is not None:
        return confidence
    raise AnswerError


def _reason(block: design.Block, value: object) -> str:
    if not value or not block.reasons:
        return ""
    if value in block.reasons:
        return str(value)
    raise AnswerError


def _measure(value: object, largest: float) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= largest:
        return float(value) + 0.0  # SQLite keeps no -0.0, and the seal would not fit
    return None
