"""PURE. A frozen study design + a seed -> the list of planned trials."""

from survey.design.study import (
    AnalysisPlan,
    Block,
    BlockText,
    Choice,
    Condition,
    ExclusionRule,
    PlannedTrial,
    Question,
    Stimulus,
    Study,
    StudyText,
)
from survey.design.validation import DesignError, Fault, faults, validate

__all__ = [
    "AnalysisPlan",
    "Block",
    "BlockText",
    "Choice",
    "Condition",
    "DesignError",
    "ExclusionRule",
    "Fault",
    "PlannedTrial",
    "Question",
    "Stimulus",
    "Study",
    "StudyText",
    "faults",
    "validate",
]
