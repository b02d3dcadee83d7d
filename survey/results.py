"""What a participant learns at the end: the own score with its uncertainty, and the pairs."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from analysis import binomial, schema
from survey import flow
from survey.delivery import image_url
from survey.models import Participant, Stimulus, Trial


@dataclass(frozen=True)
class Score:
    """Hits out of n, with Wilson's interval and chance on the same scale of counts."""

    correct: int
    n: int
    low: float
    high: float
    chance: float
    sentence: str


def of(participant: Participant) -> dict[str, Any]:
    """Score, preference and the pairs revealed; empty parts where the study has no such task."""
    trials = [
        trial
        for trial in participant.trials.select_related(
            "answer", "left__generator", "right__generator", "stimulus__generator"
        )
        if trial.kind == "main"
    ]
    return {
        "detection": _detection(trials),
        "preference": _preference(trials),
        "pairs": _pairs(trials),
        "singles": _singles(trials),
    }


def _detection(trials: list[Trial]) -> Score | None:
    hits = [flow.is_correct(t, t.answer) for t in trials if t.task.startswith("detect")]
    judged = [hit for hit in hits if hit is not None]
    if not judged:
        return None
    correct, n = sum(judged), len(judged)
    low, high = binomial.wilson_interval(correct, n)
    return Score(correct, n, low * n, high * n, n / 2, sentence(correct, n))


def sentence(correct: int, n: int) -> str:
    """The score beside a coin's, in words without pass or fail."""
    if 2 * correct == n:
        return _("That is just what a coin gets on average.")
    above = 2 * correct > n
    tail = binomial.upper_tail(correct, n) if above else 1 - binomial.upper_tail(correct + 1, n)
    values = {"count": correct, "tries": _tries(tail)}
    if not above:
        text = _(
            "That is less than a coin gets on average; a coin gets %(count)s or fewer about "
            "once in %(tries)s tries."
        )
    elif tail >= 0.05:
        text = _(
            "That is better than a coin does on average, but a coin gets %(count)s or more about "
            "once in %(tries)s tries."
        )
    else:
        text = _("A coin gets %(count)s or more only about once in %(tries)s tries.")
    return text % values


def _tries(tail: float) -> str:
    """One in how many: a round number that pretends no precision."""
    tries = 1 / max(tail, 1e-6)
    digits = 1 if tries >= 100 else 2
    return f"{round(float(f'{tries:.{digits}g}')):,}"


def _preference(trials: list[Trial]) -> dict[str, int] | None:
    choices = {t.pair_code: c for t in trials if (c := _chose_ai(t)) is not None}
    if not choices:
        return None
    found = _found(trials)
    liked = [pair for pair, chose_ai in choices.items() if chose_ai]
    return {
        "chose_ai": len(liked),
        "n": len(choices),
        "mistaken": sum(found.get(pair) is False for pair in liked),
        "judged": sum(found.get(pair) is not None for pair in liked),
    }


def _chose_ai(trial: Trial) -> bool | None:
    if trial.left is None or trial.right is None:
        return None
    return schema.chose_ai(
        trial.task,
        trial.answer.response,
        left_origin=trial.left.origin,
        right_origin=trial.right.origin,
    )


def _found(trials: list[Trial]) -> dict[str, bool | None]:
    """For each pair of a detection block whether its AI side was found."""
    return {t.pair_code: flow.is_correct(t, t.answer) for t in trials if t.task == "detect_pair"}


def _pairs(trials: list[Trial]) -> list[dict[str, Any]]:
    """Every pair of a photograph and an AI image, the missed ones first."""
    found = _found(trials)
    liked = {t.pair_code: _chose_ai(t) for t in trials if t.task == "prefer_pair"}
    seen: dict[str, tuple[Stimulus, Stimulus]] = {}
    for trial in trials:
        sides = sorted(trial.shown(), key=lambda stimulus: stimulus.origin != "real")
        if len(sides) == 2 and sides[0].origin == "real" and sides[1].origin != "real":
            seen[trial.pair_code] = (sides[0], sides[1])
    pairs = [
        {
            "photo_url": image_url(photo),
            "ai_url": image_url(ai),
            "ai_kind": ai.origin,
            "generator": ai.generator.name if ai.generator else "",
            "credit": photo.credit,
            "detected": found.get(code),
            "preferred": {True: "ai", False: "photo"}.get(liked.get(code), ""),
        }
        for code, (photo, ai) in seen.items()
    ]
    return sorted(pairs, key=lambda pair: (pair["detected"] is not False, pair["ai_kind"] == "ai"))


def _singles(trials: list[Trial]) -> list[dict[str, Any]]:
    return [
        {
            "url": image_url(trial.stimulus),
            "origin": trial.stimulus.origin,
            "generator": trial.stimulus.generator.name if trial.stimulus.generator else "",
            "credit": trial.stimulus.credit,
            "correct": flow.is_correct(trial, trial.answer),
        }
        for trial in trials
        if trial.stimulus is not None
    ]
