"""The trials table: its columns, and the few values that follow from them.

One row per planned trial, answered or not. Standard library only: the survey's export writes
this table and `analysis.data` reads it, both by what stands here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SCHEMA_VERSION = 1

PAIR_TASKS = ("detect_pair", "prefer_pair")
SINGLE_TASKS = ("detect_single", "rate_single")
TASKS = (*PAIR_TASKS, *SINGLE_TASKS)
ORIGINS = ("real", "ai", "enhanced")
KINDS = ("main", "practice", "catch", "repeat")
DISCLOSURES = ("hidden", "true_labels", "false_labels")
BOOLEANS = ("true", "false")
RESPONSES = {
    "detect_pair": ("left", "right"),
    "prefer_pair": ("left", "right", "tie"),
    "detect_single": ("real", "ai"),
}  # rate_single: a number


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `type` is text, integer, number, boolean or time."""

    name: str
    type: str
    meaning: str
    unit: str = ""
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    required: str = ""  # "", always, pair or single: where analysis cannot do without


COLUMNS: tuple[Column, ...] = (
    Column("row_id", "text", "Unique name of the row"),
    Column("study_id", "text", "Slug of the study"),
    Column("design_hash", "text", "SHA-256 of the frozen design"),
    Column("participant_id", "text", "Opaque code of the participant", required="always"),
    Column("condition", "text", "Between-participants condition"),
    Column("block", "integer", "Number of the block, from 0", minimum=0),
    Column("trial_index", "integer", "Position within the participant, from 0", minimum=0),
    Column("kind", "text", "What the trial is for; repeat = shown before", allowed=KINDS),
    Column("repeat_of", "integer", "trial_index of the trial that this one repeats", minimum=0),
    Column("task", "text", "What the participant had to do", allowed=TASKS, required="always"),
    Column("question", "text", "Which scale (rate_single) or comparison (prefer_pair)"),
    Column("pair_id", "text", "The matched pair"),
    Column("left_stimulus_id", "text", "Stimulus on the left, or on top"),
    Column("right_stimulus_id", "text", "Stimulus on the right, or below"),
    Column("left_origin", "text", "Origin of the left one", allowed=ORIGINS, required="pair"),
    Column("right_origin", "text", "Origin of the right one", allowed=ORIGINS, required="pair"),
    Column("stimulus_id", "text", "The single stimulus"),
    Column("origin", "text", "Origin of the single one", allowed=ORIGINS, required="single"),
    Column("left_generator", "text", "Who made the left stimulus; empty for real"),
    Column("right_generator", "text", "Who made the right stimulus; empty for real"),
    Column("generator", "text", "Who made the single stimulus; empty for real"),
    Column("category", "text", "Scene category"),
    Column(
        "enhancement_level",
        "number",
        "0 = untouched, 1 = the full enhancement",
        minimum=0,
    ),
    Column(
        "exposure_ms",
        "integer",
        "Planned exposure; empty = until the response",
        unit="ms",
        minimum=1,
    ),
    Column("disclosure", "text", "Which labels were shown", allowed=DISCLOSURES),
    Column(
        "response",
        "text",
        "detect_pair: the side held to be AI (left, right). prefer_pair: the side liked more "
        "(left, right, tie). detect_single: real or ai. rate_single: the rating",
        required="always",
    ),
    Column("confidence", "number", "0 = guessing, 1 = certain", minimum=0, maximum=1),
    Column("reason", "text", "Coded reason for the response"),
    Column("rt_ms", "number", "From the paint of the stimuli to the response", "ms", minimum=0),
    Column(
        "server_elapsed_ms",
        "number",
        "From the first delivery of the trial to the receipt of its response, on the server's "
        "clock: an upper bound",
        unit="ms",
        minimum=0,
    ),
    Column("shown_ms", "number", "How long the stimuli were really shown", "ms", minimum=0),
    Column("frame_ms", "number", "Frame interval of the display", "ms", minimum=0),
    Column("study_version", "text", "Version of the design"),
    Column("language", "text", "Language of the page"),
    Column("mode", "text", "study or learning", allowed=("study", "learning")),
    Column("flags", "text", "Names joined by ; (fast, focus_lost, ...)"),
    Column(
        "input_device",
        "text",
        "What the response was given with",
        allowed=("mouse", "touch", "keyboard", "pen"),
    ),
    Column("layout", "text", "How a pair was laid out", allowed=("side_by_side", "stacked")),
    Column("viewport_w", "number", "Width of the viewport", unit="CSS px", minimum=0),
    Column("viewport_h", "number", "Height of the viewport", unit="CSS px", minimum=0),
    Column("dpr", "number", "Device pixel ratio", minimum=0),
    Column("shown_w", "number", "Displayed width of one stimulus", unit="CSS px", minimum=0),
    Column("shown_h", "number", "Displayed height of one stimulus", unit="CSS px", minimum=0),
    Column("images_loaded_ms", "number", "How long the images took to load", "ms", minimum=0),
    Column("focus_lost_ms", "number", "How long the page was out of focus", "ms", minimum=0),
    Column("answered_at", "time", "When the server stored the response (UTC)"),
    Column("is_simulated", "boolean", "true = a simulated participant", allowed=BOOLEANS),
)

