"""A share over crossed participants and items: the headline methods beside the naive one."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.binomial import upper_tail, wilson_interval
from analysis.estimate import Estimate
from analysis.plan import Plan
from analysis.results import Result, Scope


@dataclass(frozen=True)
class Share:
    """Rows of the result table, the headline among them, and what a verdict rests on."""

    results: list[Result]
    headline: Result | None
    estimate: Estimate | None


def share(
    rows: pd.DataFrame, outcome: str, scope: Scope, term: str, plan: Plan, *, by: str | None = None
) -> Share:
    """The share of rows with `outcome` 1, as a population average.

    Parameters
    ----------
    rows : DataFrame
        Needs `participant_id` and the column `outcome` (0 or 1, nothing missing).
    by : str, optional
        Average over the levels of this column with equal weights, whatever their numbers.
    """
    results = [naive(scope, term, rows[outcome], plan.level)]
    estimate = mean_estimate(participant_means(rows, outcome, by))
    if estimate is None:
        return Share(results, None, None)
    headline = scope.from_estimate(term, "participant_mean", estimate, plan.level, 0.5)
    return Share([headline, *results], headline, estimate)


def naive(scope: Scope, term: str, outcome: pd.Series, level: float) -> Result:
    """Wilson's interval, as if all responses were independent. For comparison only."""
    successes, n = int(outcome.sum()), len(outcome)
    tails = upper_tail(successes, n), upper_tail(n - successes, n)
    interval = wilson_interval(successes, n, level)
    return scope.result(term, "wilson", successes / n, interval, level, min(1.0, 2 * min(tails)))


def participant_means(rows: pd.DataFrame, outcome: str, by: str | None = None) -> pd.Series:
    """One value a participant; the mean of the means by `by` where that is given.

    Participants who lack a level of `by` have no value.
    """
    if by is None:
        return rows.groupby("participant_id", observed=True)[outcome].mean()
    means = rows.groupby(["participant_id", by], observed=True)[outcome].mean()
    by_person = means.groupby("participant_id", observed=True)
    return by_person.mean()[by_person.size() == rows[by].nunique()]


def mean_estimate(values: pd.Series) -> Estimate | None:
    """Mean with a t interval on n - 1 degrees of freedom; None below two values."""
    if len(values) < 2:
        return None
    se = float(values.std(ddof=1) / np.sqrt(len(values)))
    return Estimate(float(values.mean()), se, len(values) - 1)
