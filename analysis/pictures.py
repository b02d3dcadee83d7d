"""What the figures show, before anything is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from analysis.results import Result
from analysis.texts import Message


@dataclass(frozen=True)
class Line:
    """One estimate with its interval; `strong` marks the headline."""

    label: Message
    result: Result
    strong: bool = False


@dataclass(frozen=True)
class Forest:
    """Estimates with intervals, one below the other, and where chance or no effect lies."""

    name: str
    title: Message
    axis: Message
    lines: Sequence[Line]
    null: float
    null_label: Message
    percent: bool = True


@dataclass(frozen=True)
class Spread:
    """How single participants and items lie around the headline, a dot each."""

    name: str
    title: Message
    axis: Message
    rows: Sequence[tuple[Message, Sequence[float]]]
    null: float
    null_label: Message


@dataclass(frozen=True)
class Curve:
    """A line through points with intervals."""

    label: Message
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    points: bool = True


@dataclass(frozen=True)
class Curves:
    """Curves over a common axis; `marks` are named places on the x axis."""

    name: str
    title: Message
    x_axis: Message
    y_axis: Message
    curves: Sequence[Curve]
    null: float | None
    null_label: Message
    percent: bool = True
    log_x: bool = False
    diagonal: bool = False
    marks: Sequence[tuple[float, Message]] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """A named point with intervals in two directions."""

    label: Message
    x: float
    y: float
    y_low: float
    y_high: float
    on_front: bool = False


@dataclass(frozen=True)
class Plane:
    """Named points in a plane, with the front of those that nothing beats."""

    name: str
    title: Message
    x_axis: Message
    y_axis: Message
    places: Sequence[Place]
    log_x: bool = False
    percent: bool = True


Picture = Forest | Spread | Curves | Plane
