"""Equivalence tests, and the rules by which an estimate becomes a verdict.

A claim of a difference and a claim of no difference are judged by intervals against the smallest
effect of interest; a p-value above alpha alone supports nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from analysis.estimate import Estimate


class Verdict(StrEnum):
    SUPPORTED = "supported"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    NOT_TESTED = "not_tested"


class HasInterval(Protocol):
    """Anything with a two-sided interval: an Estimate or a Bootstrap."""

    def interval(self, level: float) -> tuple[float, float]: ...


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and what it rests on.

    Attributes
    ----------
    verdict : Verdict
    interval, equivalence_interval : tuple of float
        The 1 - alpha and the 1 - 2 alpha interval.
    differs : bool
        The 1 - alpha interval excludes no effect.
    equivalent : bool
        The 1 - 2 alpha interval lies inside the equivalence region.
    """

    verdict: Verdict
    interval: tuple[float, float]
    equivalence_interval: tuple[float, float]
    differs: bool
    equivalent: bool

    @property
    def smaller_than_of_interest(self) -> bool:
        """There is an effect, and it is smaller than the smallest effect of interest."""
        return self.differs and self.equivalent


def tost(estimate: Estimate, low: float, high: float) -> float:
    """P-value of two one-sided tests that the estimand lies outside ``low`` to ``high``.

    Schuirmann (1987), doi:10.1007/BF01068419: the larger of the two one-sided p-values; below
    alpha exactly when the 1 - 2 alpha interval lies inside the region.

    Raises
    ------
    ValueError
        If `low` is not below `high`.
    """
    if not low < high:
        raise ValueError(f"the region from {low} to {high} is empty")
    return max(estimate.p_greater(low), estimate.p_less(high))


def judge_no_difference(
    estimate: HasInterval, null: float, smallest: float, alpha: float = 0.05
) -> Judgement:
    """Judge the claim that there is no difference.

    Supported when the 1 - 2 alpha interval lies within `smallest` of `null`; refuted when the
    1 - alpha interval excludes `null` and equivalence does not hold; else undecided.

    Parameters
    ----------
    estimate : Estimate or Bootstrap
    null : float
        The value that means no effect.
    smallest : float
        The smallest effect of interest, positive, in the estimate's unit.
    alpha : float

    Raises
    ------
    ValueError
        If `smallest` is not positive or `alpha` not between 0 and 0.5.
    """
    facts = _facts(estimate, null, smallest, alpha)
    if facts.equivalent:
        return facts
    return _with(facts, Verdict.REFUTED if facts.differs else Verdict.UNDECIDED)


def judge_difference(
    estimate: HasInterval,
    null: float,
    smallest: float,
    direction: Literal["upward", "two-sided"],
    alpha: float = 0.05,
) -> Judgement:
    """Judge the claim that there is a difference.

    Supported when the 1 - alpha interval lies on the claimed side of `null`, even where the
    effect is smaller than the smallest effect of interest; refuted when it lies on the other
    side or equivalence holds; else undecided. Parameters and errors are those of
    `judge_no_difference`.
    """
    if direction not in ("upward", "two-sided"):
        raise ValueError(f"direction must be upward or two-sided, not {direction!r}")
    facts = _facts(estimate, null, smallest, alpha)
    upward = facts.interval[0] > null
    if upward or (facts.differs and direction == "two-sided"):
        return _with(facts, Verdict.SUPPORTED)
    refuted = facts.differs or facts.equivalent
    return _with(facts, Verdict.REFUTED if refuted else Verdict.UNDECIDED)


def judge_joint(p_value: float, alpha: float = 0.05) -> Verdict:
    """A joint test is supported below alpha and else undecided."""
    return Verdict.SUPPORTED if p_value < alpha else Verdict.UNDECIDED


def _facts(estimate: HasInterval, null: float, smallest: float, alpha: float) -> Judgement:
    if smallest <= 0:
        raise ValueError(f"the smallest effect of interest must be positive, not {smallest}")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, not at {alpha}")
    low, high = estimate.interval(1 - alpha)
    inner = estimate.interval(1 - 2 * alpha)
    differs = low > null or high < null
    equivalent = null - smallest < inner[0] and inner[1] < null + smallest
    return Judgement(Verdict.SUPPORTED, (low, high), inner, differs, equivalent)


def _with(facts: Judgement, verdict: Verdict) -> Judgement:
    return Judgement(
        verdict, facts.interval, facts.equivalence_interval, facts.differs, facts.equivalent
    )
