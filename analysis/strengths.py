"""Generators, and the photograph, ranked by who won against whom."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from analysis.factors import crossed
from analysis.plan import Plan
from analysis.proportions import CLUSTERED
from analysis.ranking import rank
from analysis.results import Result, Scope, subset
from analysis.samples import of_task
from analysis.texts import Message

PHOTOGRAPH = "photograph"
LEAST_COMPETITORS = 3


def strengths(
    question: str, trials: pd.DataFrame, plan: Plan
) -> tuple[list[Result], list[Message]]:
    """Bradley-Terry log-strengths against the mean of all, ties after Davidson, and ranks.

    All comparisons for liking count, two AI images too; those within one generator say nothing
    of its strength and are left out.
    """
    rows = of_task(trials, ["prefer_pair"])
    if rows.empty:
        return [], []
    if "question" in rows:
        rows = rows[rows["question"].isna() | (rows["question"] == "liking")]
    left, right = competitors(rows, "left"), competitors(rows, "right")
    known = (left.notna() & right.notna() & (left != right)).to_numpy()
    rows, left, right = rows[known], left[known], right[known]
    names = sorted(set(left) | set(right))
    if len(names) < LEAST_COMPETITORS:
        return [], []
    factors = crossed(rows)
    won = rows["response"].map({"left": 1, "right": -1, "tie": 0}).astype(float).to_numpy()
    if factors["participant"].max() < 1:
        return [], []
    try:
        found = rank(left.to_numpy(str), right.to_numpy(str), won, factors)
    except ValueError as error:  # comparisons that do not tie everything together
        return [], [Message("The generators could not be ranked: {why}.", {"why": error})]
    method, results = CLUSTERED[len(factors)], []
    ranks = rank_rows(names, found.scores, found.ranks(plan.level))
    for name in names:
        here = rows[(left == name) | (right == name)]
        scope = Scope.of(question, "prefer_pair", subset(f"generator={name}"), here)
        strength = found.estimate(np.str_(name))
        results.append(scope.from_estimate("bradley_terry", method, strength, plan.level, 0.0))
        results.append(scope.result("rank", method, *ranks[name], plan.level))
    return results, []


def rank_rows(
    names: Sequence[str], scores: np.ndarray, limits: tuple[np.ndarray, np.ndarray]
) -> dict[str, tuple[float, tuple[float, float]]]:
    """Each name's rank, 1 for the highest score, and the best and worst that it may have."""
    places = stats.rankdata(-scores, method="min")
    return {
        name: (float(place), (float(best), float(worst)))
        for name, place, best, worst in zip(names, places, *limits, strict=True)
    }


def competitors(rows: pd.DataFrame, side: str) -> pd.Series:
    """Who stands on a side: the generator, or the photograph; NaN for a nameless generator."""
    is_real = rows[f"{side}_origin"] == "real"
    name = f"{side}_generator"
    made_by = rows[name].astype(object) if name in rows else pd.Series(np.nan, index=rows.index)
    return made_by.astype(object).mask(is_real, PHOTOGRAPH)
