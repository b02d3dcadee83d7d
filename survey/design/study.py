"""What a study is made of: frozen, comparable, without Django.

The model fields of the survey carry the same names, and so do the keys of a study file.
"""

from dataclasses import dataclass, field
from typing import TypedDict

TASKS = ("detect_pair", "prefer_pair", "detect_single", "rate_single")
PAIR_TASKS = ("detect_pair", "prefer_pair")
DETECT_TASKS = ("detect_pair", "detect_single")
ORIGINS = ("real", "ai", "enhanced")
PAIRINGS = ("matched", "random", "ai_vs_ai")
DISCLOSURES = ("hidden", "true_labels", "false_labels")
VARIES = ("within", "between")
FEEDBACK = ("never", "practice", "each")
BLOCK_ORDERS = ("fixed", "counterbalanced", "random", "one")
DISPLAY_FITS = ("pad", "crop")
MODES = ("study", "learning")
FULLSCREEN = ("offer", "ask", "off")
QUESTION_KINDS = ("choice", "multiple", "number", "text", "scale")
CLAIMS = (
    "indistinguishable",
    "prefers_ai",
    "more_appealing",
    "beauty_features",
    "gut_reaction",
    "disclosure_effect",
    "generator_gap",
    "open_vs_closed",
    "calibrated",
)
#: The rules that the analysis knows, each with its parameters and what they are unless said.
EXCLUSION_RULES: dict[str, dict[str, float]] = {
    "incomplete": {"min_answered_share": 0.8},
    "catch_trials": {"max_failed_share": 0.5},
    "side_bias": {"max_same_share": 0.95, "min_trials": 10},
    "straight_lining": {"max_same_share": 0.95, "min_trials": 10},
    "focus_loss": {"max_focus_lost_ms": 5000},
    "minimum_response_time": {"min_rt_ms": 200, "max_fast_share": 0.5},
    "duplicates": {},
}
CONFIDENCE_SLIDER = 101


@dataclass(frozen=True, slots=True)
class Stimulus:
    """What the planner knows of a stimulus."""

    id: str
    origin: str
    pair_id: str = ""
    generator: str = ""
    category: str = ""
    enhancement_level: float | None = None
    is_catch: bool = False


class StudyText(TypedDict, total=False):
    """The words of a study in one language; consent and debrief are Markdown."""

    title: str
    summary: str
    consent: str
    consent_version: str
    contact: str
    debrief: str


class BlockText(TypedDict, total=False):
    """The words of a block in one language; the instructions are Markdown.

    `low`, `high` and `labels` belong to the scale of rate_single, the confidence labels to its
    steps or to the two ends of the slider; `reasons` maps a code to its words.
    """

    instructions: str
    prompt: str
    hint: str
    low: str
    high: str
    labels: list[str]
    confidence_prompt: str
    confidence_labels: list[str]
    reasons: dict[str, str]


@dataclass(frozen=True, slots=True)
class Block:
    """One run of trials of one task. An empty tuple means "all", or "until response"."""

    key: str
    task: str
    trials: int
    question: str = ""
    pairing: str = "matched"
    origins: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    generators: tuple[str, ...] = ()
    enhancement_levels: tuple[float, ...] = ()
    exposures_ms: tuple[int, ...] = ()
    exposure_varies: str = "within"
    disclosures: tuple[str, ...] = ("hidden",)
    disclosure_varies: str = "within"
    ties: bool = False
    scale_steps: int = 0
    confidence_steps: int = 0
    reasons: tuple[str, ...] = ()
    feedback: str = "never"
    practice: int = 0
    catch_trials: int = 0
    repeat_share: float = 0.0
    texts: dict[str, BlockText] = field(default_factory=dict)

    @property
    def is_pair_task(self) -> bool:
        return self.task in PAIR_TASKS

    @property
    def repeats(self) -> int:
        """How many main trials are shown again."""
        return round(self.repeat_share * self.trials)


@dataclass(frozen=True, slots=True)
class Condition:
    """A between-participants condition; no blocks named means all of them."""

    name: str
    weight: int = 1
    blocks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of a background question; `texts` maps a language to its words."""

    value: str
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """A background question; `scale` shows its choices in order, from low to high."""

    key: str
    kind: str
    required: bool = False
    texts: dict[str, str] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class ExclusionRule:
    """A rule of the analysis by its name, with its parameters. The order of rules counts."""

    name: str
    parameters: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AnalysisPlan:
    """What is claimed beforehand; a claim may carry a contrast after a colon."""

    claims: tuple[str, ...] = ()
    smallest_effects: dict[str, float] = field(default_factory=dict)
    alpha: float = 0.05
    stopping_rule: str = ""


@dataclass(frozen=True, slots=True)
class Study:
    """Everything that is frozen when a study goes live.

    In the learning mode every detection trial is followed by the truth, so its data are no test.
    """

    slug: str
    languages: tuple[str, ...]
    texts: dict[str, StudyText]
    blocks: tuple[Block, ...]
    minimum_age: int = 18
    duration_minutes: int = 10
    conditions: tuple[Condition, ...] = ()
    block_order: str = "fixed"
    share_stimuli: bool = False
    background: tuple[Question, ...] = ()
    display_width: int = 1024
    display_height: int = 768
    display_fit: str = "pad"
    allow_small_screens: bool = True
    exclusion_rules: tuple[ExclusionRule, ...] = ()
    analysis_plan: AnalysisPlan = field(default_factory=AnalysisPlan)
    mode: str = "study"
    fullscreen: str = "offer"


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """One presentation, as it is stored when the participant starts.

    `block` and `index` count from 0 in the order in which this participant meets them;
    `repeat_of` is the `index` of the trial that is shown again.
    """

    block: int
    block_key: str
    index: int
    kind: str
    repeat_of: int | None
    task: str
    question: str
    pair_id: str
    left_id: str
    right_id: str
    stimulus_id: str
    exposure_ms: int | None
    disclosure: str
