"""PURE. A frozen study design + a seed -> the list of planned trials."""

from survey.design.planning import choose_condition, plan_trials, shortage
from survey.design.selection import exposure_units
from survey.design.serial import canonical_json, design_hash, from_canonical, from_dict, to_dict
from survey.design.study import (
    CONFIDENCE_SLIDER,
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
from survey.design.toml import StudyFileError, TomlFault, dumps, loads
from survey.design.validation import DesignError, Fault, faults, shown, validate
from survey.messages import Message

__all__ = [
    "CONFIDENCE_SLIDER",
    "AnalysisPlan",
    "Block",
    "BlockText",
    "Choice",
    "Condition",
    "DesignError",
    "ExclusionRule",
    "Fault",
    "Message",
    "PlannedTrial",
    "Question",
    "Stimulus",
    "Study",
    "StudyFileError",
    "StudyText",
    "TomlFault",
    "canonical_json",
    "choose_condition",
    "design_hash",
    "dumps",
    "exposure_units",
    "faults",
    "from_canonical",
    "from_dict",
    "loads",
    "plan_trials",
    "shortage",
    "shown",
    "to_dict",
    "validate",
]
