"""What trials that were shown again tell: consistency, and the pull of one side."""

import pandas as pd

from analysis.plan import Plan
from analysis.proportions import mean_estimate
from analysis.results import Result, Scope
from analysis.schema import PAIR_TASKS


def with_originals(trials: pd.DataFrame, task: str) -> pd.DataFrame | None:
    """Each repeat beside the trial that it repeats; columns of the first end in `_first`.

    None where the table does not say which trials are repeats.
    """
    columns = {"kind", "repeat_of", "trial_index"}
    if not columns <= set(trials.columns):
        return None
    rows = trials[trials["task"] == task]
    again = rows[(rows["kind"] == "repeat") & rows["repeat_of"].notna()]
    first = rows[rows["kind"] != "repeat"]
    return again.merge(
        first,
        left_on=["participant_id", "repeat_of"],
        right_on=["participant_id", "trial_index"],
        suffixes=("", "_first"),
    )


def consistency(question: str, trials: pd.DataFrame, task: str, plan: Plan) -> list[Result]:
    """Share of repeats with the same choice as before, and in pairs the pull of the left side.

    A repeat swaps the sides, so that whoever always chooses the left side is never consistent
    and has a side bias of one half.
    """
    both = with_originals(trials, task)
    if both is None:
        return []
    outcome = "chose_ai" if task == "prefer_pair" else "correct"
    both = both[both[outcome].notna() & both[f"{outcome}_first"].notna()]
    if both.empty:
        return []
    scope = Scope.of(question, task, "kind=repeat", both)
    same = (both[outcome] == both[f"{outcome}_first"]).astype(float)
    results = _mean(scope, "test_retest", same, both, plan)
    if task in PAIR_TASKS:
        left = (both["response"] == "left").astype(float)
        left = (left + (both["response_first"] == "left")) / 2 - 0.5
        results += _mean(scope, "side_bias", left, both, plan)
    return results


def _mean(
    scope: Scope, term: str, values: pd.Series, rows: pd.DataFrame, plan: Plan
) -> list[Result]:
    found = mean_estimate(values.groupby(rows["participant_id"], observed=True).mean())
    null = 0.0 if term == "side_bias" else None
    if found is None:
        return []
    return [scope.from_estimate(term, "participant_mean", found, plan.level, null)]
