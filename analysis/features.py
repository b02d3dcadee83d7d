"""Which measurable features go together with what is liked?"""

import numpy as np
import pandas as pd
from scipy.special import expit

from analysis.between import BetweenItems
from analysis.claims import Test
from analysis.factors import crossed
from analysis.labels import FEATURES, NO_EFFECT_LABEL, contrast_label, where
from analysis.mixed import marginal_probability
from analysis.pictures import Forest, Line
from analysis.plan import Plan
from analysis.preference import chosen
from analysis.regressions import regress
from analysis.results import Scope, claim_id, contrast_part, subset
from analysis.samples import Finding, Sample, too_little
from analysis.sentences import span
from analysis.summaries import SHARE, Case, bracketed, interval
from analysis.texts import Message, marked
from analysis.trust import trust

QUESTION = "features"
TASK = "prefer_pair"
SPARE_PAIRS = 10  # pairs beyond the number of features that a joint test needs at least


def estimate(sample: Sample, plan: Plan) -> Finding:
    """Differences in features within pairs as predictors of the choice.

    Needs the stimuli table of an exported data set with its features. The coefficient of a
    feature is the change in log-odds for a difference of one standard deviation between pairs.
    The share of AI choices at no difference in any feature says how much of a preference is not
    carried by them; that is a description and no causal mediation.
    """
    finding, lines = Finding(QUESTION), []
    for contrast in sample.contrasts:
        rows = chosen(sample.main, contrast, "")
        if rows.empty:
            continue
        claim = claim_id("beauty_features", contrast, sample.contrasts)
        differences = feature_differences(rows, sample.stimuli)
        problem = _unfit(rows, differences)
        if problem is not None:
            finding.tests.append(Test(claim, contrast, why_not=problem))
            continue
        part = contrast_part(contrast, sample.contrasts)
        found, drawn = _effects(rows, differences, part, contrast, claim, plan)
        finding.add(found)
        lines += drawn
    if lines:
        finding.pictures.append(_picture(lines))
    return finding


def feature_differences(rows: pd.DataFrame, stimuli: pd.DataFrame | None) -> pd.DataFrame:
    """For each row the side that is not real minus the real one; empty without features."""
    if stimuli is None or "left_stimulus_id" not in rows:
        return pd.DataFrame(index=rows.index)
    names = [name for name in FEATURES if name in stimuli]
    table = stimuli.drop_duplicates("stimulus_id").set_index("stimulus_id")[names]
    table = table.apply(pd.to_numeric, errors="coerce")
    left = table.reindex(rows["left_stimulus_id"].astype(object)).to_numpy(float)
    right = table.reindex(rows["right_stimulus_id"].astype(object)).to_numpy(float)
    sign = np.where(rows["right_origin"] == "real", 1.0, -1.0)[:, None]
    found = pd.DataFrame(sign * (left - right), index=rows.index, columns=names)
    known = found.columns[found.notna().all() & (found.std() > 0)]
    return found[known]


def _unfit(rows: pd.DataFrame, differences: pd.DataFrame) -> Message | None:
    if differences.empty or not len(differences.columns):
        return Message("No features of the images came with the data.")
    if (problem := too_little(rows, "chose_ai")) is not None:
        return problem
    pairs, wanted = rows["item"].nunique(), len(differences.columns) + SPARE_PAIRS
    if pairs < wanted:
        values = {"pairs": pairs, "wanted": wanted, "features": len(differences.columns)}
        text = marked("{features} features need at least {wanted} pairs; there are {pairs}.")
        return Message(text, values)
    if np.linalg.matrix_rank(differences.to_numpy()) < len(differences.columns):
        return Message("The features of the images depend on each other.")
    return None


def _effects(
    rows: pd.DataFrame,
    differences: pd.DataFrame,
    part: str,
    contrast: str,
    claim: str,
    plan: Plan,
) -> tuple[Finding, list[Line]]:
    spread = differences.groupby(rows["item"].astype(object)).first().std()
    scaled = differences / spread
    columns = {"intercept": np.ones(len(rows)), **{str(n): scaled[n].to_numpy() for n in scaled}}
    factors, names = crossed(rows), list(differences.columns)
    fit = regress(rows["chose_ai"], columns, factors, binary=True).mixed
    between = BetweenItems.of(fit, factors)
    scope = Scope.of(QUESTION, TASK, subset(part), rows)
    p = between.joint_test(names)
    joint = scope.result("joint_test", "glmm", None, p=p)
    level = plan.level
    effects = [
        scope.from_estimate(name, "glmm", between.effect(name), level, 0.0) for name in names
    ]
    without = between.corrected(marginal_probability(fit, [1.0] + [0.0] * len(names)))
    adjusted = scope.from_estimate("ai_choice_share_without", "glmm", without, level, 0.5)
    trusted = trust(factors, where(contrast, TASK), fit)
    test = Test(
        claim, contrast, p_joint=1.0 if p is None else p, row=joint, at_most_undecided=trusted.limit
    )
    lines = [Line(_label(row.term, contrast, part), row) for row in effects]
    return Finding(QUESTION, [joint, *effects, adjusted], [test], warnings=trusted.warnings), lines


def _label(feature: str, contrast: str, part: str) -> Message:
    name = Message(FEATURES[feature])
    if not part:
        return name
    values = {"feature": name, "contrast": contrast_label(contrast)}
    return Message("{feature} ({contrast})", values)


def _picture(lines: list[Line]) -> Forest:
    return Forest(
        "features",
        Message("What goes together with choosing the AI side, all features at once"),
        Message("log-odds for one standard deviation more"),
        lines,
        0.0,
        NO_EFFECT_LABEL,
        percent=False,
    )


def sentences(case: Case) -> list[Message]:
    """The feature that counts most, and what is left without all of them. No causal mediation."""
    effects = [found for name in FEATURES if (found := case.find(name, "glmm"))]
    without = case.find("ai_choice_share_without")
    share = case.find("ai_choice_share", "glmm", question="preference")
    if not effects or without is None or share is None:
        return []
    strongest = max(effects, key=lambda row: abs(row.estimate or 0.0))
    ends = [expit(end) for end in (strongest.low, strongest.high) if end is not None]
    shifted = bracketed(case.plan.level, span(SHARE, *ends)) if len(ends) == 2 else None
    first = Message(
        "Of the measured features ({count} in all), {feature} goes most closely with the choice: "
        "where the AI side has one standard deviation more of it and all else is alike, an even "
        "chance of being chosen becomes {shifted:.1%} ({interval}).",
        {
            "count": len(effects),
            "feature": Message(FEATURES[strongest.term]),
            "shifted": expit(strongest.estimate or 0.0),
            "interval": shifted or Message("no interval"),
        },
    )
    second = Message(
        "Were both sides alike in all of these features, {other} would be expected in "
        "{without:.1%} of the choices ({interval}), against {share:.1%} as they are; this "
        "describes what goes together and does not show that the features are the cause.",
        {
            "other": case.other,
            "without": without.estimate,
            "interval": interval(without, SHARE),
            "share": share.estimate,
        },
    )
    return [first, second]
