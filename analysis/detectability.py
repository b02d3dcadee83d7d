"""Can people tell photographs and AI images apart?"""

import pandas as pd

from analysis import subgroups
from analysis.claims import Test
from analysis.factors import crossed
from analysis.labels import CHANCE_LABEL, contrast_label, where
from analysis.mixed import marginal_probability
from analysis.pictures import Forest, Line, Spread
from analysis.plan import Plan
from analysis.proportions import Dots, Measure, Share, balanced, naive, share, share_test, spread
from analysis.repeats import consistency
from analysis.results import Result, Scope, claim_id, contrast_part, of_contrast, subset
from analysis.samples import Finding, Sample, of_task
from analysis.sensitivity import sensitivity
from analysis.summaries import SHARE, Case, interval
from analysis.texts import Message, marked

QUESTION = "detectability"
TASKS = ("detect_pair", "detect_single")
CHANCE = 0.5


def estimate(sample: Sample, plan: Plan) -> Finding:
    """Accuracy for each task and contrast, never pooled over contrasts.

    Needs `participant_id`, `task`, `correct`, `contrast`; in single tasks the headline is the
    mean of the accuracies for real and for other stimuli, so that base rates don't matter.
    """
    finding, lines, spreads = Finding(QUESTION), [], []
    tasks = [task for task in TASKS if (sample.main["task"] == task).any()]
    for task in tasks:
        for contrast in sample.contrasts:
            rows = judged(sample.main, task, contrast)
            if rows.empty:
                continue
            label = _label(task, tasks, contrast)
            found, part = accuracy(sample, plan, rows, task, contrast)
            finding.add(part)
            finding.tests.append(_test(found, sample, task, tasks, contrast))
            if found.headline is not None:
                lines.append(Line(label, found.headline, strong=True))
                spreads += spread(rows, _measure(task), label)
    for task in tasks:
        finding.results += consistency(QUESTION, sample.kept.trials, task, plan)
    if lines:
        finding.pictures += _pictures(lines, spreads)
    return finding


def judged(trials: pd.DataFrame, task: str, contrast: str) -> pd.DataFrame:
    """The responses of one task and contrast that were right or wrong."""
    rows = of_contrast(of_task(trials, [task]), contrast)
    return rows[rows["correct"].notna()]


def accuracy(
    sample: Sample, plan: Plan, rows: pd.DataFrame, task: str, contrast: str
) -> tuple[Share, Finding]:
    """The headline accuracy, and what stands beside it."""
    part = contrast_part(contrast, sample.contrasts)
    measure = _measure(task)
    scope = Scope.of(QUESTION, task, subset(part), rows)
    what = where(contrast, task)
    found = share(rows, measure, scope, plan, what)
    finding = Finding(QUESTION, results=found.results, warnings=found.warnings)
    if measure.by is not None:
        finding.results += _by_origin(rows, scope, plan)
    if sample.details:
        finding.add(_details(sample, plan, rows, scope, measure, contrast))
    return found, finding


def _details(
    sample: Sample, plan: Plan, rows: pd.DataFrame, scope: Scope, measure: Measure, contrast: str
) -> Finding:
    """Sensitivity and bias, hard items, learning, and the accuracy of groups."""
    part, what = contrast_part(contrast, sample.contrasts), where(contrast, scope.task)
    finding = sensitivity(scope, rows, plan, what)
    finding.results += subgroups.items_below_chance(scope, rows, measure)
    finding.add(subgroups.learning(scope, rows, measure, plan, what))
    groups = subgroups.WITH_EXPOSURE
    finding.add(subgroups.by_group(scope, rows, measure, part, plan, what, groups))
    people = sample.participants
    finding.add(subgroups.expertise(scope, rows, measure, people, part, plan, what))
    return finding


def _measure(task: str) -> Measure:
    return Measure("correct", "accuracy", "origin" if task == "detect_single" else None)


def _by_origin(rows: pd.DataFrame, scope: Scope, plan: Plan) -> list[Result]:
    """Accuracy for real and for other stimuli, and the intercept-only model of all."""
    factors, y = crossed(rows), rows["correct"]
    if y.nunique() < 2 or rows["origin"].nunique() < 2:
        return []
    fit, places, slopes = balanced(rows, _measure("detect_single"), factors)
    results = []
    for position, term in enumerate(("accuracy_real", "accuracy_ai")):
        value = {"participant": slopes["participant"][position]}
        estimate = marginal_probability(fit, places[position], value)
        results.append(scope.from_estimate(term, "glmm", estimate, plan.level, CHANCE))
        chosen = y[(rows["origin"] == "real") == (position == 0)]
        results.append(naive(scope, term, chosen, plan.level))
    return results


def _test(found: Share, sample: Sample, task: str, tasks: list[str], contrast: str) -> Test:
    """The claim's test; where both tasks are there, the single one is named."""
    claim = claim_id("indistinguishable", contrast, sample.contrasts)
    if task == "detect_single" and len(tasks) > 1:
        claim += ":detect_single"
    return share_test(claim, contrast, found)


def _label(task: str, tasks: list[str], contrast: str) -> Message:
    if len(tasks) == 1:
        return contrast_label(contrast)
    return where(contrast, task)


def _pictures(lines: list[Line], spreads: list[Dots]) -> list[Forest | Spread]:
    title = Message("How often photographs and AI images were told apart")
    axis = Message("correct responses")
    each = Message("How single participants and images lie around it")
    return [
        Forest("detectability", title, axis, lines, CHANCE, CHANCE_LABEL),
        Spread("detectability_spread", each, axis, spreads, CHANCE, CHANCE_LABEL),
    ]


def sentences(case: Case) -> list[Message]:
    """How well images were told apart, and how many misled most people."""
    row, below = case.row, case.find("items_below_chance")
    values = {
        "other": case.other,
        "estimate": row.estimate,
        "interval": interval(row, SHARE),
        "below": round((below.estimate or 0.0) * below.n) if below else 0,
        "n": below.n if below else 0,
    }
    if row.task == "detect_pair":
        texts = (
            marked(
                "Shown photographs beside {other}, people told which was which in {estimate:.1%} "
                "of the trials ({interval}); guessing would give 50%."
            ),
            marked(
                "Pairs that misled most people, with fewer than half of the responses correct: "
                "{below} of {n}."
            ),
        )
        return [Message(text, values) for text in texts]
    real, ai = case.find("accuracy_real", "glmm"), case.find("accuracy_ai", "glmm")
    values |= {"real": real.estimate if real else None, "ai": ai.estimate if ai else None}
    first = Message(
        "Shown one image at a time, people judged {estimate:.1%} correctly ({interval}), "
        "photographs and {other} counting alike; guessing would give 50%.",
        values,
    )
    second = Message(
        "They took {real:.1%} of the photographs for real and {ai:.1%} of the {other} for AI; "
        "images that misled most people: {below} of {n}.",
        values,
    )
    return [first, second] if real and ai else [first]
