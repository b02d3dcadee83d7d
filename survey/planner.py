"""How many participants a study needs: power from the closed form, with its sentence.

Participants and images are both samples, so both set a limit: with few images no number of
participants is enough, and this says so.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from scipy import stats

LARGEST = 5000


@dataclass(frozen=True)
class Question:
    """What can be planned: its words, where no effect lies, and the defaults with their source."""

    label: Any
    null: float
    effect: float
    effect_help: Any
    sd_participant: float
    sd_item: float
    source: Any
    is_binary: bool = True
    is_equivalence: bool = False


_FACES = lazy(
    "Standard deviations in log-odds fitted here to Bray, Johnson and Kleinberg (2023), Journal "
    "of Cybersecurity 9, tyad011: 280 participants judged 20 of 100 faces each, one at a time."
)
_STYLES = lazy(
    "Standard deviations in log-odds fitted here to the survey published with DynaVect (CC BY "
    "4.0): 58 participants chose between two edited faces in up to 58 pairs."
)
_NONE = lazy(
    "No published data at hand: 0.2 and 0.3 rating SDs are placeholders. Take them from a pilot."
)

QUESTIONS = {
    "detectability": Question(
        lazy("Do people do better than chance?"),
        *(0.5, 0.6, lazy("The accuracy that you expect, such as 0.60."), 0.46, 0.53, _FACES),
    ),
    "equivalence": Question(
        lazy("Can people not tell them apart (equivalence)?"),
        *(0.5, 0.05, lazy("The smallest effect of interest: 0.05 means 0.45 to 0.55."), 0.46, 0.53),
        _FACES,
        is_equivalence=True,
    ),
    "preference": Question(
        lazy("Is the AI side preferred?"),
        *(0.5, 0.55, lazy("The share of AI choices that you expect, such as 0.55.")),
        *(0.75, 0.41, _STYLES),
    ),
    "appeal": Question(
        lazy("Are AI images rated higher?"),
        *(0.0, 0.2, lazy("The difference that you expect, in rating SDs."), 0.2, 0.3, _NONE),
        is_binary=False,
    ),
}


@dataclass(frozen=True)
class Plan:
    """A planned study: `trials` a participant, drawn evenly from `pairs`."""

    question: str
    effect: float
    participants: int
    trials: int
    pairs: int
    sd_participant: float
    sd_item: float
    alpha: float = 0.05

    @property
    def asks(self) -> Question:
        return QUESTIONS[self.question]


def standard_error(plan: Plan) -> float:
    """The standard error of the mean with crossed random participants and items.

    Var = Vp / N + Vi / K + Ve / (N T), on the scale of the estimate. Standard deviations in
    log-odds are carried over by the slope of the logistic curve at the expected value.
    """
    if plan.asks.is_binary:
        mean = 0.5 if plan.asks.is_equivalence else plan.effect
        spread = mean * (1 - mean)
        participant, item = ((sd * spread) ** 2 for sd in (plan.sd_participant, plan.sd_item))
        rest = max(spread - participant - item, 0.0)
    else:
        participant, item, rest = plan.sd_participant**2, plan.sd_item**2, 2.0
    n, trials = plan.participants, plan.trials
    return math.sqrt(participant / n + item / plan.pairs + rest / (n * trials))


def power(plan: Plan) -> float:
    """The chance that the test shows what is there: t on min(participants, pairs) - 1."""
    df = min(plan.participants, plan.pairs) - 1
    se = standard_error(plan)
    if plan.asks.is_equivalence:
        critical = stats.t.ppf(1 - plan.alpha, df)
        return max(0.0, float(2 * stats.t.cdf(plan.effect / se - critical, df) - 1))
    critical = stats.t.ppf(1 - plan.alpha / 2, df)
    shift = abs(plan.effect - plan.asks.null) / se
    return float(stats.nct.sf(critical, df, shift))


def needed(plan: Plan, target: float) -> int | None:
    """The smallest number of participants with that power; None where no number has it."""

    def is_enough(n: int) -> bool:
        return power(replace(plan, participants=n)) >= target

    return _first(is_enough, 2, LARGEST)


def _first(holds: Callable[[int], bool], low: int, high: int) -> int | None:
    """The smallest number from `low` to `high` for which it holds; it holds from there on."""
    if not holds(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def curve(plan: Plan, points: int = 41) -> list[tuple[int, float]]:
    """Power over the number of participants, around what is planned and needed."""
    top = max(2 * plan.participants, int(1.5 * (needed(plan, 0.8) or 0)), 20)
    numbers = sorted({round(2 + (top - 2) * i / (points - 1)) for i in range(points)})
    return [(n, power(replace(plan, participants=n))) for n in numbers]


def sentence(plan: Plan) -> str:
    """For the methods section."""
    words = {
        "n": plan.participants,
        "trials": plan.trials,
        "pairs": plan.pairs,
        "effect": f"{plan.effect:g}",
        "sd_p": f"{plan.sd_participant:g}",
        "sd_i": f"{plan.sd_item:g}",
        "power": round(100 * power(plan)),
        "alpha": f"{plan.alpha:g}",
        "aim": _aims()[plan.question] % {"effect": f"{plan.effect:g}"},
    }
    return (
        _(
            "With %(n)s participants, %(trials)s trials each and %(pairs)s pairs, the study has "
            "%(power)s %% power to show %(aim)s at alpha = %(alpha)s, taking participants and "
            "images as random with standard deviations of %(sd_p)s and %(sd_i)s (closed form for "
            "crossed random effects, t on the smaller number of levels minus one)."
        )
        % words
    )


def _aims() -> dict[str, str]:
    return {
        "detectability": _("an accuracy of %(effect)s against 0.5 (two-sided)"),
        "equivalence": _("by two one-sided tests that accuracy lies within %(effect)s of 0.5"),
        "preference": _("a share of AI choices of %(effect)s against 0.5 (two-sided)"),
        "appeal": _("a difference in ratings of %(effect)s SD (two-sided)"),
    }
