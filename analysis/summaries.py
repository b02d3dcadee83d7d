"""Two sentences on each headline: what was found, and what a careful reader wants beside it.

They hold numbers of the result table and no verdict; the verdicts stand apart. Everything is
worded as found here, and what is no experiment says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analysis.labels import task_label, where
from analysis.plan import Plan
from analysis.results import Result, subset
from analysis.samples import Finding
from analysis.sentences import OTHER, span
from analysis.texts import Message
from analysis.trust import DIVERGED

SHARE, POINTS, NUMBER = "indistinguishable", "calibrated", "more_appealing"  # how spans are written


@dataclass(frozen=True)
class Summary:
    """The sentences on one headline; `label` says which, where a question has several."""

    row: Result
    label: Message
    sentences: list[Message]


@dataclass(frozen=True)
class Case:
    """A headline, and the result table to look up what stands beside it.

    `contrast` is empty where the headline is about all comparisons.
    """

    row: Result
    contrast: str
    rows: Sequence[Result]
    plan: Plan

    @property
    def other(self) -> Message:
        return OTHER[self.contrast]

    @property
    def claimed(self) -> str:
        """The part of the subset that all rows of this headline have."""
        return self.row.subset.removeprefix("all")

    def find(
        self, term: str, method: str = "", *, group: str = "", question: str = "", task: str = ""
    ) -> Result | None:
        """The row of the same question, task and contrast with this term, if it has an estimate."""
        wanted = question or self.row.question, task or self.row.task, subset(self.claimed, group)
        for row in self.rows:
            is_wanted = (row.question, row.task, row.subset, row.term) == (*wanted, term)
            if is_wanted and method in ("", row.method) and row.estimate is not None:
                return row
        return None

    def groups(self, term: str, name: str, method: str = "") -> dict[str, Result]:
        """The rows with this term of each group of the same headline, by the group's value."""
        start = subset(self.claimed, f"{name}=")
        return {
            row.subset.removeprefix(start): row
            for row in self.rows
            if (row.question, row.task, row.term) == (self.row.question, self.row.task, term)
            and row.subset.startswith(start)
            and method in ("", row.method)
            and "&" not in row.subset.removeprefix(start)
        }


def summaries(
    finding: Finding,
    tell: Callable[[Case], list[Message]],
    rows: Sequence[Result],
    contrasts: Sequence[str],
    plan: Plan,
) -> list[Summary]:
    """The sentences on every headline of a question; none on numbers that mean nothing."""
    found = []
    for row in _told(finding):
        named = [name for name in contrasts if f"contrast={name}" in row.subset]
        of_one = named or (contrasts if len(contrasts) == 1 else [])
        label = where(of_one[0], row.task) if of_one else task_label(row.task)
        if sentences := tell(Case(row, of_one[0] if of_one else "", rows, plan)):
            found.append(Summary(row, label, sentences))
    return found


def _told(finding: Finding) -> list[Result]:
    """The headlines; where there is none, the rows that a description may start from."""
    tests = {
        id(test.row)
        for test in finding.tests
        if test.at_most_undecided is not None and test.at_most_undecided.template == DIVERGED
    }
    told = [row for row in finding.headlines if id(row) not in tests]
    if told or finding.headlines:
        return told
    return [row for row in finding.results if row.subset.endswith("rt_tercile=fast")]


def interval(row: Result, kind: str) -> Message:
    """The interval of a row, as it stands in brackets."""
    if row.low is None or row.high is None or row.level is None:
        return Message("no interval")
    if kind == POINTS:
        values = {"low": 100 * row.low, "high": 100 * row.high}
        return bracketed(row.level, Message("{low:+.1f} to {high:+.1f}", values))
    return bracketed(row.level, span(kind, row.low, row.high))


def bracketed(level: float, between: Message) -> Message:
    return Message("{level:.0%} interval {interval}", {"level": level, "interval": between})


def in_points(name: str, row: Result) -> dict[str, object]:
    """A difference between shares in percentage points, with its interval."""
    return {name: 100 * (row.estimate or 0.0), "interval": interval(row, POINTS)}
