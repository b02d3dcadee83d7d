"""Which do people like more, the photograph or the AI image?"""

import pandas as pd

from analysis.agreement import by_recognition, with_ratings
from analysis.labels import CHANCE_LABEL, contrast_label, where
from analysis.pictures import Forest, Line, Spread
from analysis.plan import Plan
from analysis.proportions import Dots, Measure, share, share_test, spread
from analysis.repeats import consistency
from analysis.results import Scope, claim_id, contrast_part, of_contrast, subset
from analysis.samples import Finding, Sample, of_task
from analysis.subgroups import by_group
from analysis.summaries import SHARE, Case, interval
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
            finding.add(_details(sample, rows, scope, contrast, part, asked, plan))
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
) -> Finding:
    """What goes together with liking; nothing for other comparisons."""
    if asked not in LIKING or not sample.details:
        return Finding(QUESTION)
    ratings = of_contrast(of_task(sample.main, ["rate_single"]), contrast)
    if "question" in ratings:
        ratings = ratings[ratings["question"].isna() | (ratings["question"] == "appeal")]
    judgements = of_contrast(of_task(sample.main, ["detect_pair"]), contrast)
    judgements = judgements[judgements["correct"].notna()]
    finding = by_group(scope, rows, MEASURE, part, plan, where(contrast, TASK))
    finding.results += with_ratings(scope, rows, ratings[ratings["rating"].notna()], plan)
    finding.results += by_recognition(scope, rows, judgements, part, plan)
    return finding


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


def sentences(case: Case) -> list[Message]:
    """How often the other side was liked more, and what stands beside it."""
    row = case.row
    first = Message(
        "Asked which they like more, people chose {other} over the photographs in {estimate:.1%} "
        "of the pairs ({interval}); without any preference it would be 50%.",
        {"other": case.other, "estimate": row.estimate, "interval": interval(row, SHARE)},
    )
    return [first, *_beside_preference(case)[:1]]


def _beside_preference(case: Case) -> list[Message]:
    """What there is to say beside a preference, the most telling first."""
    found = []
    told = [case.find(case.row.term, group=f"recognised={value}") for value in ("true", "false")]
    if told[0] and told[1]:
        values = {"other": case.other, "yes": told[0].estimate, "no": told[1].estimate}
        found.append(
            Message(
                "They chose {other} in {yes:.1%} of the pairs in which they themselves had found "
                "the AI side, and in {no:.1%} where they had not; which leads to which, this "
                "cannot show.",
                values,
            )
        )
    if same := case.find("test_retest", group="kind=repeat"):
        values = {"same": same.estimate, "interval": interval(same, SHARE)}
        found.append(
            Message(
                "When a pair came again with its sides swapped, people chose the same image in "
                "{same:.1%} of the cases ({interval}).",
                values,
            )
        )
    if mean := case.find(case.row.term, "participant_mean"):
        values = {"estimate": mean.estimate, "interval": interval(mean, SHARE)}
        text = "With every participant counting once, it is {estimate:.1%} ({interval})."
        found.append(Message(text, values))
    return found
