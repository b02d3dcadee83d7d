"""What a preference goes together with: ratings of the same pairs, and recognition of the AI."""

import numpy as np
import pandas as pd
from scipy import stats

from analysis.plan import Plan
from analysis.proportions import Measure
from analysis.results import Result, Scope, subset
from analysis.samples import varies
from analysis.subgroups import is_small, robust_row

LEAST_PAIRS = 5


def with_ratings(
    scope: Scope, choices: pd.DataFrame, ratings: pd.DataFrame, plan: Plan
) -> list[Result]:
    """Correlation over pairs of the AI-choice share with the rating of AI minus real."""
    if "pair_id" not in choices or ratings.empty:
        return []
    share = choices.groupby("pair_id", observed=True)["chose_ai"].mean()
    real = ratings["origin"] == "real"
    means = [
        part.groupby("pair_id", observed=True)["rating"].mean()
        for part in (ratings[~real], ratings[real])
    ]
    both = pd.DataFrame({"share": share, "difference": means[0] - means[1]}).dropna()
    if len(both) < LEAST_PAIRS or not all(varies(both[name]) for name in both):
        return []
    found = stats.pearsonr(both["share"], both["difference"])
    interval = found.confidence_interval(plan.level)
    term = "agreement_with_appeal"
    r = float(found.statistic)
    return [scope.result(term, "pearson", r, tuple(interval), plan.level, float(found.pvalue))]


def by_recognition(
    scope: Scope, choices: pd.DataFrame, judgements: pd.DataFrame, part: str, plan: Plan
) -> list[Result]:
    """AI-choice share where the AI side had been told by the same person, and by most others.

    Cluster-robust only: here responses make the groups. Who recognises more has more rows in one
    of them, and a mixed model takes it that the number of a person's rows says nothing.
    """
    if judgements.empty:
        return []
    seen = judgements.dropna(subset=["item"]).drop_duplicates(["participant_id", "item"])
    own = seen[["participant_id", "item", "correct"]].astype({"item": object})
    rows = choices.astype({"item": object}).merge(
        own, on=["participant_id", "item"], how="left", suffixes=("_choice", "")
    )
    totals = own.groupby("item")["correct"].agg(["sum", "size"])
    known = rows["item"].map(totals["sum"]) - rows["correct"].fillna(0)
    others = rows["item"].map(totals["size"]) - rows["correct"].notna()
    groups = {
        "recognised": rows["correct"].map({1.0: "true", 0.0: "false"}),
        "recognised_by_others": pd.Series(
            np.select([known * 2 > others, known * 2 < others], ["most", "few"], ""), rows.index
        )
        .where(others > 0)
        .replace("", np.nan),
    }
    return [
        robust_row(
            Scope.of(scope.question, scope.task, subset(part, f"{name}={value}"), here),
            here,
            Measure("chose_ai", "ai_choice_share"),
            plan,
        )
        for name, group in groups.items()
        for value, here in rows.groupby(group)
        if not is_small(here)
    ]
