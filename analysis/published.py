"""The verdict on published counts, over a range of plausible standard deviations.

The study is a TOML file. The last two lines may be left out:

    participants = 50
    images = { real = 50, ai = 50 }
    correct = { overall = 0.6134, real = 0.669, ai = 0.558 }
    sd_participants = [0.25, 0.5, 1, 2]   # in log-odds
    sd_images = [0.3, 0.6, 1.2, 2.4]
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analysis.checks import DataError, Fault
from analysis.claims import decide
from analysis.counts import CHANCE, LARGEST_SD, Counts, estimate, naive, smallest_sd
from analysis.equivalence import tost
from analysis.plan import CLAIMS, Plan
from analysis.texts import LANGUAGES, Message, marked, translator

CLAIM = "indistinguishable"
# Bray, Johnson and Kleinberg (2023, J. Cybersecurity, tyad011) published every response of 280
# participants who judged 20 of 100 faces each. fit_glmm on them, with the origin's effect as it
# varies between participants, gives these standard deviations of the random intercepts (0.46 and
# 0.53 without the origin). The defaults are half of them, they themselves, double and fourfold.
FACES_PARTICIPANTS, FACES_IMAGES = 0.51, 0.61
MULTIPLES = (0.5, 1, 2, 4)
NUMBERS = {"participants": (), "images": ("real", "ai"), "correct": ("overall", "real", "ai")}

STATEMENTS = {
    "refuted above": marked(
        "Refuted: people did better than chance, with {count} of {all} assumed pairs of standard "
        "deviations; the smallest that would leave it undecided are {participants} for the "
        "participants and {images} for the images."
    ),
    "refuted below": marked(
        "Refuted: people did worse than chance, with {count} of {all} assumed pairs of standard "
        "deviations; the smallest that would leave it undecided are {participants} for the "
        "participants and {images} for the images."
    ),
    "supported": marked(
        "Supported: people did not differ from chance to an extent that matters, with {count} of "
        "{all} assumed pairs of standard deviations."
    ),
    "undecided": marked(
        "Undecided whether people differ from chance, with each of {all} assumed pairs of standard "
        "deviations."
    ),
}


@dataclass(frozen=True, slots=True)
class Study:
    """The counts, and the standard deviations to assume, in log-odds."""

    counts: Counts
    sd_participants: tuple[float, ...]
    sd_images: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """Accuracy and verdict with one assumed pair of standard deviations."""

    sd_participants: float
    sd_images: float
    estimate: float
    low: float
    high: float
    df: float
    p: float
    p_equivalence: float
    verdict: str


@dataclass(frozen=True)
class Reanalysis:
    """All rows, and what they say together.

    `undecided_from` holds the smallest standard deviation of the participants, and of the images,
    that takes the difference from chance away with any assumed one of the other; None for none.
    """

    study: Study
    plan: Plan
    rows: list[Row]
    undecided_from: dict[str, float | None]
    statement: Message


def parse(text: str, file: str) -> Study:
    """The study that a TOML file describes; DataError names every fault."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError([Fault(file, None, "", str(error), "a TOML file")]) from None
    faults = [Fault(file, None, *fault) for fault in _faults(found)]
    if faults:
        raise DataError(faults)
    images, correct = found["images"], found["correct"]
    try:
        counts = Counts(found["participants"], images["real"], images["ai"], **_floats(correct))
    except ValueError as error:
        raise DataError([Fault(file, None, "", str(error), "counts that fit")]) from None
    return Study(
        counts,
        tuple(found.get("sd_participants", [m * FACES_PARTICIPANTS for m in MULTIPLES])),
        tuple(found.get("sd_images", [m * FACES_IMAGES for m in MULTIPLES])),
    )


def _floats(shares: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(share) for name, share in shares.items()}


