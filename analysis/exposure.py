"""Is a preference for AI images a gut reaction, stronger the less time there is to look?"""

import numpy as np
import pandas as pd

from analysis.claims import Test
from analysis.estimate import Estimate
from analysis.factors import crossed
from analysis.labels import CHANCE_LABEL, contrast_label, where
from analysis.mixed import marginal_probability
from analysis.pictures import Curve, Curves
from analysis.plan import Plan
from analysis.preference import chosen
from analysis.proportions import Measure, mean_estimate, participant_means
from analysis.regressions import Regression, regress
from analysis.results import Result, Scope, claim_id, contrast_part, subset
from analysis.samples import Finding, Sample, too_little, varies
from analysis.summaries import SHARE, Case, in_points, interval
from analysis.texts import Message, marked
from analysis.trust import trust

QUESTION = "exposure"
TASK = "prefer_pair"
MEASURE = Measure("chose_ai", "ai_choice_share")
TERCILES = ("fast", "middle", "slow")


def estimate(sample: Sample, plan: Plan) -> Finding:
    """AI-choice share by exposure as it was randomised; the claim is about the two ends.

    Needs `chose_ai` and `exposure_ms` with at least two values. Terciles of the response time
    are described too, each participant counting once: they are no experiment.
    """
    finding, curves = Finding(QUESTION), []
    for contrast in sample.contrasts:
        rows = chosen(sample.main, contrast, "")
        finding.results += _terciles(rows, contrast_part(contrast, sample.contrasts), plan)
        timed = rows[rows["exposure_ms"].notna()] if "exposure_ms" in rows else rows[:0]
        claim = claim_id("gut_reaction", contrast, sample.contrasts)
        problem = _unfit(timed)
        if problem is None:
            part, curve = _effect(sample, plan, timed, contrast, claim)
            finding.add(part)
            curves.append(curve)
        elif len(timed):
            finding.tests.append(Test(claim, contrast, why_not=problem))
    if curves:
        finding.pictures.append(_picture(curves))
    return finding


def _unfit(rows: pd.DataFrame) -> Message | None:
    if rows.empty or not varies(rows["exposure_ms"]):
        return Message("The exposure was not varied.")
    return too_little(rows, "chose_ai")


def _effect(
    sample: Sample, plan: Plan, rows: pd.DataFrame, contrast: str, claim: str
) -> tuple[Finding, Curve]:
    """The share at each exposure, and the shortest minus the longest in log-odds."""
    part = contrast_part(contrast, sample.contrasts)
    scope = Scope.of(QUESTION, TASK, subset(part), rows)
    factors = crossed(rows)
    levels, columns, slope = design(rows["exposure_ms"])
    fit = regress(rows["chose_ai"], columns, factors, slope, binary=True)
    results = fit.rows(scope, "log_odds_difference", "shortest", plan.level)
    results[1:] = fit.rows(scope, "share_difference", "shortest", plan.level)[1:]
    shares = [_share_at(rows, level, columns, fit, slope, part, plan) for level in levels]
    trusted = trust(factors, where(contrast, TASK), fit.mixed)
    effect: Estimate = fit.mixed.estimate("shortest")
    test = Test(claim, contrast, effect, row=results[0], at_most_undecided=trusted.limit)
    finding = Finding(QUESTION, [*results, *shares], [test], warnings=trusted.warnings)
    return finding, _curve(levels, shares, contrast)


