"""Does openness, age or price go together with how well a generator does?

The generator is the unit here: its participants and images are averaged over already.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.claims import Test
from analysis.estimate import Estimate
from analysis.pictures import Place, Plane
from analysis.plan import Plan
from analysis.results import Scope
from analysis.samples import Finding, varies
from analysis.texts import Message, marked

LEAST_IN_CLASS = 4
YEAR = pd.Timedelta(days=365.25)
FEW = marked(
    "There are {open} open and {closed} closed generators; at least {least} of each are needed. "
    "Differences concern these generators only."
)
PLANES = {  # by task: title and axis
    "prefer_pair": (
        Message("Preference and price of the generators shown"),
        Message("choices of the AI side"),
    ),
    "rate_single": (
        Message("Rating and price of the generators shown"),
        Message("mean rating"),
    ),
    "detect_pair": (
        Message("How often the generators shown went unnoticed beside the photograph, and price"),
        Message("wrong responses"),
    ),
    "detect_single": (
        Message("How often the generators shown went unnoticed one at a time, and price"),
        Message("AI images called real"),
    ),
}


@dataclass(frozen=True)
class Standing:
    """How the generators stand in one task.

    `scores` are comparable numbers, more is better; `values` what people read, where less is
    better if `sign` is -1.
    """

    scope: Scope
    contrast: str
    scores: pd.Series
    values: dict[str, Estimate]
    sign: int
    is_rating: bool
    limit: Message | None


def traits(standing: Standing, table: pd.DataFrame | None, claim: str, plan: Plan) -> Finding:
    """Open against closed, and the trends over release date and price."""
    question = standing.scope.question
    if table is None:
        reason = Message("No table of the generators came with the data.")
        return Finding(question, tests=[Test(claim, standing.contrast, why_not=reason)])
    known = table.drop_duplicates("name").set_index("name").reindex(standing.scores.index)
    finding = _open_or_closed(standing, known, claim, plan)
    released = pd.to_datetime(_column(known, "released"), errors="coerce", format="ISO8601")
    cost = pd.to_numeric(_column(known, "cost_per_image_usd"), errors="coerce")
    years = (released - released.min()) / YEAR
    log_cost = np.log10(cost.where(cost > 0))
    for term, trait in (("trend_per_year", years), ("trend_per_log10_usd", log_cost)):
        slope = trend(trait.astype(float), standing.scores)
        if slope is not None:
            finding.results.append(
                standing.scope.from_estimate(term, "generator_unit", slope, plan.level, 0.0)
            )
    return finding


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    return table[name] if name in table else pd.Series(np.nan, index=table.index)


def _open_or_closed(standing: Standing, known: pd.DataFrame, claim: str, plan: Plan) -> Finding:
    scope, contrast = standing.scope, standing.contrast
    is_open = _column(known, "open_weights").map({"true": True, "false": False})
    groups = [standing.scores[is_open == side] for side in (True, False)]
    if min(len(group) for group in groups) < LEAST_IN_CLASS:
        values = {"open": len(groups[0]), "closed": len(groups[1]), "least": LEAST_IN_CLASS}
        return Finding(scope.question, tests=[Test(claim, contrast, why_not=Message(FEW, values))])
    found = class_difference(*groups)
    row = scope.from_estimate("open_minus_closed", "generator_unit", found, plan.level, 0.0)
    unit = Message("standard deviations") if standing.is_rating else None
    test = Test(claim, contrast, found, row=row, unit=unit, at_most_undecided=standing.limit)
    return Finding(scope.question, [row], [test])


def class_difference(first: pd.Series, second: pd.Series) -> Estimate:
    """Difference of two means with a pooled variance, t on n - 2 degrees of freedom."""
    df = len(first) + len(second) - 2
    pooled = (first.var(ddof=1) * (len(first) - 1) + second.var(ddof=1) * (len(second) - 1)) / df
    se = float(np.sqrt(pooled * (1 / len(first) + 1 / len(second))))
    return Estimate(float(first.mean() - second.mean()), se, df)


def trend(x: pd.Series, y: pd.Series) -> Estimate | None:
    """Least-squares slope with t on n - 2 degrees of freedom; None below four generators."""
    known = x.notna() & np.isfinite(x)
    x, y = x[known], y[known]
    if len(x) < LEAST_IN_CLASS or not varies(x):
        return None
    centred, df = x - x.mean(), len(x) - 2
    slope = float((centred * y).sum() / (centred**2).sum())
    residual = y - y.mean() - slope * centred
    se = float(np.sqrt((residual**2).sum() / df / (centred**2).sum()))
    return Estimate(slope, se, df)


def cost_plane(standing: Standing, table: pd.DataFrame | None, plan: Plan) -> Plane | None:
    """The generators by price and by how well they do, with the front of those nothing beats."""
    if table is None or "cost_per_image_usd" not in table:
        return None
    costs = table.drop_duplicates("name").set_index("name")["cost_per_image_usd"]
    cost = pd.to_numeric(costs, errors="coerce").reindex(standing.scores.index).dropna()
    if len(cost) < 2:
        return None
    places = [
        _place(str(name), float(price), standing.values[str(name)], standing.sign, plan)
        for name, price in cost.items()
    ]
    front = pareto_front([(place.x, place.y) for place in places])
    title, axis = PLANES[standing.scope.task]
    names = ["generators_price", standing.scope.task, standing.contrast]
    return Plane(
        "_".join(names),
        title,
        Message("price of an image in US dollars"),
        axis,
        [replace(place, on_front=best) for place, best in zip(places, front, strict=True)],
        log_x=min(place.x for place in places) > 0,
        percent=not standing.is_rating,
    )


def _place(name: str, price: float, value: Estimate, sign: int, plan: Plan) -> Place:
    """A generator in the plane, upwards for better: of what is noticed, the share that is not."""
    ends = value.interval(plan.level)
    if sign < 0:
        ends = 1 - ends[1], 1 - ends[0]
    height = value.value if sign > 0 else 1 - value.value
    return Place(Message(name.replace("{", "(").replace("}", ")")), price, height, *ends)


def pareto_front(points: list[tuple[float, float]]) -> list[bool]:
    """Whether no other point is cheaper (first) and better (second), or one of both and equal."""
    return [not any((x <= a and y >= b) and (x < a or y > b) for x, y in points) for a, b in points]
