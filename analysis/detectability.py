"""Can people tell photographs and AI images apart?"""

import pandas as pd

from analysis.claims import Test
from analysis.labels import CHANCE_LABEL, contrast_label, task_label
from analysis.pictures import Forest, Line, Spread
from analysis.plan import Plan
from analysis.proportions import Share, participant_means, share
from analysis.results import Scope, claim_id, contrast_part, of_contrast, subset
from analysis.samples import Finding, Sample, of_task
from analysis.texts import Message

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
            found, part = accuracy(sample, plan, rows, task, contrast)
            finding.add(part)
            if found.headline is not None:
                finding.tests.append(_test(found, sample, task, tasks, contrast))
                label = _label(task, tasks, contrast)
                lines.append(Line(label, found.headline, strong=True))
                spreads += _spreads(rows, task, label)
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
    """The headline accuracy, for each origin where one is shown alone, and all of it again
    without exclusions."""
    part = contrast_part(contrast, sample.contrasts)
    by = "origin" if task == "detect_single" else None
    scope = Scope.of(QUESTION, task, subset(part), rows)
    found = share(rows, "correct", scope, "accuracy", plan, by=by)
    finding = Finding(QUESTION, results=found.results)
    if by is not None:
        for term, chosen in (
            ("accuracy_real", rows[rows["origin"] == "real"]),
            ("accuracy_ai", rows[rows["origin"] != "real"]),
        ):
            if len(chosen):
                scope = Scope.of(QUESTION, task, subset(part), chosen)
                finding.results += share(chosen, "correct", scope, term, plan).results
    whole = judged(sample.unfiltered, task, contrast)
    scope = Scope.of(QUESTION, task, subset(part, "exclusions=none"), whole)
    finding.results += share(whole, "correct", scope, "accuracy", plan, by=by).results
    return found, finding


def _test(found: Share, sample: Sample, task: str, tasks: list[str], contrast: str) -> Test:
    """The claim's test; where both tasks are there, the single one is named."""
    claim = claim_id("indistinguishable", contrast, sample.contrasts)
    if task == "detect_single" and len(tasks) > 1:
        claim += ":detect_single"
    basis = (found.headline.key,) if found.headline else ()
    return Test(claim, found.estimate, basis=basis)


def _label(task: str, tasks: list[str], contrast: str) -> Message:
    if len(tasks) == 1:
        return contrast_label(contrast)
    values = {"contrast": contrast_label(contrast), "task": task_label(task)}
    return Message("{contrast}\n{task}", values)


def _spreads(rows: pd.DataFrame, task: str, label: Message) -> list[tuple[Message, list[float]]]:
    people = participant_means(rows, "correct", "origin" if task == "detect_single" else None)
    items = rows.groupby("item", observed=True)["correct"].mean()
    template = "{label}\n{what}"
    return [
        (Message(template, {"label": label, "what": Message(what)}), values.tolist())
        for what, values in (("participants", people), ("pairs or images", items))
        if len(values)
    ]


def _pictures(
    lines: list[Line], spreads: list[tuple[Message, list[float]]]
) -> list[Forest | Spread]:
    title = Message("How often photographs and AI images were told apart")
    axis = Message("correct responses")
    each = Message("How single participants and images lie around it")
    return [
        Forest("detectability", title, axis, lines, CHANCE, CHANCE_LABEL),
        Spread("detectability_spread", each, axis, spreads, CHANCE, CHANCE_LABEL),
    ]
