"""Which generators do best, and does openness, age or price go together with it?"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.claims import Test
from analysis.detectability import judged
from analysis.estimate import Estimate
from analysis.factors import crossed, has_items, limits
from analysis.labels import where
from analysis.mixed import MixedFit, fit_glmm, marginal_probability
from analysis.pictures import Place, Plane
from analysis.plan import Plan
from analysis.preference import chosen
from analysis.proportions import boundary
from analysis.results import Result, Scope, claim_id, contrast_part, subset
from analysis.samples import Finding, Sample, too_little, varies
from analysis.strengths import strengths
from analysis.texts import Message, marked

QUESTION = "generators"
LEAST_IN_CLASS = 4
YEAR = pd.Timedelta(days=365.25)
TASKS = {
    "prefer_pair": ("chose_ai", "ai_choice_share"),
    "detect_pair": ("correct", "accuracy"),
}


def estimate(sample: Sample, plan: Plan) -> Finding:
    """Preference for and detection of each generator, against the photographs.

    Needs `contrast_generator` with at least two names. What goes together with openness, release
    date and price has the generator as its unit and needs the generators table of a data set.
    """
    finding, places = Finding(QUESTION), dict[str, Place]()
    for contrast in sample.contrasts:
        for task, (outcome, term) in TASKS.items():
            rows = (
                chosen(sample.main, contrast, "")
                if task == "prefer_pair"
                else judged(sample.main, task, contrast)
            )
            rows = rows[rows["contrast_generator"].notna()]
            if not varies(rows["contrast_generator"]):
                continue
            claim = claim_id("generator_gap", contrast, sample.contrasts)
            if any(test.claim == claim for test in finding.tests):
                claim += f":{task}"
            problem = too_little(rows, outcome)
            if problem is not None:
                finding.tests.append(Test(claim, contrast, why_not=problem))
                continue
            part = contrast_part(contrast, sample.contrasts)
            scope = Scope.of(QUESTION, task, subset(part), rows)
            gap = _gap(rows, outcome, contrast, scope)
            finding.add(_compared(gap, term, claim, part, plan))
            finding.add(_traits(gap, sample.generators, claim, plan))
            if task == "prefer_pair":
                places |= _places(gap, sample.generators, plan)
    ranked, warnings = strengths(QUESTION, sample.main, plan)
    finding.results += ranked
    finding.warnings += warnings
    if len(places) > 1:
        finding.pictures.append(_picture(list(places.values())))
    return finding


@dataclass(frozen=True)
class Gap:
    """The model with one probability a generator."""

    scope: Scope
    rows: pd.DataFrame
    names: list[str]
    fit: MixedFit
    limits: list[Message]
    contrast: str
    has_items: bool

    def point(self, name: str) -> np.ndarray:
        """The generator's place in the model."""
        return np.array([float(other == name) for other in self.names])

    def share(self, name: str) -> Estimate:
        """The generator's probability, averaged over participants and items."""
        return marginal_probability(self.fit, self.point(name))

    def log_odds(self) -> pd.Series:
        """One number a generator."""
        return pd.Series(self.fit.coef, index=self.names)


def _gap(rows: pd.DataFrame, outcome: str, contrast: str, scope: Scope) -> Gap:
    names = sorted(str(name) for name in rows["contrast_generator"].unique())
    made_by = rows["contrast_generator"].astype(object).to_numpy()
    design = np.column_stack([made_by == name for name in names]).astype(float)
    factors = crossed(rows)
    fit = fit_glmm(rows[outcome].to_numpy(float), design, factors, names=names)
    label = where(contrast, scope.task)
    warnings = limits(factors, label) + boundary(fit, label)
    return Gap(scope, rows, names, fit, warnings, contrast, has_items(factors))


def _compared(gap: Gap, term: str, claim: str, part: str, plan: Plan) -> Finding:
    """Every generator's share, and the joint test that they are all the same."""
    p = equality_test(gap.fit)
    joint = gap.scope.result("joint_test", "glmm", None, p=p)
    results: list[Result] = [joint]
    for name in gap.names:
        here = gap.rows[gap.rows["contrast_generator"] == name]
        scope = Scope.of(QUESTION, gap.scope.task, subset(part, f"generator={name}"), here)
        results.append(scope.from_estimate(term, "glmm", gap.share(name), plan.level, 0.5))
    limit = None if gap.has_items else gap.limits[0]
    test = Test(claim, gap.contrast, p_joint=p, row=joint, at_most_undecided=limit)
    return Finding(QUESTION, results, [test], warnings=gap.limits)


