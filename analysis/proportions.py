"""A share over crossed participants and items: the headline methods beside the naive one."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from analysis.bayes_factor import bayes_factor_01
from analysis.binomial import upper_tail, wilson_interval
from analysis.claims import Test
from analysis.clustered import clustered_regression
from analysis.estimate import Estimate
from analysis.factors import Codes, crossed
from analysis.mixed import MixedFit, fit_glmm, marginal_probability
from analysis.plan import Plan
from analysis.resampling import bootstrap_two_way
from analysis.results import Result, Scope
from analysis.samples import too_little, varies
from analysis.texts import Message, marked
from analysis.trust import trust

Dots = tuple[Message, list[float]]
NO_EFFECT = 0.5
NO_SPREAD = 1e-9  # a standard error below is rounding
CLUSTERED = {
    1: "cluster_robust",
    2: "cluster_robust_two_way",
    3: "cluster_robust_three_way",
}


@dataclass(frozen=True, slots=True)
class Measure:
    """What is averaged: a column of 0 and 1, and the term that its share is.

    With `measure.by`, the two levels of that column count alike, whatever their numbers.
    """

    outcome: str
    term: str
    by: str | None = None


@dataclass(frozen=True)
class Share:
    """A share by every method.

    `headline` is the row that a verdict rests on and `estimate` what it was made from; both are
    None where the model cannot be fitted, and `limit` says why. `limit` also says why a verdict
    may not go beyond undecided.
    """

    results: list[Result]
    headline: Result | None = None
    estimate: Estimate | None = None
    limit: Message | None = None
    warnings: list[Message] = field(default_factory=list)


def share(rows: pd.DataFrame, measure: Measure, scope: Scope, plan: Plan, label: Message) -> Share:
    """The share of rows with an outcome of 1, as a population average.

    Parameters
    ----------
    rows : DataFrame
        Needs `participant_id`, `task`, `item` and the outcome's column, nothing missing there.
    label : Message
        What warnings call it.
    """
    factors = crossed(rows)
    simple = [
        *_participant_mean(rows, measure, scope, plan),
        naive(scope, measure.term, rows[measure.outcome], plan.level),
    ]
    problem = _unfit(rows, measure)
    if problem is not None:
        return Share(simple, limit=problem)
    plain, fit, estimate = _fit(rows, measure, factors)
    headline = scope.from_estimate(measure.term, "glmm", estimate, plan.level, NO_EFFECT)
    robust = clustered(rows, measure, factors, scope, plan)
    results = [headline, *robust, *simple, *_model_rows(scope, plain, plan)]
    trusted = trust(factors, label, plain, fit)
    return Share(results, headline, estimate, trusted.limit, trusted.warnings)


def share_test(claim: str, contrast: str, found: Share) -> Test:
    """What a verdict on the share is made from."""
    if found.estimate is None or found.headline is None:
        return Test(claim, contrast, why_not=found.limit)
    return Test(claim, contrast, found.estimate, row=found.headline, at_most_undecided=found.limit)


def _unfit(rows: pd.DataFrame, measure: Measure) -> Message | None:
    """Why no mixed model can be fitted, if so."""
    if (problem := too_little(rows, measure.outcome)) is not None:
        return problem
    if measure.by is not None and not varies(rows[measure.by]):
        return Message("Only one kind of image was shown, so responses cannot be told from bias.")
    return None


def _fit(
    rows: pd.DataFrame, measure: Measure, factors: dict[str, Codes]
) -> tuple[MixedFit, MixedFit, Estimate]:
    """The intercept-only model, and the probability averaged over participants and items.

    With `measure.by`, the probability comes from a second model with its effect, which varies
    between the participants; the intercept-only model stands beside it.
    """
    y = rows[measure.outcome].to_numpy(float)
    plain = fit_glmm(y, np.ones((len(y), 1)), factors, names=["intercept"])
    if measure.by is None:
        return plain, plain, marginal_probability(plain, [1.0])
    fit, places, slopes = balanced(rows, measure, factors)
    return plain, fit, marginal_probability(fit, places, slopes)


def balanced(
    rows: pd.DataFrame, measure: Measure, factors: dict[str, Codes]
) -> tuple[MixedFit, list[list[float]], dict[str, list[float]]]:
    """The model with the effect of `measure.by` (real -1/2, else +1/2), and both places in it."""
    effect = _halves(rows, measure)
    design = np.column_stack([np.ones(len(effect)), effect])
    fit = fit_glmm(
        rows[measure.outcome].to_numpy(float),
        design,
        factors,
        names=["intercept", "origin"],
        slopes={"participant": effect},
    )
    return fit, [[1.0, -0.5], [1.0, 0.5]], {"participant": [-0.5, 0.5]}


def _halves(rows: pd.DataFrame, measure: Measure) -> np.ndarray:
    return np.where(rows[measure.by] == "real", -0.5, 0.5)


def clustered(
    rows: pd.DataFrame, measure: Measure, factors: dict[str, Codes], scope: Scope, plan: Plan
) -> list[Result]:
    """The share by sums over clusters: robust variance, bootstrap, and what follows from them."""
    y = rows[measure.outcome].to_numpy(float)
    estimate = robust_share(rows, measure, factors)
    method = CLUSTERED[len(factors)]
    results = [scope.from_estimate(measure.term, method, estimate, plan.level, NO_EFFECT)]
    if len(factors) == 2:
        halves = _halves(rows, measure) if measure.by else np.ones(len(y))
        parts = [halves < 0, halves > 0] if measure.by else [halves > 0]
        results.append(_bootstrap(y, parts, factors, scope, measure.term, plan))
    if estimate.se > NO_SPREAD:
        bayes = bayes_factor_01(estimate, plan.prior_scale, NO_EFFECT)
        results.append(scope.result("bayes_factor_01", method, bayes.bf01))
        effect = estimate.se**2 * len(y) / max(y.mean() * (1 - y.mean()), 1e-12)
        results.append(scope.result("design_effect", method, effect))
    return results


def robust_share(rows: pd.DataFrame, measure: Measure, factors: dict[str, Codes]) -> Estimate:
    """The share with its cluster-robust standard error; with `measure.by` the mean of both."""
    columns = [np.ones(len(rows))]
    if measure.by is not None:
        columns.append(_halves(rows, measure))
    y = rows[measure.outcome].to_numpy(float)
    return clustered_regression(y, np.column_stack(columns), factors).estimate("x0")


def modelled_share(
    rows: pd.DataFrame, measure: Measure, factors: dict[str, Codes]
) -> Estimate | None:
    """The share by the mixed model, averaged over the population; None where it has no maximum."""
    if measure.by is not None:
        fit, places, slopes = balanced(rows, measure, factors)
        return marginal_probability(fit, places, slopes) if fit.converged else None
    y = rows[measure.outcome].to_numpy(float)
    fit = fit_glmm(y, np.ones((len(y), 1)), factors)
    return marginal_probability(fit, [1.0]) if fit.converged else None


def _bootstrap(
    y: np.ndarray,
    parts: list[np.ndarray],
    factors: dict[str, Codes],
    scope: Scope,
    term: str,
    plan: Plan,
) -> Result:
    """The mean of the parts' shares."""
    sums = np.column_stack([column for part in parts for column in (y * part, part)])

    def mean_share(totals: np.ndarray) -> np.ndarray:
        shares: np.ndarray = (totals[:, ::2] / totals[:, 1::2]).mean(axis=1)
        return shares

    found = bootstrap_two_way(
        sums,
        factors["participant"],
        factors["item"],
        mean_share,
        np.random.default_rng(plan.seed),
        plan.resamples,
    )
    interval, p = found.interval(plan.level), found.p_value(NO_EFFECT)
    return scope.result(term, "bootstrap_two_way", found.value, interval, plan.level, p)