def _faults(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Column, what was found, what is allowed."""
    known = [*NUMBERS, "sd_participants", "sd_images"]
    for name in found:
        if name not in known:
            yield name, "no such setting", ", ".join(known)
    for name, parts in NUMBERS.items():
        kind: tuple[type, ...] = (int, float) if name == "correct" else (int,)
        allowed = "numbers from 0 to 1" if name == "correct" else "a whole number from 2"
        values = found.get(name)
        if parts and not (isinstance(values, dict) and set(values) == set(parts)):
            yield name, repr(values), f"a table of {', '.join(parts)}"
            continue
        for value in values.values() if isinstance(values, dict) else [values]:
            if isinstance(value, bool) or not isinstance(value, kind):
                yield name, repr(value), allowed
    for name in ("sd_participants", "sd_images"):
        if name in found and not _are_sds(found[name]):
            yield name, repr(found[name]), f"a list of numbers from 0 to {LARGEST_SD:g}"


def _are_sds(values: object) -> bool:
    return (
        isinstance(values, list)
        and bool(values)
        and all(
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and 0 <= value <= LARGEST_SD
            for value in values
        )
    )


def reanalyse(study: Study, plan: Plan) -> Reanalysis:
    """The verdict on whether people can tell the images apart, for each pair of assumptions."""
    rows = [
        _row(study.counts, people, images, plan)
        for people in study.sd_participants
        for images in study.sd_images
    ]
    limits = {
        "participants": _least(
            smallest_sd(study.counts, plan.level, sd_images=sd) for sd in study.sd_images
        ),
        "images": _least(
            smallest_sd(study.counts, plan.level, sd_participants=sd)
            for sd in study.sd_participants
        ),
    }
    return Reanalysis(study, plan, rows, limits, _statement(study.counts, rows, limits))


def _row(counts: Counts, sd_participants: float, sd_images: float, plan: Plan) -> Row:
    found, smallest = estimate(counts, sd_participants, sd_images), plan.smallest_effect(CLAIM)
    p, p_equal = found.p_value(CHANCE), tost(found, CHANCE - smallest, CHANCE + smallest)
    verdict = decide(
        CLAIMS[CLAIM].kind,
        differs=p <= plan.alpha,
        upward=found.value > CHANCE,
        equivalent=p_equal <= plan.alpha,
    )
    interval = found.interval(plan.level)
    return Row(sd_participants, sd_images, found.value, *interval, found.df, p, p_equal, verdict)


def _least(limits: Iterator[float | None]) -> float | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _statement(counts: Counts, rows: Sequence[Row], limits: Mapping[str, float | None]) -> Message:
    """One sentence: the verdict as far as the range carries it, and what would undo it."""
    verdicts = [row.verdict for row in rows]
    verdict = next((v for v in ("refuted", "supported") if v in verdicts), "undecided")
    values: dict[str, object] = {
        "count": verdicts.count(verdict),
        "all": len(rows),
        **{name: _limit(limit) for name, limit in limits.items()},
    }
    side = " above" if counts.accuracy > CHANCE else " below"
    return Message(STATEMENTS.get(verdict) or STATEMENTS[verdict + side], values)


def _limit(limit: float | None) -> Message:
    if limit is None:
        return Message("none up to {most:g}", {"most": LARGEST_SD})
    return Message("{limit:.1f}", {"limit": limit})


def as_json(found: Reanalysis) -> str:
    """Everything, for programs."""
    plan = found.plan
    share, low, high = naive(found.study.counts, plan.level)
    content = {
        "claim": CLAIM,
        "study": asdict(found.study),
        "settings": {"alpha": plan.alpha, "smallest_effect": plan.smallest_effect(CLAIM)},
        "naive": {"estimate": share, "low": low, "high": high, "method": "wilson"},
        "rows": [asdict(row) for row in found.rows],
        "undecided_from": found.undecided_from,
        "statement": {name: found.statement.say(translator(name)) for name in LANGUAGES},
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def as_markdown(found: Reanalysis) -> str:
    """The sentence in both languages and the table, for people."""
    counts, level = found.study.counts, found.plan.level
    share, low, high = naive(counts, level)
    lines = [
        *(f"{found.statement.say(translator(name))}\n" for name in LANGUAGES),
        f"{counts.participants} participants, {counts.real_images} real and {counts.ai_images} AI "
        f"images, {counts.accuracy:.1%} correct (mean of real and AI accuracy).\n",
        f"| SD participants | SD images | {level:.0%} interval | verdict |",
        "|---:|---:|---:|---|",
        f"| naive: every response independent | | {low:.1%} to {high:.1%} of {share:.1%} | |",
        *map(_line, found.rows),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    interval = f"{row.low:.1%} to {row.high:.1%}"
    return f"| {row.sd_participants:.2f} | {row.sd_images:.2f} | {interval} | {row.verdict} |"
