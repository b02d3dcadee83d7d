"""How much enhancement is liked before it is noticed?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from analysis.detectability import judged
from analysis.factors import crossed
from analysis.labels import CHANCE_LABEL, where
from analysis.mixed import MixedFit, fit_glmm
from analysis.pictures import Curve, Curves
from analysis.plan import Plan
from analysis.preference import chosen
from analysis.proportions import mean_estimate
from analysis.results import Result, Scope, contrast_part, subset
from analysis.samples import Finding, Sample, varies
from analysis.summaries import SHARE, Case, bracketed, interval
from analysis.texts import Message, marked
from analysis.trust import trust

QUESTION = "dose"
CONTRAST = "real_vs_enhanced"
NOTICED = 0.75
DRAWS = 2000
GRID = 101
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(30)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
Array = NDArray[np.float64]


def estimate(sample: Sample, plan: Plan) -> Finding:
    """Preference and detection as functions of the level of enhancement.

    Needs `enhancement_level` with at least two levels above 0 in pairs with the photograph. At
    level 0 both sides are the same, so the probability is one half by construction: the models
    have no intercept. Preference has a linear and a quadratic part, detection a linear one.
    """
    finding, curves, marks = Finding(QUESTION), [], []
    part = contrast_part(CONTRAST, sample.contrasts)
    tasks = {
        "prefer_pair": (chosen(sample.main, CONTRAST, ""), "chose_ai", 2),
        "detect_pair": (judged(sample.main, "detect_pair", CONTRAST), "correct", 1),
    }
    for task, (rows, outcome, degree) in tasks.items():
        leveled = _with_levels(rows, outcome)
        if leveled.empty:
            continue
        scope = Scope.of(QUESTION, task, subset(part), leveled)
        found, curve = _response(scope, leveled, outcome, degree, part, plan)
        finding.add(found)
        curves.append(curve)
        marks += [
            (result.estimate, MARKS[result.term])
            for result in found.results
            if result.term in MARKS and result.estimate is not None
        ]
    if curves:
        finding.pictures.append(_picture(curves, marks))
    return finding


MARKS = {"level_liked_best": Message("liked best"), "level_noticed": Message("noticed in 75%")}


@dataclass(frozen=True)
class DoseCurve:
    """Population-averaged probabilities over a grid of levels: fitted, and drawn again."""

    levels: Array
    fitted: Array
    draws: Array

    def at(self, find: Callable[[Array, Array], float], level: float) -> tuple[float, ...]:
        """A place on the curve with its percentile interval; NaN where it does not exist."""
        places = np.array([find(self.levels, curve) for curve in self.draws])
        tail = (1 - level) / 2
        exists = np.isfinite(places)
        if exists.mean() < level:  # the interval would reach beyond the levels shown
            return find(self.levels, self.fitted), np.nan, np.nan
        low, high = np.quantile(places[exists], [tail, 1 - tail])
        place = find(self.levels, self.fitted)
        return place, min(float(low), place), max(float(high), place)


def _with_levels(rows: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """The rows with a level, where several levels, people and responses allow a model."""
    if "enhancement_level" not in rows:
        return rows[:0]
    rows = rows[rows["enhancement_level"] > 0]
    names = ("enhancement_level", "participant_id", outcome)
    return rows if all(varies(rows[name]) for name in names) else rows[:0]


def _response(
    scope: Scope, rows: pd.DataFrame, outcome: str, degree: int, part: str, plan: Plan
) -> tuple[Finding, Curve]:
    level = rows["enhancement_level"].to_numpy(float)
    factors, names = crossed(rows), ["linear", "quadratic"][:degree]
    design = np.column_stack([level**power for power in range(1, degree + 1)])
    fit = fit_glmm(rows[outcome].to_numpy(float), design, factors, names=names)
    curve = dose_curve(fit, float(level.max()), np.random.default_rng(plan.seed))
    term, find = ("level_liked_best", liked_best) if degree == 2 else ("level_noticed", noticed)
    place = curve.at(find, plan.level)
    results = [scope.result(term, "glmm", place[0], (place[1], place[2]), plan.level)]
    results += [
        scope.from_estimate(name, "glmm", fit.estimate(name), plan.level, 0.0) for name in names
    ]
    results += _by_level(scope, rows, outcome, part, plan)
    label = where(CONTRAST, scope.task)
    warnings = trust(factors, label, fit).warnings
    finding = Finding(
        QUESTION, results, warnings=warnings, unclaimed=results[:1] if fit.converged else []
    )
    return finding, _drawn(curve, scope.task, plan)


def dose_curve(fit: MixedFit, highest: float, rng: np.random.Generator) -> DoseCurve:
    """The fitted curve, and as many again with coefficients drawn from their distribution.

    That is a multivariate t with the fit's degrees of freedom, one less than the smallest factor
    has levels, so that its intervals are those of every other estimate.
    """
    levels = np.linspace(0, highest, GRID)
    powers = np.column_stack([levels**power for power in range(1, len(fit.coef) + 1)])
    spread = float(np.sqrt(sum(sd**2 for sd in fit.sd.values())))

    def averaged(linear: Array) -> Array:
        mean: Array = expit(linear[..., None] + spread * NODES) @ WEIGHTS
        return mean

    errors = rng.multivariate_normal(np.zeros(len(fit.coef)), fit.cov, DRAWS)
    wider = np.sqrt(fit.df / rng.chisquare(fit.df, (DRAWS, 1)))
    coefficients = fit.coef + errors * wider
    return DoseCurve(levels, averaged(powers @ fit.coef), averaged(coefficients @ powers.T))


def liked_best(levels: Array, curve: Array) -> float:
    """The level at which the preference is highest."""
    return float(levels[np.argmax(curve)])


def noticed(levels: Array, curve: Array) -> float:
    """The lowest level that is told from the photograph in 75 %; NaN if none is."""
    above = np.flatnonzero(curve >= NOTICED)
    return float(levels[above[0]]) if len(above) else float("nan")


def _by_level(
    scope: Scope, rows: pd.DataFrame, outcome: str, part: str, plan: Plan
) -> list[Result]:
    """The share at each level, each participant counting once."""
    term = "accuracy" if outcome == "correct" else "ai_choice_share"
    results = []
    for level, here in rows.groupby("enhancement_level"):
        found = mean_estimate(here.groupby("participant_id", observed=True)[outcome].mean())
        if found is not None:
            name = subset(part, f"enhancement_level={level:g}")
            place = Scope.of(QUESTION, scope.task, name, here)
            results.append(place.from_estimate(term, "participant_mean", found, plan.level, 0.5))
    return results


def _drawn(curve: DoseCurve, task: str, plan: Plan) -> Curve:
    tail = (1 - plan.level) / 2
    low, high = np.quantile(curve.draws, [tail, 1 - tail], axis=0)
    label = Message("preferred") if task == "prefer_pair" else Message("noticed")
    x, y = curve.levels.tolist(), curve.fitted.tolist()
    return Curve(label, x, y, low.tolist(), high.tolist(), points=False)


def _picture(curves: list[Curve], marks: list[tuple[float, Message]]) -> Curves:
    return Curves(
        "dose",
        Message("How often the enhanced side was preferred and noticed, by level"),
        Message("level of enhancement (1 = full)"),
        Message("share of responses"),
        curves,
        0.5,
        CHANCE_LABEL,
        marks=marks,
    )


def sentences(case: Case) -> list[Message]:
    """A sentence on each task; where there is one task only, another on the highest level."""
    row, is_liking = case.row, case.row.term == "level_liked_best"
    values: dict[str, object] = {"level": row.estimate, "interval": _levels(row)}
    if row.estimate is None:
        first = Message(
            "No level shown was noticed in 75% of the pairs, where 50% would be guessing."
        )
    elif is_liking:
        first = Message(
            "Within the levels shown, people liked the enhanced side best at {level:.2f} "
            "({interval}), where 0 is untouched and 1 the full enhancement.",
            values,
        )
    else:
        first = Message(
            "They noticed the enhancement in 75% of the pairs from level {level:.2f} on "
            "({interval}); guessing would give 50%.",
            values,
        )
    tasks = {each.task for each in case.rows if each.question == row.question}
    levels = case.groups("ai_choice_share" if is_liking else "accuracy", "enhancement_level")
    if len(tasks) > 1 or not levels:
        return [first]
    highest = max(levels, key=float)
    values = {
        "highest": float(highest),
        "share": levels[highest].estimate,
        "interval": interval(levels[highest], SHARE),
    }
    text = LIKED_AT if is_liking else NOTICED_AT
    return [first, Message(text, values)]


LIKED_AT = marked(
    "At the highest level shown, {highest:g}, the enhanced side was preferred in {share:.1%} of "
    "the pairs ({interval})."
)
NOTICED_AT = marked(
    "At the highest level shown, {highest:g}, the enhancement was noticed in {share:.1%} of the "
    "pairs ({interval})."
)


def _levels(row: Result) -> Message:
    if row.low is None or row.high is None or row.level is None:
        return Message("its interval reaches beyond the levels shown")
    between = Message("{low:.2f} to {high:.2f}", {"low": row.low, "high": row.high})
    return bracketed(row.level, between)
