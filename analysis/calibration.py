"""Do people know how well they do, and do they tend to call everything AI?"""

import numpy as np
import pandas as pd

from analysis.claims import Test
from analysis.detectability import TASKS, judged
from analysis.factors import crossed
from analysis.labels import CHANCE_LABEL, where
from analysis.mixed import PerfectFit
from analysis.pictures import Curve, Curves
from analysis.plan import Plan
from analysis.proportions import mean_estimate
from analysis.regressions import regress
from analysis.results import Result, Scope, claim_id, contrast_part, subset
from analysis.samples import Finding, Sample, too_little, varies
from analysis.signal_detection import bootstrap_auc
from analysis.summaries import POINTS, SHARE, Case, interval
from analysis.texts import Message
from analysis.trust import PERFECT, trust

QUESTION = "confidence"
BINS = np.linspace(0.5, 1.0, 6)
LEAST_IN_BIN = 10


def estimate(sample: Sample, plan: Plan) -> Finding:
    """Mean confidence, put on 0.5 (guessing) to 1 (certain), minus accuracy.

    Needs `confidence` and `correct`. Above zero is overconfidence.
    """
    finding, curves = Finding(QUESTION), []
    for task in TASKS:
        for contrast in sample.contrasts:
            rows = judged(sample.main, task, contrast)
            rows = rows[rows["confidence"].notna()] if "confidence" in rows else rows[:0]
            if rows.empty:
                continue
            claim = claim_id("calibrated", contrast, sample.contrasts)
            if any(test.claim == claim for test in finding.tests):
                claim += f":{task}"
            problem = _unfit(rows)
            if problem is not None:
                finding.tests.append(Test(claim, contrast, why_not=problem))
                continue
            scope = Scope.of(
                QUESTION, task, subset(contrast_part(contrast, sample.contrasts)), rows
            )
            try:
                finding.add(_gap(scope, rows, plan, claim, contrast))
            except PerfectFit:
                finding.tests.append(Test(claim, contrast, why_not=PERFECT))
                continue
            curves.append(_curve(rows, contrast, task, plan))
    if curves:
        finding.pictures.append(_picture(curves))
    return finding


def as_probability(confidence: pd.Series) -> pd.Series:
    """0 (guessing) to 1 (certain) as the accuracy that it claims: 0.5 to 1."""
    return 0.5 + confidence / 2


def _unfit(rows: pd.DataFrame) -> Message | None:
    gap = as_probability(rows["confidence"]) - rows["correct"]
    return too_little(rows.assign(gap=gap), "gap")


def _gap(scope: Scope, rows: pd.DataFrame, plan: Plan, claim: str, contrast: str) -> Finding:
    gap = as_probability(rows["confidence"]) - rows["correct"]
    factors = crossed(rows)
    fit = regress(gap, {"intercept": np.ones(len(gap))}, factors, binary=False)
    results: list[Result] = fit.rows(scope, "overconfidence", "intercept", plan.level)
    people = gap.groupby(rows["participant_id"], observed=True).mean()
    simple = mean_estimate(people)
    if simple is not None:
        method = "participant_mean"
        results.append(scope.from_estimate("overconfidence", method, simple, plan.level, 0.0))
    confidence = mean_estimate(rows.groupby("participant_id", observed=True)["confidence"].mean())
    if confidence is not None:
        method = "participant_mean"
        results.append(scope.from_estimate("confidence", method, confidence, plan.level))
    results += _auc(scope, rows, plan)
    trusted = trust(factors, where(contrast, scope.task), fit.mixed)
    estimate = fit.mixed.estimate("intercept")
    test = Test(claim, contrast, estimate, row=results[0], at_most_undecided=trusted.limit)
    return Finding(QUESTION, results, [test], warnings=trusted.warnings)


def _auc(scope: Scope, rows: pd.DataFrame, plan: Plan) -> list[Result]:
    """How well confidence tells right responses from wrong ones, with participants resampled."""
    if not varies(rows["correct"]):
        return []
    found = bootstrap_auc(
        rows["confidence"],
        rows["correct"] == 1,
        rows["participant_id"].cat.codes,
        np.random.default_rng(plan.seed),
        plan.resamples,
    )
    interval, p = found.interval(plan.level), found.p_value(0.5)
    method = "bootstrap_participants"
    return [scope.result("auc", method, found.value, interval, plan.level, p)]


def _curve(rows: pd.DataFrame, contrast: str, task: str, plan: Plan) -> Curve:
    """Accuracy at each step of confidence, with participants as the unit."""
    claimed = as_probability(rows["confidence"])
    steps = claimed.round(6)
    if len(steps.unique()) > len(BINS):
        steps = pd.Series(
            BINS[np.clip(np.digitize(claimed, BINS) - 1, 0, len(BINS) - 2)] + 0.05,
            index=rows.index,
        )
    x, y, low, high = [], [], [], []
    for step, part in rows.groupby(steps):
        found = mean_estimate(part.groupby("participant_id", observed=True)["correct"].mean())
        if len(part) < LEAST_IN_BIN or found is None:
            continue
        ends = found.interval(plan.level)
        x.append(float(step))
        y.append(found.value)
        low.append(max(ends[0], 0.0))
        high.append(min(ends[1], 1.0))
    return Curve(where(contrast, task), x, y, low, high)


def _picture(curves: list[Curve]) -> Curves:
    return Curves(
        "confidence",
        Message("How often people were right, by how sure they were"),
        Message("confidence, as the share of correct responses that it claims"),
        Message("correct responses"),
        [curve for curve in curves if curve.x],
        0.5,
        CHANCE_LABEL,
        diagonal=True,
    )


def sentences(case: Case) -> list[Message]:
    """How much confidence claims, and whether it tells right from wrong."""
    row, mean, auc = case.row, case.find("confidence"), case.find("auc")
    if mean is None or mean.estimate is None or row.estimate is None:
        return []
    first = Message(
        "Going by their confidence, people held {claimed:.1%} of their responses to be right; "
        "compared with how many were, that is {gap:+.1f} percentage points ({interval}), and more "
        "than 0 is too sure.",
        {
            "claimed": 0.5 + mean.estimate / 2,
            "gap": 100 * row.estimate,
            "interval": interval(row, POINTS),
        },
    )
    if auc is None:
        return [first]
    second = Message(
        "Of a right and a wrong response, the right one was the surer in {auc:.1%} of the cases, "
        "ties counting half ({interval}); at 50% confidence would tell nothing.",
        {"auc": auc.estimate, "interval": interval(auc, SHARE)},
    )
    return [first, second]
