"""What does it do to an image to be called AI?"""

import numpy as np
import pandas as pd

from analysis.appeal import appeal_scale, rated
from analysis.claims import Test
from analysis.factors import crossed
from analysis.labels import NO_EFFECT_LABEL, where
from analysis.mixed import PerfectFit
from analysis.pictures import Forest, Line
from analysis.plan import Plan
from analysis.preference import chosen
from analysis.regressions import regress
from analysis.results import Result, Scope, claim_id, contrast_part, subset
from analysis.samples import Finding, Sample, too_little, varies
from analysis.summaries import NUMBER, Case, in_points, interval
from analysis.texts import Message
from analysis.trust import PERFECT, trust

QUESTION = "disclosure"
UNITS = {"prefer_pair": Message("log-odds"), "rate_single": Message("standard deviations")}


def estimate(sample: Sample, plan: Plan) -> Finding:
    """AI label minus photograph label, on images of the same origin, varying by participant.

    Needs `disclosure` with true and with false labels. In pairs it is the change in log-odds of
    choosing an image; in ratings the change in standard deviations.
    """
    finding, lines = Finding(QUESTION), []
    for contrast in sample.contrasts:
        for task, rows in _labelled(sample.main, contrast).items():
            claim = claim_id("disclosure_effect", contrast, sample.contrasts)
            if any(test.claim == claim for test in finding.tests):
                claim += f":{task}"
            if (problem := _unfit(rows, task)) is not None:
                finding.tests.append(Test(claim, contrast, why_not=problem))
                continue
            part = contrast_part(contrast, sample.contrasts)
            scope = Scope.of(QUESTION, task, subset(part), rows)
            try:
                found = _effect(scope, rows, plan, contrast, claim)
            except PerfectFit:
                finding.tests.append(Test(claim, contrast, why_not=PERFECT))
                continue
            finding.add(found)
            lines.append(Line(where(contrast, task), found.results[0], strong=True))
    if lines:
        finding.pictures.append(_picture(lines))
    return finding


def _labelled(trials: pd.DataFrame, contrast: str) -> dict[str, pd.DataFrame]:
    """The rows that carry labels, of each task that has any."""
    if "disclosure" not in trials:
        return {}
    found = {"prefer_pair": chosen(trials, contrast, "")}
    if (scale := appeal_scale(trials)) is not None:
        found["rate_single"] = rated(trials, contrast, scale)
    with_labels = {
        task: rows[rows["disclosure"].isin(["true_labels", "false_labels"])]
        for task, rows in found.items()
    }
    return {task: rows for task, rows in with_labels.items() if len(rows)}


def called_ai(rows: pd.DataFrame, task: str) -> np.ndarray:
    """1/2 where the label says AI, -1/2 where it says photograph.

    In a pair it is the label of the side that is not real, and the other side has the other
    one: the difference between the sides changes by twice a label's effect.
    """
    true_label = (rows["disclosure"] == "true_labels").to_numpy()
    if task == "prefer_pair":
        return np.where(true_label, 1.0, -1.0)
    not_real = (rows["origin"] != "real").to_numpy()
    return np.where(true_label == not_real, 0.5, -0.5)


def _unfit(rows: pd.DataFrame, task: str) -> Message | None:
    """Why a label's effect cannot be modelled, if so."""
    if not varies(rows["disclosure"]):
        return Message(
            "It needs both labels on images of the same origin: true ones and false ones."
        )
    if task == "prefer_pair":
        return too_little(rows, "chose_ai")
    alike = rows.groupby(["origin", "disclosure"], observed=True)
    if not any(varies(part["rating"]) for _, part in alike):
        return Message("Every image of a kind has the same rating, so chance cannot be modelled.")
    return too_little(rows, "rating")


def _effect(scope: Scope, rows: pd.DataFrame, plan: Plan, contrast: str, claim: str) -> Finding:
    label, binary = called_ai(rows, scope.task), scope.task == "prefer_pair"
    columns = {"intercept": np.ones(len(rows)), "label": label}
    outcome = rows["chose_ai"] if binary else rows["rating"] / rows["rating"].std()
    if not binary:
        columns["origin"] = np.where(rows["origin"] == "real", -0.5, 0.5)
    factors = crossed(rows)
    fit = regress(outcome, columns, factors, {"participant": label}, binary=binary)
    results: list[Result] = fit.rows(scope, "label_effect", "label", plan.level)
    if binary:  # the cluster-robust fit is on the scale of shares
        results[1:] = fit.rows(scope, "label_effect_on_share", "label", plan.level)[1:]
    spread = fit.mixed.sd["participant:slope"]
    results.append(scope.result("sd_label_effect", fit.methods[0], spread))
    trusted = trust(factors, where(contrast, scope.task), fit.mixed)
    test = Test(
        claim,
        contrast,
        fit.mixed.estimate("label"),
        row=results[0],
        unit=UNITS[scope.task],
        at_most_undecided=trusted.limit,
    )
    return Finding(QUESTION, results, [test], warnings=trusted.warnings)


def _picture(lines: list[Line]) -> Forest:
    return Forest(
        "disclosure",
        Message("What the label AI changes, against the label photograph"),
        Message("log-odds (pairs) or standard deviations (ratings)"),
        lines,
        0.0,
        NO_EFFECT_LABEL,
        percent=False,
    )


def sentences(case: Case) -> list[Message]:
    """A label's effect, and how much people differ in it."""
    row, on_share = case.row, case.find("label_effect_on_share")
    if row.task == "prefer_pair" and on_share is not None:
        first = Message(
            "The label AI in place of the label photograph changed how often an image was chosen "
            "by {difference:+.1f} percentage points ({interval}).",
            in_points("difference", on_share),
        )
    else:
        first = Message(
            "The label AI in place of the label photograph changed the rating of an image by "
            "{estimate:+.2f} standard deviations ({interval}).",
            {"estimate": row.estimate, "interval": interval(row, NUMBER)},
        )
    spread = case.find("sd_label_effect")
    if spread is None or not spread.estimate:
        second = Message(
            "Images of the same kind are compared under both labels, so that the words count and "
            "not the images; no differences between people in this beyond chance were found."
        )
    else:
        in_pairs, on_scale = Message("in log-odds"), Message("on the same scale")
        unit = in_pairs if row.task == "prefer_pair" else on_scale
        second = Message(
            "Images of the same kind are compared under both labels, so that the words count and "
            "not the images; between people the effect varies with a standard deviation of "
            "{spread:.2f} ({unit}).",
            {"spread": spread.estimate, "unit": unit},
        )
    return [first, second]
