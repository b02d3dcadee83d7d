"""What a participant learns at the end: the own score with its uncertainty, and the pairs."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from analysis import binomial, schema
from survey import flow, learning, recruitment, standing, studies
from survey.delivery import image_url
from survey.models import Participant, Stimulus, Trial

#: A lean to one side is told when a coin would lean as far less often than this.
NOTABLE = 0.05


@dataclass(frozen=True)
class Score:
    """Hits out of n, with Wilson's interval and chance on the same scale of counts."""

    correct: int
    n: int
    low: float
    high: float
    chance: float
    sentence: str
    of_pictures: bool  # single ones, at least in part


def of(participant: Participant) -> dict[str, Any]:
    """All that is told; parts are empty where the study has no such task, or keeps it back."""
    if not recruitment.rules_of(participant.study).show_result:
        return {}
    result = told(_main_trials(participant), studies.is_learning(participant.version))
    score = result["detection"]
    return result | {
        "others": standing.others(participant, score.correct, score.n) if score else None,
        "pairs": _most_missed_first(result["pairs"], participant),
        "offers_card": score is not None and recruitment.offers_card(participant),
    }


def told(trials: list[Trial], is_learning: bool) -> dict[str, Any]:
    """What the own responses tell, without any look at other people's."""
    return {
        "detection": score_of(trials),
        "bias": bias(trials),
        "preference": _preference(trials),
        "pairs": _pairs(trials),
        "singles": _singles(trials),
        "curve": learning.curve(_hits(trials)) if is_learning else None,
    }


def _main_trials(participant: Participant) -> list[Trial]:
    return [
        trial
        for trial in participant.trials.select_related(
            "answer", "left__generator", "right__generator", "stimulus__generator"
        )
        if trial.kind == "main"
    ]


def own_score(participant: Participant) -> Score | None:
    """The score alone, for the card."""
    return score_of(_main_trials(participant))


def _hits(trials: list[Trial]) -> list[bool]:
    """Of every trial with a right response whether it was given, in order."""
    hits = [flow.is_correct(t, t.answer) for t in trials if t.task.startswith("detect")]
    return [hit for hit in hits if hit is not None]


def score_of(trials: list[Trial]) -> Score | None:
    """Hits out of all trials that had a right response."""
    judged = _hits(trials)
    if not judged:
        return None
    correct, n = sum(judged), len(judged)
    low, high = binomial.wilson_interval(correct, n)
    of_pictures = any(t.task == "detect_single" for t in trials)
    return Score(correct, n, low * n, high * n, n / 2, sentence(correct, n), of_pictures)


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


def bias(trials: list[Trial]) -> list[str]:
    """How the responses lean, whatever was shown: to one word, to one side."""
    return [text for text in (_word_bias(trials), _side_bias(trials)) if text]


def _word_bias(trials: list[Trial]) -> str:
    """How often somebody said "AI" of single pictures, beside how often it was one."""
    singles = [t for t in trials if t.task == "detect_single" and t.stimulus is not None]
    if not singles:
        return ""
    said = sum(t.answer.response == "ai" for t in singles)
    truth = sum(t.stimulus.origin != "real" for t in singles)
    values = {"said": said, "truth": truth, "n": len(singles)}
    if said == truth:
        text = _("You said “AI” of %(said)s of %(n)s pictures: as often as there was one.")
    elif said > truth:
        text = _(
            "You said “AI” of %(said)s of %(n)s pictures; %(truth)s were. You suspect an AI more "
            "often than there is one."
        )
    else:
        text = _(
            "You said “AI” of %(said)s of %(n)s pictures; %(truth)s were. You take a picture for "
            "a photograph more often than it is one."
        )
    return text % values


def _side_bias(trials: list[Trial]) -> str:
    """Told only where a coin would rarely lean as far to one side."""
    answers = [t.answer for t in trials if t.task == "detect_pair"]
    first, n = sum(a.response == "left" for a in answers), len(answers)
    most = max(first, n - first)
    if not n or 2 * binomial.upper_tail(most, n) >= NOTABLE:
        return ""
    stacked = 2 * sum(a.layout == "stacked" for a in answers) > n
    sides = {
        (False, True): pgettext("picture", "left"),
        (False, False): pgettext("picture", "right"),
        (True, True): pgettext("picture", "upper"),
        (True, False): pgettext("picture", "lower"),
    }
    values = {"side": sides[stacked, first == most], "times": most, "n": n}
    return _("You chose the %(side)s picture in %(times)s of %(n)s pairs.") % values


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
            "code": code,
            "detected": found.get(code),
            "preferred": {True: "ai", False: "photo"}.get(liked.get(code), ""),
        }
        for code, (photo, ai) in seen.items()
    ]
    return sorted(pairs, key=lambda pair: (pair["detected"] is not False, pair["ai_kind"] == "ai"))


def _singles(trials: list[Trial]) -> list[dict[str, Any]]:
    """Every single picture, the missed ones first."""
    singles = [
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
    return sorted(singles, key=lambda single: single["correct"] is not False)


def _most_missed_first(
    pairs: list[dict[str, Any]], participant: Participant
) -> list[dict[str, Any]]:
    """The pair that most people missed comes first, with a sentence that says so."""
    missed = standing.misses(participant.version)
    known = [pair for pair in pairs if missed.get(pair["code"], (0, 0))[0]]
    if not known:
        return pairs
    most = max(known, key=lambda pair: missed[pair["code"]][0] / missed[pair["code"]][1])
    times, n = missed[most["code"]]
    values = {"times": times, "n": n}
    text = _("Missed most often: %(times)s of %(n)s people took the AI version for the photograph.")
    return [most | {"note": text % values}, *(pair for pair in pairs if pair is not most)]
