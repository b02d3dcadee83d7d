"""Generators, and the photograph, ranked by who won against whom."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from analysis.factors import crossed
from analysis.pictures import Forest, Line
from analysis.plan import Plan
from analysis.proportions import CLUSTERED
from analysis.ranking import Ranking, equality_test, rank
from analysis.results import Scope, subset
from analysis.samples import Finding, of_task
from analysis.texts import Message

PHOTOGRAPH = "photograph"
LEAST_COMPETITORS = 3


def strengths(question: str, trials: pd.DataFrame, plan: Plan) -> Finding:
    """Bradley-Terry log-strengths against the mean of all, ties after Davidson, and ranks.

    All comparisons for liking count, two AI images too; those within one generator say nothing
    of its strength and are left out.
    """
    rows = of_task(trials, ["prefer_pair"])
    if rows.empty:
        return Finding(question)
    if "question" in rows:
        rows = rows[rows["question"].isna() | (rows["question"] == "liking")]
    left, right = competitors(rows, "left"), competitors(rows, "right")
    known = (left.notna() & right.notna() & (left != right)).to_numpy()
    rows, left, right = rows[known], left[known], right[known]
    names = sorted(set(left) | set(right))
    if len(names) < LEAST_COMPETITORS:
        return Finding(question)
    factors = crossed(rows)
    won = rows["response"].map({"left": 1, "right": -1, "tie": 0}).astype(float).to_numpy()
    if factors["participant"].max() < 1:
        return Finding(question)
    try:
        found = rank(left.to_numpy(str), right.to_numpy(str), won, factors)
    except ValueError as error:  # comparisons that do not tie everything together
        text = Message("The generators could not be ranked: {why}.", {"why": error})
        return Finding(question, warnings=[text])
    return _told(question, found, rows, left, right, CLUSTERED[len(factors)], plan)


def _told(
    question: str,
    found: Ranking,
    rows: pd.DataFrame,
    left: pd.Series,
    right: pd.Series,
    method: str,
    plan: Plan,
) -> Finding:
    """The joint test that all are equally strong, and everybody's strength and rank."""
    p = equality_test(found.scores, found.cov, found.df)
    joint = Scope.of(question, "prefer_pair", "all", rows).result("joint_test", method, None, p=p)
    names = [str(name) for name in found.names]
    ranks = rank_rows(names, found.scores, found.ranks(plan.level))
    results, lines = [joint], []
    for name in names:
        here = rows[(left == name) | (right == name)]
        scope = Scope.of(question, "prefer_pair", subset(f"generator={name}"), here)
        strength = found.estimate(np.str_(name))
        row = scope.from_estimate("bradley_terry", method, strength, plan.level, 0.0)
        results += [row, scope.result("rank", method, *ranks[name], plan.level)]
        lines.append((ranks[name], Line(rank_label(name, ranks[name][1]), row)))
    picture = Forest(
        "generators_strengths",
        Message("Who is preferred to whom, all comparisons taken together"),
        Message("log-strength against the mean of all"),
        [line for _rank, line in sorted(lines, key=lambda entry: entry[0])],
        0.0,
        Message("mean of all"),
        percent=False,
    )
    return Finding(question, results, pictures=[picture], unclaimed=[joint])


def name_of(competitor: str) -> object:
    """A competitor for people: the photograph in their language."""
    return Message("the photograph") if competitor == PHOTOGRAPH else competitor


def rank_label(name: str, limits: tuple[float, float]) -> Message:
    """A name with the ranks that chance leaves open to it."""
    values = {"name": name_of(name), "best": limits[0], "worst": limits[1]}
    if limits[0] == limits[1]:
        return Message("{name}: rank {best:.0f}", values)
    return Message("{name}: rank {best:.0f} to {worst:.0f}", values)


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