def equality_test(fit: MixedFit) -> float:
    """p-value of the Wald test that all coefficients are the same (F on `fit.df`)."""
    size = len(fit.coef)
    differences = np.eye(size)[1:] - np.eye(size)[0]
    effect, cov = differences @ fit.coef, differences @ fit.cov @ differences.T
    statistic = float(effect @ np.linalg.solve(cov, effect)) / (size - 1)
    return float(stats.f.sf(statistic, size - 1, fit.df))


def _traits(gap: Gap, table: pd.DataFrame | None, claim: str, plan: Plan) -> Finding:
    """Openness, release date and price, with the generator as the unit."""
    name = claim.replace("generator_gap", "open_vs_closed")
    if table is None:
        reason = Message("No table of the generators came with the data.")
        return Finding(QUESTION, tests=[Test(name, gap.contrast, why_not=reason)])
    known = table.drop_duplicates("name").set_index("name").reindex(gap.names)
    log_odds = gap.log_odds()
    finding = _open_or_closed(gap, known, log_odds, name, plan)
    released = pd.to_datetime(_column(known, "released"), errors="coerce", format="ISO8601")
    cost = pd.to_numeric(_column(known, "cost_per_image_usd"), errors="coerce")
    years = (released - released.min()) / YEAR
    for term, trait in (("trend_per_year", years), ("trend_per_log10_usd", np.log10(cost))):
        slope = trend(trait.astype(float), log_odds)
        if slope is not None:
            finding.results.append(
                gap.scope.from_estimate(term, "generator_unit", slope, plan.level, 0.0)
            )
    return finding


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    return table[name] if name in table else pd.Series(np.nan, index=table.index)


def _open_or_closed(
    gap: Gap, known: pd.DataFrame, log_odds: pd.Series, claim: str, plan: Plan
) -> Finding:
    is_open = _column(known, "open_weights").map({"true": True, "false": False})
    groups = [log_odds[is_open == side] for side in (True, False)]
    if min(len(group) for group in groups) < LEAST_IN_CLASS:
        values = {"open": len(groups[0]), "closed": len(groups[1]), "least": LEAST_IN_CLASS}
        text = marked(
            "There are {open} open and {closed} closed generators; at least {least} of each are "
            "needed. Differences concern these generators only."
        )
        return Finding(QUESTION, tests=[Test(claim, gap.contrast, why_not=Message(text, values))])
    found = class_difference(*groups)
    row = gap.scope.from_estimate("open_minus_closed", "generator_unit", found, plan.level, 0.0)
    return Finding(QUESTION, [row], [Test(claim, gap.contrast, found, row=row)])


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


def _places(gap: Gap, table: pd.DataFrame | None, plan: Plan) -> dict[str, Place]:
    """Generators by price and preference."""
    if table is None or "cost_per_image_usd" not in table:
        return {}
    costs = table.drop_duplicates("name").set_index("name")["cost_per_image_usd"]
    cost = pd.to_numeric(costs, errors="coerce").reindex(gap.names).dropna()
    shares = {str(name): gap.share(str(name)) for name in cost.index}
    front = pareto_front([(float(cost[name]), share.value) for name, share in shares.items()])
    return {
        name: Place(
            Message(name.replace("{", "(").replace("}", ")")),
            float(cost[name]),
            share.value,
            *share.interval(plan.level),
            on_front=on_front,
        )
        for (name, share), on_front in zip(shares.items(), front, strict=True)
    }


def pareto_front(points: list[tuple[float, float]]) -> list[bool]:
    """Whether no other point is cheaper (first) and better (second), or one of both and equal."""
    return [not any((x <= a and y >= b) and (x < a or y > b) for x, y in points) for a, b in points]


def _picture(places: list[Place]) -> Plane:
    return Plane(
        "generators",
        Message("Preference and price of the generators shown"),
        Message("price of an image in US dollars"),
        Message("choices of the AI side"),
        places,
        log_x=min(place.x for place in places) > 0,
    )
