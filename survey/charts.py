"""Geometry of the small charts of the researcher's pages; templates draw them as SVG.

Positions across are percentages, so that a chart is as wide as its place and its words keep
their size; positions down are pixels, counted from the top.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import floor, log10

Points = Sequence[tuple[float, float]]

#: Where the plot of a line chart lies, in pixels; the templates have the same.
TOP, HEIGHT = 18, 170


@dataclass(frozen=True)
class Mark:
    """A word at a place; `kind` is a CSS class."""

    at: float
    text: str
    kind: str = ""

    @property
    def anchor(self) -> str:
        """Words near an edge stay inside."""
        return "start" if self.at < 12 else "end" if self.at > 88 else "middle"

    @property
    def down(self) -> float:
        """As a height in the box of 100 by 100, counted from its top."""
        return 100 - self.at

    @property
    def pixel(self) -> float:
        """As a height in a line chart."""
        return TOP + HEIGHT * self.down / 100


@dataclass(frozen=True)
class Line:
    """A line through points of a box of 100 by 100, with the word at its end."""

    points: str
    kind: str
    label: Mark | None = None


@dataclass(frozen=True)
class LineChart:
    """Lines and bands over a common axis, with levels to compare them with."""

    text: str
    lines: list[Line]
    bands: list[str] = field(default_factory=list)
    levels: list[Mark] = field(default_factory=list)
    across: list[Mark] = field(default_factory=list)
    up: list[Mark] = field(default_factory=list)


@dataclass(frozen=True)
class Bar:
    """One row: what it is, how much, and the share of the longest."""

    label: str
    value: str
    width: float


@dataclass(frozen=True)
class Column:
    """One column of a histogram."""

    left: float
    width: float
    height: float

    @property
    def top(self) -> float:
        return 100 - self.height


@dataclass(frozen=True)
class Histogram:
    """Columns beside each other, with marks below and lines through them."""

    text: str
    columns: list[Column]
    across: list[Mark]
    lines: list[Mark] = field(default_factory=list)


@dataclass(frozen=True)
class Interval:
    """A share with its interval on the scale from 0 to 1; `low` is None while there is none."""

    label: str
    estimate: float
    low: float | None
    high: float | None
    null: float
    null_label: str

    @property
    def places(self) -> dict[str, float]:
        """In percent of the width."""
        low, high = self.low or 0, self.high or 0
        values = {"estimate": self.estimate, "low": low, "high": high, "null": self.null}
        values["width"] = high - low
        return {name: 100 * value for name, value in values.items()}


def bars(rows: Iterable[tuple[str, int]], longest: int = 0) -> list[Bar]:
    """Rows of label and number, the lengths in proportion to the longest."""
    rows = list(rows)
    top = max([longest, 1, *(number for _label, number in rows)])
    return [Bar(label, f"{number:,}", 100 * number / top) for label, number in rows]


def points(places: Points) -> str:
    """Places in the box of 100 by 100, y growing upwards, as SVG wants them."""
    return " ".join(f"{x:.2f},{100 - y:.2f}" for x, y in places)


def steps(
    reached: Sequence[tuple[int, datetime]], start: datetime, end: datetime, top: float
) -> Points:
    """How many there were by when: a curve that rises at each time to the number of that time."""
    span = max((end - start).total_seconds(), 1)
    places = [(0.0, 0.0)]
    for number, moment in reached:
        across = 100 * (moment - start).total_seconds() / span
        places += [(across, places[-1][1]), (across, 100 * number / top)]
    return [*places, (100.0, places[-1][1])]


def time_marks(start: datetime, end: datetime) -> list[Mark]:
    """Begin and end in words: the hour where both are on one day, else the day."""
    form = "%H:%M" if start.date() == end.date() else "%Y-%m-%d"
    return [Mark(0, start.strftime(form)), Mark(100, end.strftime(form))]


def ceiling(value: float) -> int:
    """A round number that is not below the value, for the top of an axis."""
    if value <= 10:
        return max(1, int(value))
    unit = 10 ** floor(log10(value))
    return next(
        int(unit * step)
        for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
        if unit * step >= value
    )


def log_histogram(values: Sequence[float], low: float, high: float, cells: int) -> list[Column]:
    """A histogram on a logarithmic scale; what lies outside counts in the outermost columns."""
    counts = [0] * cells
    for value in values:
        counts[min(max(int(place(value, low, high) / 100 * cells), 0), cells - 1)] += 1
    top = max([*counts, 1])
    width = 100 / cells
    return [Column(i * width, width, 100 * count / top) for i, count in enumerate(counts)]


def place(value: float, low: float, high: float) -> float:
    """Where a value lies on a logarithmic scale, in percent."""
    return 100 * (log10(max(value, low)) - log10(low)) / (log10(high) - log10(low))
