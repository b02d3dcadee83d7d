"""Which do people find more appealing, when they rate one image at a time?"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.claims import Test
from analysis.estimate import Estimate
from analysis.factors import Codes, crossed, numbered
from analysis.labels import NO_EFFECT_LABEL, contrast_label, where
from analysis.mixed import PerfectFit
from analysis.pictures import Forest, Line
from analysis.plan import Plan
from analysis.proportions import mean_estimate
from analysis.regressions import Regression, regress
from analysis.results import Result, Scope, claim_id, contrast_part, of_contrast, subset
from analysis.samples import Finding, Sample, of_task, too_little, varies
from analysis.summaries import NUMBER, Case, interval
from analysis.texts import Message
from analysis.trust import PERFECT, trust

QUESTION = "appeal"
TASK = "rate_single"
APPEAL = ("", "appeal")


def estimate(sample: Sample, plan: Plan) -> Finding:
    """Rating of AI minus real for each contrast and scale; the claim is about appeal.

    Needs `participant_id`, `rating`, `origin`, `contrast`; with `pair_id` the difference is
    taken within the pairs. `rating_difference` is in points of the scale,
    `rating_difference_sd` in standard deviations of all ratings analysed.
    """
    finding, lines = Finding(QUESTION), []
    for contrast in sample.contrasts:
        for scale in scales(sample.main):
            rows = rated(sample.main, contrast, scale)
            problem = _unfit(rows)
            is_appeal = scale == appeal_scale(sample.main)
            claim = claim_id("more_appealing", contrast, sample.contrasts)
            if problem is not None:
                if is_appeal and len(rows):
                    finding.tests.append(Test(claim, contrast, why_not=problem))
                continue
            part = contrast_part(contrast, sample.contrasts)
            other = "" if is_appeal else f"question={scale}"
            scope = Scope.of(QUESTION, TASK, subset(part, other), rows)
            try:
                found = difference(rows, scope, plan, where(contrast, TASK))
            except PerfectFit:
                if is_appeal:
                    finding.tests.append(Test(claim, contrast, why_not=PERFECT))
                continue
            finding.add(found.finding)
            lines.append(Line(_label(contrast, scale, is_appeal), found.headline, is_appeal))
            if is_appeal:
                finding.tests.append(found.test(claim, contrast))
    if lines:
        finding.pictures.append(_picture(lines))
    return finding


@dataclass(frozen=True)
class Difference:
    """The difference by every method; `headline` and `estimate` are in standard deviations."""

    finding: Finding
    headline: Result
    estimate: Estimate
    limit: Message | None

    def test(self, claim: str, contrast: str) -> Test:
        """What a verdict on the difference is made from."""
        row, limit = self.headline, self.limit
        return Test(claim, contrast, self.estimate, row=row, at_most_undecided=limit)


def scales(trials: pd.DataFrame) -> list[str]:
    """The scales that were rated on, the unnamed one as ""."""
    rows = of_task(trials, [TASK])
    if "question" not in rows:
        return [""] if len(rows) else []
    return sorted(str(name) for name in rows["question"].astype(object).fillna("").unique())


def appeal_scale(trials: pd.DataFrame) -> str | None:
    """The scale that the claim is about: appeal, or the only one."""
    names = scales(trials)
    named = [name for name in names if name in APPEAL] or (names if len(names) == 1 else [])
    return named[0] if named else None


def rated(trials: pd.DataFrame, contrast: str, scale: str) -> pd.DataFrame:
    """The ratings of one contrast on one scale."""
    rows = of_contrast(of_task(trials, [TASK]), contrast)
    rows = rows[rows["rating"].notna()]
    if "question" not in rows:
        return rows
    return rows[rows["question"].astype(object).fillna("") == scale]


def difference(rows: pd.DataFrame, scope: Scope, plan: Plan, label: Message) -> Difference:
    """AI minus real, in points and in standard deviations."""
    factors, slopes, effect = design(rows)
    columns = {"intercept": np.ones(len(rows)), "origin": effect}
    fit = regress(rows["rating"], columns, factors, slopes, binary=False)
    sd = float(rows["rating"].std())
    standardised = [
        _scaled(estimate, sd) for estimate in (fit.mixed.estimate("origin"), _robust(fit))
    ]
    rows_sd = [
        scope.from_estimate("rating_difference_sd", method, value, plan.level, 0.0)
        for value, method in zip(standardised, fit.methods, strict=True)
    ]
    results = [
        *rows_sd,
        *fit.rows(scope, "rating_difference", "origin", plan.level),
        *_participant_mean(rows, scope, plan),
        scope.result("sd_rating", "descriptive", sd),
        scope.result("log_likelihood", "lmm", fit.mixed.log_likelihood),
    ]
    trusted = trust(factors, label, fit.mixed)
    finding = Finding(QUESTION, results=results, warnings=trusted.warnings)
    return Difference(finding, rows_sd[0], standardised[0], trusted.limit)


def design(
    rows: pd.DataFrame,
) -> tuple[dict[str, Codes], dict[str, np.ndarray], np.ndarray]:
    """Factors, what varies between their levels, and the origin (real -1/2, else +1/2).

    Where every rating belongs to a matched pair, the pair is the item and the difference varies
    between pairs; else the stimulus is.
    """
    effect = np.where(rows["origin"] == "real", -0.5, 0.5)
    if "pair_id" in rows and rows["pair_id"].notna().all() and len(rows["pair_id"].unique()) > 1:
        both = ("participant", "pair")
        names = ("participant_id", "pair_id")
        factors = {key: numbered(rows[name]) for key, name in zip(both, names, strict=True)}
        return factors, dict.fromkeys(both, effect), effect
    return crossed(rows), {"participant": effect}, effect


def _unfit(rows: pd.DataFrame) -> Message | None:
    if rows.empty or rows["origin"].nunique() < 2:
        return Message("Only one kind of image was rated, so there is nothing to compare.")
    if (problem := too_little(rows, "rating")) is not None:
        return problem
    if not any(varies(part["rating"]) for _, part in rows.groupby("origin", observed=True)):
        return Message("Every image of a kind has the same rating, so chance cannot be modelled.")
    return None


def _robust(fit: Regression) -> Estimate:
    return fit.robust.estimate("origin")


def _scaled(estimate: Estimate, sd: float) -> Estimate:
    return Estimate(estimate.value / sd, estimate.se / sd, estimate.df)


def _participant_mean(rows: pd.DataFrame, scope: Scope, plan: Plan) -> list[Result]:
    """Each participant's difference counts once."""
    real = rows["origin"] == "real"
    people = [
        part.groupby("participant_id", observed=True)["rating"].mean()
        for part in (rows[~real], rows[real])
    ]
    estimate = mean_estimate((people[0] - people[1]).dropna())
    if estimate is None:
        return []
    term, method = "rating_difference", "participant_mean"
    return [scope.from_estimate(term, method, estimate, plan.level, 0.0)]


def _label(contrast: str, scale: str, is_appeal: bool) -> Message:
    if is_appeal:
        return contrast_label(contrast)
    return Message("{contrast}, {asked}", {"contrast": contrast_label(contrast), "asked": scale})


def _picture(lines: list[Line]) -> Forest:
    return Forest(
        "appeal",
        Message("How much higher AI images were rated than photographs"),
        Message("difference in standard deviations"),
        lines,
        0.0,
        NO_EFFECT_LABEL,
        percent=False,
    )


def sentences(case: Case) -> list[Message]:
    """The difference in points, and in standard deviations."""
    points = case.find("rating_difference", "lmm")
    if points is None:
        return []
    first = Message(
        "Rated one at a time, {other} got {points:+.2f} points compared with the photographs "
        "({interval}); no difference would be 0.",
        {"other": case.other, "points": points.estimate, "interval": interval(points, NUMBER)},
    )
    smallest = case.plan.smallest_effect("more_appealing", case.contrast)
    second = Message(
        "That is {estimate:+.2f} standard deviations of the ratings; what matters was set to begin "
        "at {smallest:.2f}.",
        {"estimate": case.row.estimate, "smallest": smallest},
    )
    return [first, second]
