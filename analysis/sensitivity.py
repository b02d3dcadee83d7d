"""Signal detection for the detection tasks: d-prime, criterion, area under the ROC."""

import numpy as np
import pandas as pd

from analysis import signal_detection
from analysis.factors import crossed
from analysis.mixed import fit_glmm
from analysis.plan import Plan
from analysis.proportions import mean_estimate
from analysis.resampling import Bootstrap
from analysis.results import Result, Scope
from analysis.samples import Finding, varies
from analysis.texts import Message
from analysis.trust import left_out

METHOD = "bootstrap_participants"
LEAST_PARTICIPANTS = 5  # fewer cannot be resampled with any sense


def sensitivity(scope: Scope, rows: pd.DataFrame, plan: Plan, what: Message) -> Finding:
    """d-prime and criterion as means over participants, and the AUC where confidence is there.

    In pairs the left side is what is detected, so that a preference for one side becomes the
    criterion and does not count against d-prime.
    """
    signal = signal_side(rows, scope.task)
    says = says_signal(rows, scope.task)
    table = pd.DataFrame(
        {
            "person": rows["participant_id"].astype(object),
            "hits": says & signal,
            "signals": signal,
            "false_alarms": says & ~signal,
            "noises": ~signal,
        }
    )
    counts = table.groupby("person").sum()
    counts = counts[(counts["signals"] > 0) & (counts["noises"] > 0)]
    if len(counts) < LEAST_PARTICIPANTS:
        return Finding(scope.question)
    in_pairs = scope.task == "detect_pair"
    measure = signal_detection.pairs if in_pairs else signal_detection.yes_no
    values = measure(*(counts[name].to_numpy() for name in counts))
    results = [
        _result(scope, term, _mean(value, plan), plan)
        for term, value in (("d_prime", values.d_prime), ("criterion", values.criterion))
    ]
    if in_pairs:
        results += _side_bias(scope, counts, plan)
    finding = Finding(scope.question, results + _auc(scope, rows, signal, says, plan))
    finding.add(_probit(scope, rows, signal, says, plan, what))
    return finding


def signal_side(rows: pd.DataFrame, task: str) -> pd.Series:
    """Whether the image is AI, or the AI side is the left one."""
    if task == "detect_pair":
        return rows["left_origin"] != "real"
    return rows["origin"] != "real"


def says_signal(rows: pd.DataFrame, task: str) -> pd.Series:
    """Whether the response was AI, or left."""
    return rows["response"] == ("left" if task == "detect_pair" else "ai")


def _mean(values: np.ndarray, plan: Plan) -> Bootstrap:
    rng = np.random.default_rng(plan.seed)
    return signal_detection.bootstrap_mean(values, rng, plan.resamples)


def _result(scope: Scope, term: str, found: Bootstrap, plan: Plan, null: float = 0.0) -> Result:
    interval, p = found.interval(plan.level), found.p_value(null)
    return scope.result(term, METHOD, found.value, interval, plan.level, p)


def _side_bias(scope: Scope, counts: pd.DataFrame, plan: Plan) -> list[Result]:
    """Share of left choices minus one half, as if the AI image had been left half of the time."""
    left = counts["hits"] / counts["signals"] + counts["false_alarms"] / counts["noises"]
    found = mean_estimate(left / 2 - 0.5)
    if found is None:
        return []
    return [scope.from_estimate("side_bias", "participant_mean", found, plan.level, 0.0)]


def _probit(
    scope: Scope,
    rows: pd.DataFrame,
    signal: pd.Series,
    says: pd.Series,
    plan: Plan,
    what: Message,
) -> Finding:
    """d-prime as the effect of the signal in a probit mixed model, at a typical person and item."""
    if not varies(says) or not varies(signal):
        return Finding(scope.question)
    effect = np.where(signal, 0.5, -0.5)
    fit = fit_glmm(
        says.to_numpy(float),
        np.column_stack([np.ones(len(effect)), effect]),
        crossed(rows),
        names=["intercept", "signal"],
        slopes={"participant": effect},
        link="probit",
    )
    if not fit.converged:
        return Finding(scope.question, warnings=[left_out(what, "d_prime")])
    scale = np.sqrt(0.5) if scope.task == "detect_pair" else 1.0
    found = fit.contrast([0.0, scale])
    row = scope.from_estimate("d_prime", "glmm_probit", found, plan.level, 0.0)
    return Finding(scope.question, [row])


def _auc(
    scope: Scope, rows: pd.DataFrame, signal: pd.Series, says: pd.Series, plan: Plan
) -> list[Result]:
    """How well confidence-weighted responses separate the two kinds."""
    known = rows["confidence"].notna() if "confidence" in rows else pd.Series(False, rows.index)
    if not varies(signal[known]):
        return []
    found = signal_detection.bootstrap_auc(
        signal_detection.evidence_of_ai(says[known], rows.loc[known, "confidence"]),
        signal[known],
        rows.loc[known, "participant_id"].cat.codes,
        np.random.default_rng(plan.seed),
        plan.resamples,
    )
    return [_result(scope, "auc", found, plan, 0.5)]