def design(
    exposure: pd.Series,
) -> tuple[list[float], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Exposures in order, a column for each but the longest, and what varies by participant.

    The slope runs from 0 at the longest exposure to 1 at the shortest, in steps of log time.
    """
    values = exposure.to_numpy(float)
    levels = sorted(set(values))
    names = ["shortest", *(f"exposure_{level:g}" for level in levels[1:-1])]
    columns = {"intercept": np.ones(len(values))}
    columns |= {
        name: (values == level).astype(float)
        for name, level in zip(names, levels[:-1], strict=True)
    }
    slope = np.log(levels[-1] / values) / np.log(levels[-1] / levels[0])
    return levels, columns, {"participant": slope}


def _share_at(
    rows: pd.DataFrame,
    level: float,
    columns: dict[str, np.ndarray],
    fit: Regression,
    slope: dict[str, np.ndarray],
    part: str,
    plan: Plan,
) -> Result:
    here = (rows["exposure_ms"] == level).to_numpy()
    first = int(np.flatnonzero(here)[0])
    point = [float(column[first]) for column in columns.values()]
    value = {name: float(column[first]) for name, column in slope.items()}
    found = marginal_probability(fit.mixed, point, value)
    scope = Scope.of(QUESTION, TASK, subset(part, f"exposure_ms={level:g}"), rows[here])
    return scope.from_estimate("ai_choice_share", "glmm", found, plan.level, 0.5)


def _terciles(rows: pd.DataFrame, part: str, plan: Plan) -> list[Result]:
    """AI-choice share in the fast, middle and slow third of each participant's responses."""
    timed = rows[rows["rt_ms"].notna()] if "rt_ms" in rows else rows[:0]
    if timed.empty:
        return []
    rank = timed.groupby("participant_id", observed=True)["rt_ms"].rank(method="first", pct=True)
    third = np.clip(np.ceil(3 * rank).astype(int), 1, 3)
    results = []
    for number, name in enumerate(TERCILES, start=1):
        chosen_rows = timed[third == number]
        found = mean_estimate(participant_means(chosen_rows, MEASURE))
        if found is not None:
            scope = Scope.of(QUESTION, TASK, subset(part, f"rt_tercile={name}"), chosen_rows)
            results.append(
                scope.from_estimate("ai_choice_share", "participant_mean", found, plan.level)
            )
    return results


def _curve(levels: list[float], shares: list[Result], contrast: str) -> Curve:
    return Curve(
        contrast_label(contrast),
        levels,
        [share.estimate or 0.0 for share in shares],
        [share.low or 0.0 for share in shares],
        [share.high or 1.0 for share in shares],
    )


def _picture(curves: list[Curve]) -> Curves:
    return Curves(
        "exposure",
        Message("How often the AI side was preferred, by exposure"),
        Message("exposure in milliseconds"),
        Message("choices of the AI or enhanced side"),
        curves,
        0.5,
        CHANCE_LABEL,
        log_x=True,
    )


def sentences(case: Case) -> list[Message]:
    """The two ends of the exposure; response times as a description only."""
    if "rt_tercile" in case.row.subset:
        return _only_described(case)
    shares = case.groups("ai_choice_share", "exposure_ms")
    shortest, longest = min(shares, key=float), max(shares, key=float)
    first = Message(
        "With {shortest:g} ms to look, people chose {other} in {first:.1%} of the pairs "
        "({first_interval}), with {longest:g} ms in {last:.1%} ({last_interval}).",
        {
            "other": case.other,
            "shortest": float(shortest),
            "longest": float(longest),
            "first": shares[shortest].estimate,
            "last": shares[longest].estimate,
            "first_interval": interval(shares[shortest], SHARE),
            "last_interval": interval(shares[longest], SHARE),
        },
    )
    thirds = case.groups("ai_choice_share", "rt_tercile")
    if {"fast", "slow"} <= set(thirds):
        text = marked(
            "In the fastest third of each person's responses it was {fast:.1%}, in the slowest "
            "{slow:.1%}; how long to take was their own choice, so that this only describes."
        )
        return [first, Message(text, {name: thirds[name].estimate for name in ("fast", "slow")})]
    difference = case.find("share_difference")
    if difference is None:
        return [first]
    text = marked("The difference is {difference:+.1f} percentage points ({interval}).")
    return [first, Message(text, in_points("difference", difference))]


def _only_described(case: Case) -> list[Message]:
    """Fast and slow responses, where no exposure was varied."""
    slow_subset = case.row.subset.replace("rt_tercile=fast", "rt_tercile=slow")
    slow = [row for row in case.rows if (row.question, row.subset) == ("exposure", slow_subset)]
    if not slow:
        return []
    first = Message(
        "In the fastest third of each person's responses people chose {other} in {fast:.1%} of the "
        "pairs, in the slowest in {slow:.1%}.",
        {"other": case.other, "fast": case.row.estimate, "slow": slow[0].estimate},
    )
    second = Message(
        "How long to look was not varied at random, so that this only describes and says nothing "
        "about what the time does."
    )
    return [first, second]