DERIVED: tuple[Column, ...] = (
    Column(
        "contrast",
        "text",
        "real_vs_ai, real_vs_enhanced, ai_vs_ai, ...; for a single trial what its origin is "
        "compared with",
    ),
    Column("contrast_generator", "text", "Generator of the side that is not real"),
    Column(
        "correct",
        "boolean",
        "detect tasks; an enhanced stimulus counts as AI; empty for two AI images",
        allowed=BOOLEANS,
    ),
    Column(
        "chose_ai",
        "boolean",
        "prefer_pair against a real one: the side that is not real was chosen; empty for a tie",
        allowed=BOOLEANS,
    ),
)


def contrast(
    task: str,
    *,
    left_origin: str = "",
    right_origin: str = "",
    origin: str = "",
    compared_with: str = "",
) -> str | None:
    """Name of what is compared, the real one first: real_vs_ai, real_vs_enhanced, ai_vs_ai, ...

    A real stimulus shown alone is compared with `compared_with`, the other origin that is
    shown alone in the same study; "ai" where nothing is said.
    """
    if task in PAIR_TASKS:
        sides = [left_origin, right_origin]
    elif task in SINGLE_TASKS:
        sides = ["real", origin if origin != "real" else compared_with or "ai"]
    else:
        return None
    if any(side not in ORIGINS for side in sides):
        return None
    order = ("real", "enhanced", "ai")
    first, second = sorted(sides, key=order.index)
    return f"{first}_vs_{second}"


def contrast_generator(
    task: str,
    *,
    left_origin: str = "",
    right_origin: str = "",
    left_generator: str = "",
    right_generator: str = "",
    generator: str = "",
) -> str | None:
    """Generator of the side that is not real; None for two that are not real."""
    if task in SINGLE_TASKS:
        return generator or None
    side = _ai_side(left_origin, right_origin)
    return {"left": left_generator, "right": right_generator}.get(side or "") or None


def correct(
    task: str, response: str, *, left_origin: str = "", right_origin: str = "", origin: str = ""
) -> bool | None:
    """Whether the AI was found: None without a response or where there is nothing to find."""
    if response not in RESPONSES.get(task, ()):
        return None
    if task == "detect_pair":
        side = _ai_side(left_origin, right_origin)
        return None if side is None else response == side
    if task == "detect_single" and origin in ORIGINS:
        return (response == "real") == (origin == "real")
    return None


def chose_ai(
    task: str, response: str, *, left_origin: str = "", right_origin: str = ""
) -> bool | None:
    """Whether the side that is not real was liked more: None for a tie or two of a kind."""
    side = _ai_side(left_origin, right_origin)
    if task != "prefer_pair" or side is None or response not in ("left", "right"):
        return None
    return response == side


def derive(row: Mapping[str, object]) -> dict[str, str | None]:
    """The columns of `DERIVED` for one row of the trials table, as the export writes them.

    Reads the contract's columns, and `compared_with` (see `contrast`) where the row has it.
    """
    task, response = _text(row, "task"), _text(row, "response")
    origins = {name: _text(row, name) for name in ("left_origin", "right_origin")}
    origin = _text(row, "origin")
    generators = {
        name: _text(row, name) for name in ("left_generator", "right_generator", "generator")
    }
    return {
        "contrast": contrast(
            task, **origins, origin=origin, compared_with=_text(row, "compared_with")
        ),
        "contrast_generator": contrast_generator(task, **origins, **generators),
        "correct": _boolean(correct(task, response, **origins, origin=origin)),
        "chose_ai": _boolean(chose_ai(task, response, **origins)),
    }


def _ai_side(left_origin: str, right_origin: str) -> str | None:
    """The side that is not real, where exactly one is."""
    if left_origin not in ORIGINS or right_origin not in ORIGINS:
        return None
    if (left_origin == "real") == (right_origin == "real"):
        return None
    return "right" if left_origin == "real" else "left"


def _text(row: Mapping[str, object], name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value)


def _boolean(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()