def _model_rows(scope: Scope, fit: MixedFit, plan: Plan) -> list[Result]:
    """What the intercept-only model says beside the probability."""
    intercept = fit.estimate("intercept")
    rows = [scope.from_estimate("log_odds", "glmm", intercept, plan.level, 0.0)]
    rows += [scope.result(f"sd_{name}", "glmm", sd) for name, sd in fit.sd.items()]
    return [*rows, scope.result("log_likelihood", "glmm", fit.log_likelihood)]


def naive(scope: Scope, term: str, outcome: pd.Series, level: float) -> Result:
    """Wilson's interval, as if all responses were independent. For comparison only."""
    successes, n = int(outcome.sum()), len(outcome)
    tails = upper_tail(successes, n), upper_tail(n - successes, n)
    interval = wilson_interval(successes, n, level)
    return scope.result(term, "wilson", successes / n, interval, level, min(1.0, 2 * min(tails)))


def _participant_mean(
    rows: pd.DataFrame, measure: Measure, scope: Scope, plan: Plan
) -> list[Result]:
    estimate = mean_estimate(participant_means(rows, measure))
    if estimate is None:
        return []
    return [scope.from_estimate(measure.term, "participant_mean", estimate, plan.level, NO_EFFECT)]


def participant_means(rows: pd.DataFrame, measure: Measure) -> pd.Series:
    """One value a participant; with `measure.by` only for those who saw both of its levels."""
    if measure.by is None:
        return rows.groupby("participant_id", observed=True)[measure.outcome].mean()
    means = rows.groupby(["participant_id", measure.by], observed=True)[measure.outcome].mean()
    by_person = means.groupby("participant_id", observed=True)
    return by_person.mean()[by_person.size() == rows[measure.by].nunique()]


def spread(rows: pd.DataFrame, measure: Measure, label: Message) -> list[Dots]:
    """The shares of single participants and items, for a picture."""
    items = rows.groupby("item", observed=True)[measure.outcome].mean()
    found = {
        marked("participants"): participant_means(rows, measure),
        marked("pairs or images"): items,
    }
    return [
        (Message("{label}, {what}", {"label": label, "what": Message(what)}), values.tolist())
        for what, values in found.items()
        if len(values)
    ]


def mean_estimate(values: pd.Series) -> Estimate | None:
    """Mean with a t interval on n - 1 degrees of freedom; None below two values."""
    if len(values) < 2:
        return None
    se = float(values.std(ddof=1) / np.sqrt(len(values)))
    return Estimate(float(values.mean()), se, len(values) - 1)
