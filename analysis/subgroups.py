"""A share within groups of trials, and how it changes: exploration beside the headline."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.factors import crossed, n_items
from analysis.plan import Plan
from analysis.proportions import CLUSTERED, NO_SPREAD, Measure, modelled_share, robust_share
from analysis.regressions import regress
from analysis.results import Result, Scope, subset
from analysis.samples import Finding, varies
from analysis.texts import Message
from analysis.trust import left_out

COLUMNS = {  # how the result table names a group, and the column that makes it
    "category": "category",
    "generator": "contrast_generator",
    "condition": "condition",
    "language": "language",
    "input_device": "input_device",
}
WITH_EXPOSURE = {**COLUMNS, "exposure_ms": "exposure_ms"}
LEAST_RESPONSES = 20
LEAST_ITEMS = 5
LEAST_PARTICIPANTS = 5
MOST_GROUPS = 30


def by_group(
    scope: Scope,
    rows: pd.DataFrame,
    measure: Measure,
    part: str,
    plan: Plan,
    what: Message,
    columns: Mapping[str, str] = COLUMNS,
) -> Finding:
    """The share in each group, by whatever the columns tell apart."""
    finding = Finding(scope.question)
    for name, column in columns.items():
        if column not in rows or not varies(rows[column]):
            continue
        groups = rows.groupby(column, observed=True)
        if groups.ngroups > MOST_GROUPS:
            continue
        for value, here in groups:
            shown = f"{value:g}" if isinstance(value, float) else str(value)
            place = Scope.of(scope.question, scope.task, subset(part, f"{name}={shown}"), here)
            finding.add(group_share(place, here, measure, plan, what))
    return finding


def group_share(
    scope: Scope, rows: pd.DataFrame, measure: Measure, plan: Plan, what: Message
) -> Finding:
    """The share in a group by the headline's mixed model, fitted to the group alone, and beside it
    cluster-robust; nothing where participants, items or responses are too few.

    Each group has its own variation between participants and between items, as its own study
    would. With 5 to 10 of either, tests at 5 % are wrong in 1 to 6 % of studies without any effect.
    """
    if is_small(rows):
        return Finding(scope.question)
    factors = crossed(rows)
    if measure.by is not None and not varies(rows[measure.by]):
        measure = replace(measure, by=None)  # such as the images of a generator
    robust = robust_row(scope, rows, measure, plan)
    if not varies(rows[measure.outcome]):
        return Finding(scope.question, [robust])
    found = modelled_share(rows, measure, factors)
    if found is None:
        return Finding(scope.question, [robust], warnings=[left_out(what, measure.term)])
    row = scope.from_estimate(measure.term, "glmm", found, plan.level, 0.5)
    return Finding(scope.question, [row, robust])


def is_small(rows: pd.DataFrame) -> bool:
    """Whether participants, items or responses are too few to say anything of a group."""
    if len(rows) < LEAST_RESPONSES or rows["participant_id"].nunique() < LEAST_PARTICIPANTS:
        return True
    return bool(rows["item"].notna().all()) and n_items(crossed(rows)) < LEAST_ITEMS


def robust_row(scope: Scope, rows: pd.DataFrame, measure: Measure, plan: Plan) -> Result:
    """The cluster-robust share; without an interval where every response is the same."""
    factors = crossed(rows)
    found, method = robust_share(rows, measure, factors), CLUSTERED[len(factors)]
    if found.se <= NO_SPREAD:
        return scope.result(measure.term, method, found.value)
    return scope.from_estimate(measure.term, method, found, plan.level, 0.5)


def items_below_chance(scope: Scope, rows: pd.DataFrame, measure: Measure) -> list[Result]:
    """Share of the images or pairs that fewer than half of the responses got right."""
    shares = rows.groupby("item", observed=True)[measure.outcome].mean()
    if shares.empty:
        return []
    below = float((shares < 0.5).mean())
    return [replace(scope.result("items_below_chance", "descriptive", below), n=len(shares))]


def learning(
    scope: Scope, rows: pd.DataFrame, measure: Measure, plan: Plan, what: Message
) -> Finding:
    """Change in log-odds over ten trials of the task, from a mixed model."""
    nothing = Finding(scope.question)
    if "trial_index" not in rows or rows["trial_index"].isna().any():
        return nothing
    if not varies(rows[measure.outcome]) or not varies(rows["participant_id"]):
        return nothing
    position = rows.groupby("participant_id", observed=True)["trial_index"].rank().to_numpy()
    if position.max() < 2:
        return nothing
    tens = (position - position.mean()) / 10
    columns = {"intercept": np.ones(len(rows)), "ten_trials": tens}
    fit = regress(rows[measure.outcome], columns, crossed(rows), binary=True)
    term, found = "learning_per_10_trials", fit.mixed.estimate("ten_trials")
    if not fit.mixed.converged:
        return Finding(scope.question, warnings=[left_out(what, term)])
    row = scope.from_estimate(term, "glmm", found, plan.level, 0.0)
    return Finding(scope.question, [row])


def expertise(
    scope: Scope,
    rows: pd.DataFrame,
    measure: Measure,
    participants: pd.DataFrame | None,
    part: str,
    plan: Plan,
    what: Message,
) -> Finding:
    """The share for each answer to the background questions of choice."""
    finding = Finding(scope.question)
    if participants is None:
        return finding
    answers = participants.drop_duplicates("participant_id").set_index("participant_id")
    for column in (name for name in answers if str(name).startswith("background_")):
        given = answers[column].reindex(rows["participant_id"].astype(object)).to_numpy()
        grouped = rows.assign(answer=given).groupby("answer")
        if not 1 < grouped.ngroups <= MOST_GROUPS:
            continue
        for value, here in grouped:
            name = subset(part, f"{column}={value}")
            place = Scope.of(scope.question, scope.task, name, here)
            finding.add(group_share(place, here, measure, plan, what))
    return finding
