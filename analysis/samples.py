"""What a question module is given, and what it gives back."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from analysis.claims import Test
from analysis.exclusions import Kept
from analysis.pictures import Picture
from analysis.results import Result, contrasts
from analysis.texts import Message


@dataclass(frozen=True)
class Sample:
    """The trials that count, and all of them: without the rules that judge quality.

    `kept.main` are the main trials that were answered; the tables of an exported data set
    follow. `details` says whether more is wanted than the headlines and what they rest on.
    """

    kept: Kept
    whole: Kept
    stimuli: pd.DataFrame | None = None
    participants: pd.DataFrame | None = None
    generators: pd.DataFrame | None = None
    details: bool = True

    @property
    def main(self) -> pd.DataFrame:
        return self.kept.main

    @property
    def contrasts(self) -> list[str]:
        """The contrasts of the table, whatever is left of them."""
        return contrasts(self.whole.main)

    @property
    def lost_nothing(self) -> bool:
        """Whether the rules that judge quality left out no response."""
        return len(self.kept.trials) == len(self.whole.trials)

    def without_exclusions(self) -> "Sample":
        """The sample of all responses, for the headlines."""
        return replace(self, kept=self.whole, details=False)


@dataclass
class Finding:
    """The answer to one question: rows, what the verdicts rest on, and pictures."""

    question: str
    results: list[Result] = field(default_factory=list)
    tests: list[Test] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    warnings: list[Message] = field(default_factory=list)
    unclaimed: list[Result] = field(default_factory=list)  # headlines that no claim is about

    @property
    def headlines(self) -> list[Result]:
        """The rows that the question comes down to."""
        return [test.row for test in self.tests if test.row is not None] + self.unclaimed

    def add(self, other: "Finding") -> None:
        """Take over what another part of the same question found."""
        self.results += other.results
        self.tests += other.tests
        self.pictures += other.pictures
        self.warnings += other.warnings
        self.unclaimed += other.unclaimed


def of_task(trials: pd.DataFrame, tasks: Sequence[str]) -> pd.DataFrame:
    """The rows of these tasks."""
    return trials[trials["task"].isin(tasks)]


def varies(values: pd.Series) -> bool:
    """Whether there are at least two different values."""
    return len(values.dropna().unique()) > 1


def too_little(rows: pd.DataFrame, outcome: str) -> Message | None:
    """Why a response cannot be modelled, if so."""
    if not varies(rows["participant_id"]):
        return Message("At least two participants are needed.")
    if not varies(rows[outcome]):
        return Message("Every response is the same, so its variation cannot be modelled.")
    return None
