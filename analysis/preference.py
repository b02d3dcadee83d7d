"""Which do people like more, the photograph or the AI image?"""

import pandas as pd

from analysis.agreement import by_recognition, with_ratings
from analysis.labels import CHANCE_LABEL, contrast_label, where
from analysis.pictures import Forest, Line, Spread
from analysis.plan import Plan
from analysis.proportions import Dots, Measure, share, share_test, spread
from analysis.repeats import consistency
from analysis.results import Result, Scope, claim_id, contrast_part, of_contrast, subset
from analysis.samples import Finding, Sample, of_task
from analysis.subgroups import by_group
from analysis.texts import Message

QUESTION = "preference"
TASK = "prefer_pair"
NO_PREFERENCE = 0.5
LIKING = ("", "liking")
MEASURE = Measure("chose_ai", "ai_choice_share")


def estimate(sample: Sample, plan: Plan) -> Finding:
    """Share of choices of the side that is not real, for each contrast and comparison.

    Needs `participant_id`, `task`, `chose_ai`, `contrast`. Ties are left out of the share.
    """
    finding, lines, spreads = Finding(QUESTION), [], []
    for contrast in sample.contrasts:
        for asked in questions(sample.main, contrast):
            rows = chosen(sample.main, contrast, asked)
            part = contrast_part(contrast, sample.contrasts)
            other = "" if asked in LIKING else f"question={asked}"
            scope = Scope.of(QUESTION, TASK, subset(part, other), rows)
            label = _label(contrast, asked)
            found = share(rows, MEASURE, scope, plan, where(contrast, TASK))
            finding.results += found.results
            finding.warnings += found.warnings
            finding.results += _details(sample, rows, scope, contrast, part, asked, plan)
            if not other:
                claim = claim_id("prefers_ai", contrast, sample.contrasts)
                finding.tests.append(share_test(claim, contrast, found))
                spreads += spread(rows, MEASURE, label)
            if found.headline is not None:
                lines.append(Line(label, found.headline, strong=not other))
    finding.results += consistency(QUESTION, sample.kept.trials, TASK, plan)
    if lines:
        finding.pictures += _pictures(lines, spreads)
    return finding


def _details(
    sample: Sample,
    rows: pd.DataFrame,
    scope: Scope,
    contrast: str,
    part: str,
    asked: str,
    plan: Plan,
) -> list[Result]:
    """What goes together with liking; nothing for other comparisons."""
    if asked not in LIKING:
        return []
    ratings = of_contrast(of_task(sample.main, ["rate_single"]), contrast)
    if "question" in ratings:
        ratings = ratings[ratings["question"].isna() | (ratings["question"] == "appeal")]
    judgements = of_contrast(of_task(sample.main, ["detect_pair"]), contrast)
    judgements = judgements[judgements["correct"].notna()]
    return [
        *with_ratings(scope, rows, ratings[ratings["rating"].notna()], plan),
        *by_recognition(scope, rows, judgements, part, plan),
        *by_group(scope, rows, MEASURE, part, plan),
    ]


def questions(trials: pd.DataFrame, contrast: str) -> list[str]:
    """The comparisons asked for in this contrast, liking ("") first."""
    rows = chosen(trials, contrast, None)
    if "question" not in rows:
        return [""] if len(rows) else []
    found = rows["question"].astype(object).fillna("").unique()
    return sorted({"" if name in LIKING else str(name) for name in found})


def chosen(trials: pd.DataFrame, contrast: str, asked: str | None) -> pd.DataFrame:
    """The choices between a real and another side, of one comparison or (None) of all."""
    rows = of_contrast(of_task(trials, [TASK]), contrast)
    rows = rows[rows["chose_ai"].notna()]
    if asked is None or "question" not in rows:
        return rows
    names = rows["question"].astype(object).fillna("")
    return rows[names.isin(LIKING) if asked in LIKING else names == asked]


def _label(contrast: str, asked: str) -> Message:
    if asked in LIKING:
        return contrast_label(contrast)
    return Message("{contrast}, {asked}", {"contrast": contrast_label(contrast), "asked": asked})


def _pictures(lines: list[Line], spreads: list[Dots]) -> list[Forest | Spread]:
    title = Message("How often the side that is not a photograph was preferred")
    axis = Message("choices of the AI or enhanced side")
    each = Message("How single participants and images lie around it")
    return [
        Forest("preference", title, axis, lines, NO_PREFERENCE, CHANCE_LABEL),
        Spread("preference_spread", each, axis, spreads, NO_PREFERENCE, CHANCE_LABEL),
    ]
