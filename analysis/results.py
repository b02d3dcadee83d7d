"""The result table and the claims, in the contract's form."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.estimate import Estimate
from analysis.texts import Message

CONTRASTS = ("real_vs_ai", "real_vs_enhanced")
COMPARISONS = ("contrast=", "question=")  # what is never pooled: no groups
EVERYONE = "exclusions=none"
SHARES = ("confidence", "test_retest", "items_below_chance")


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the result table; a missing limit or p-value is None."""

    question: str
    task: str
    subset: str
    term: str
    estimate: float | None
    low: float | None
    high: float | None
    level: float | None
    p: float | None
    n_participants: int
    n_stimuli: int
    n: int
    method: str

    @property
    def key(self) -> str:
        """How a claim names its basis."""
        return f"{self.question}/{self.subset}/{self.term}/{self.method}"

    @property
    def of_group(self) -> bool:
        """Whether it is about some of the trials that answer a question, such as a category."""
        parts = self.subset.split("&")
        return not all(part == "all" or part.startswith(COMPARISONS) for part in parts)


@dataclass(frozen=True)
class Claim:
    """A verdict and the sentence that says it.

    `row` is the row of the result table that it rests on, `unit` what it is measured in where the
    claim allows several, `contrast` what is compared with the photographs; `confirmatory` says
    that the verdict uses Holm's correction within the confirmatory family.

    results.json names that row in two lists of one length: `basis` as
    question/subset/term/method, and `basis_tasks` with its task, which tells apart what was asked
    in two tasks, such as detection in pairs and one at a time.
    """

    id: str
    verdict: str
    statement: Message
    row: Result | None = None
    unit: Message | None = None
    contrast: str = ""
    confirmatory: bool = False

    @property
    def basis(self) -> list[str]:
        return [] if self.row is None else [self.row.key]

    @property
    def basis_tasks(self) -> list[str]:
        return [] if self.row is None else [self.row.task]


@dataclass(frozen=True)
class Scope:
    """What a set of results is about, and how much data it rests on."""

    question: str
    task: str
    subset: str
    n_participants: int
    n_stimuli: int
    n: int

    @classmethod
    def of(cls, question: str, task: str, subset: str, rows: pd.DataFrame) -> "Scope":
        """The scope of these rows."""
        return cls(
            question,
            task,
            subset,
            int(rows["participant_id"].nunique()),
            len(stimuli(rows)),
            len(rows),
        )

    def result(
        self,
        term: str,
        method: str,
        estimate: float | None,
        interval: tuple[float | None, float | None] = (None, None),
        level: float | None = None,
        p: float | None = None,
    ) -> Result:
        """A row of the result table."""
        return Result(
            self.question,
            self.task,
            self.subset,
            term,
            _number(estimate),
            _number(interval[0]),
            _number(interval[1]),
            level,
            _number(p),
            self.n_participants,
            self.n_stimuli,
            self.n,
            method,
        )

    def from_estimate(
        self, term: str, method: str, estimate: Estimate, level: float, null: float | None = None
    ) -> Result:
        """A row from an estimate with its standard error; p against `null` where there is one.

        Intervals of shares end at 0 and 1.
        """
        p = None if null is None else estimate.p_value(null)
        low, high = estimate.interval(level)
        if is_share(term):
            low, high = max(low, 0.0), min(high, 1.0)
        return self.result(term, method, estimate.value, (low, high), level, p)


def is_share(term: str) -> bool:
    """Whether a term is a share, from 0 to 1."""
    return term.startswith(("accuracy", "ai_choice_share")) or term in SHARES


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def stimuli(rows: pd.DataFrame) -> set[str]:
    """All stimuli that the rows show."""
    names = ("left_stimulus_id", "right_stimulus_id", "stimulus_id")
    return {str(value) for name in names if name in rows for value in rows[name].dropna().unique()}


def contrasts(trials: pd.DataFrame) -> list[str]:
    """The comparisons with a real photograph that the table holds."""
    present = set(trials["contrast"].dropna().unique())
    return [name for name in CONTRASTS if name in present]


def of_contrast(trials: pd.DataFrame, contrast: str) -> pd.DataFrame:
    """The rows of one contrast, with the real single stimuli that serve every contrast."""
    return trials[(trials["contrast"] == contrast) | trials["serves_every_contrast"]]


def subset(*parts: str) -> str:
    """Name of a subset from `column=value` parts; `all` without any."""
    return "&".join(part for part in parts if part) or "all"


def everyone(row: Result) -> Result:
    """The row as one of all responses, without exclusions."""
    return replace(row, subset=subset(row.subset.removeprefix("all"), EVERYONE))


def contrast_part(contrast: str, all_contrasts: Sequence[str]) -> str:
    """The contrast's part of a subset's name: none where the table holds one contrast."""
    return f"contrast={contrast}" if len(all_contrasts) > 1 else ""


def claim_id(claim: str, contrast: str, all_contrasts: Sequence[str]) -> str:
    """Id of a claim: with the contrast where the table holds several."""
    return f"{claim}:{contrast}" if len(all_contrasts) > 1 else claim


def as_table(results: Sequence[Result]) -> pd.DataFrame:
    """The result table as a frame."""
    names = list(Result.__dataclass_fields__)
    return pd.DataFrame([asdict(result) for result in results], columns=names)


def as_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The result table for results.json."""
    return [asdict(result) for result in results]
