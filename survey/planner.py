"""How many participants a study needs: power from the closed form, with its sentence.

Participants and images are both samples, so both set a limit: with few images no number of
participants is enough, and this says so.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

if TYPE_CHECKING:
    from analysis.power import Design

# SciPy is imported where it is needed: most serving processes never plan a study.

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


def chance(plan: Plan) -> float:
    """The chance that the test shows what is there."""
    if not plan.asks.is_binary:
        return _chance_of_rating(plan)
    from analysis import power

    found = power.closed_form(_design(plan))
    return found.equivalence if plan.asks.is_equivalence else found.difference


def options(plan: Plan, runs: int) -> dict[str, Any]:
    """The plan as options of `python -m analysis power`, which simulates it."""
    return {**asdict(_design(plan)), "runs": runs}


def _design(plan: Plan) -> "Design":
    """The plan as the analysis knows it; nobody sees an image twice."""
    from analysis.power import Design

    is_equivalence = plan.asks.is_equivalence
    return Design(
        participants=plan.participants,
        items=plan.pairs,
        trials=min(plan.trials, plan.pairs),
        share=plan.asks.null if is_equivalence else plan.effect,
        null=plan.asks.null,
        smallest=plan.effect if is_equivalence else 0.05,
        sd_participant=plan.sd_participant,
        sd_item=plan.sd_item,
        alpha=plan.alpha,
    )


def _chance_of_rating(plan: Plan) -> float:
    """The same form for a difference of ratings within pairs, in rating SDs.

    Two ratings of one participant and pair differ by chance with a variance of 2.
    """
    from scipy import stats

    n, trials = plan.participants, min(plan.trials, plan.pairs)
    between = plan.sd_participant**2 / n + plan.sd_item**2 / plan.pairs
    shift = abs(plan.effect) / math.sqrt(between + 2 / (n * trials))
    df = min(n, plan.pairs) - 1
    return float(stats.nct.sf(stats.t.isf(plan.alpha / 2, df), df, shift))


def needed(plan: Plan, target: float) -> int | None:
    """The fewest participants with that power; None where no number has it."""
    return _first(lambda n: chance(replace(plan, participants=n)) >= target, 2, LARGEST)


def pairs_needed(plan: Plan, target: float) -> int | None:
    """The fewest pairs with that power for the planned participants, each seeing as many."""

    def is_enough(pairs: int) -> bool:
        return chance(replace(plan, pairs=pairs, trials=min(plan.trials, pairs))) >= target

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
    return [(n, chance(replace(plan, participants=n))) for n in numbers]


def sentence(plan: Plan) -> str:
    """For the methods section."""
    words = {
        "n": plan.participants,
        "trials": plan.trials,
        "pairs": plan.pairs,
        "effect": f"{plan.effect:g}",
        "sd_p": f"{plan.sd_participant:g}",
        "sd_i": f"{plan.sd_item:g}",
        "power": round(100 * chance(plan)),
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
