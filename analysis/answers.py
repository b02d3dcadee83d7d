"""From a loaded data set to every answer: exclusions, questions, verdicts, warnings."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from analysis import (
    appeal,
    calibration,
    detectability,
    disclosure,
    dose,
    exclusions,
    exposure,
    features,
    generators,
    preference,
)
from analysis.checks import DataError, Fault
from analysis.claims import judge
from analysis.data import Dataset
from analysis.exclusions import Kept, Parameters
from analysis.plan import Plan
from analysis.preregistration import Preset, deviations
from analysis.results import Claim, Result, contrasts, everyone, stimuli
from analysis.samples import Finding, Sample
from analysis.summaries import Summary, summaries
from analysis.texts import Message
from analysis.trust import DIVERGED

Question = Callable[[Sample, Plan], Finding]
MODULES = (
    detectability,
    preference,
    appeal,
    dose,
    features,
    exposure,
    disclosure,
    generators,
    calibration,
)
QUESTIONS: tuple[Question, ...] = tuple(module.estimate for module in MODULES)
SENTENCES = {module.QUESTION: module.sentences for module in MODULES}
PACKAGES = ("numpy", "scipy", "pandas", "pyarrow", "matplotlib")


@dataclass(frozen=True)
class Answers:
    """Everything that a report says."""

    dataset: Dataset
    plan: Plan
    rules: Parameters
    kept: Kept
    findings: list[Finding]
    claims: list[Claim]
    warnings: list[Message]
    has_simulated: bool
    lost_nothing: bool
    preset: Preset | None = None

    @property
    def deviations(self) -> list[Message]:
        """How the analysis differs from the frozen plan."""
        if self.preset is None:
            return []
        return deviations(self.preset, self.plan, self.rules, self.claims)

    @property
    def results(self) -> list[Result]:
        return [result for finding in self.findings for result in finding.results]

    def summaries(self, finding: Finding) -> list[Summary]:
        """Two sentences on each headline of a question."""
        tell = SENTENCES[finding.question]
        return summaries(finding, tell, self.results, contrasts(self.dataset.trials), self.plan)

    def counts(self) -> dict[str, Any]:
        """How much data there was; responses are counted in trials."""
        trials, main = self.dataset.trials, self.kept.main
        pairs = main["pair_id"].nunique() if "pair_id" in main else 0
        return {
            "participants": self.kept.participants,
            "planned": self.kept.planned,
            "answered": int(trials["response"].notna().sum()),
            "analysed": len(main),
            "stimuli": len(stimuli(main)),
            "pairs": int(pairs),
            "sha256": self.dataset.sha256,
        }


def analyse(
    dataset: Dataset,
    plan: Plan,
    rules: Parameters | None = None,
    preset: Preset | None = None,
    *,
    include_simulated: bool = False,
) -> Answers:
    """Answer every question that the data can answer.

    Raises
    ------
    DataError
        Where no analysable response is left.
    """
    kept = exclusions.apply(dataset.trials, rules, include_simulated=include_simulated)
    if kept.main.empty:
        raise DataError([_nothing_left(kept)])
    whole = exclusions.apply(dataset.trials, {}, include_simulated=include_simulated)
    sample = Sample(kept, whole, dataset.stimuli, dataset.participants, dataset.generators)
    findings = _ask_all(sample, plan)
    findings = [finding for finding in findings if finding.results or finding.tests]
    warnings = dataset.warnings + [text for finding in findings for text in finding.warnings]
    has_simulated = bool(exclusions.simulated(kept.main).any())
    return Answers(
        dataset=dataset,
        plan=plan,
        rules=exclusions.DEFAULT_RULES if rules is None else rules,
        kept=kept,
        findings=findings,
        claims=judge([test for finding in findings for test in finding.tests], plan),
        warnings=_simulated_warning(has_simulated) + merged(warnings),
        has_simulated=has_simulated,
        lost_nothing=sample.lost_nothing,
        preset=preset,
    )


def _ask_all(sample: Sample, plan: Plan) -> list[Finding]:
    if plan.jobs == 1:
        return [ask(question, sample, plan) for question in QUESTIONS]
    from joblib import Parallel, delayed  # half a second that one process need not spend

    found: list[Finding] = Parallel(n_jobs=plan.jobs)(
        delayed(ask)(question, sample, plan) for question in QUESTIONS
    )
    return found


def ask(question: Question, sample: Sample, plan: Plan) -> Finding:
    """The answer to a question, and its headlines again without exclusions.

    Rows without exclusions have `exclusions=none` in their subset. Where no response was left
    out they are the same, and nothing is computed twice.
    """
    finding = question(sample, plan)
    again = finding if sample.lost_nothing else question(sample.without_exclusions(), plan)
    if again is not finding:
        finding.warnings += [
            Message("Without exclusions: {warning}", {"warning": warning})
            for warning in again.warnings
            if warning.template == DIVERGED
        ]
    finding.results += [everyone(row) for row in again.results if not row.of_group]
    return finding


def merged(warnings: list[Message]) -> list[Message]:
    """The warnings, those that say the same of several things as one."""
    groups: dict[str, Message] = {}
    for warning in warnings:
        rest = {name: value for name, value in warning.values.items() if name != "what"}
        key = warning.template + repr(sorted(rest.items(), key=str))
        before = groups.get(key)
        if before is None:
            groups[key] = warning
        elif "what" in warning.values:
            both = {"first": before.values["what"], "second": warning.values["what"]}
            if str(both["second"]) not in str(both["first"]):
                joined = Message("{first}; {second}", both)
                groups[key] = Message(warning.template, {**rest, "what": joined})
    return list(groups.values())


def _nothing_left(kept: Kept) -> Fault:
    steps = [f"{step.rule} {step.trials}" for step in kept.flow if step.trials]
    allowed = "at least one main trial with a response"
    if any(step.rule == "simulated" and step.trials for step in kept.flow):
        allowed += " (simulated participants count only with --include-simulated)"
    found = f"no trial left of {kept.planned} (left out: {', '.join(steps)})"
    return Fault("the trials table", None, "", found, allowed)


def _simulated_warning(has_simulated: bool) -> list[Message]:
    if not has_simulated:
        return []
    return [
        Message(
            "This analysis includes simulated participants. It says nothing about people and only "
            "shows what a report looks like."
        )
    ]


def versions() -> dict[str, str]:
    """Versions of what computed the results."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
