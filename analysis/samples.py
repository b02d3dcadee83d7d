"""What a question module is given, and what it gives back."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from analysis.claims import Test
from analysis.exclusions import Kept
from analysis.pictures import Picture
from analysis.results import Result, contrasts
from analysis.texts import Message


@dataclass(frozen=True)
class Sample:
    """The trials that count, and the same without the rules that judge quality.

    `kept.main` are the main trials that were answered, `unfiltered` the same without
    exclusions; the tables of an exported data set follow.
    """

    kept: Kept
    unfiltered: pd.DataFrame
    stimuli: pd.DataFrame | None = None
    participants: pd.DataFrame | None = None
    generators: pd.DataFrame | None = None

    @property
    def main(self) -> pd.DataFrame:
        return self.kept.main

    @property
    def contrasts(self) -> list[str]:
        return contrasts(self.main)


@dataclass
class Finding:
    """The answer to one question: rows, what the verdicts rest on, sentences and pictures."""

    question: str
    results: list[Result] = field(default_factory=list)
    tests: list[Test] = field(default_factory=list)
    sentences: list[Message] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    warnings: list[Message] = field(default_factory=list)

    def add(self, other: "Finding") -> None:
        """Take over what another part of the same question found."""
        self.results += other.results
        self.tests += other.tests
        self.sentences += other.sentences
        self.pictures += other.pictures
        self.warnings += other.warnings


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
