"""Curves as SVG paths, drawn by templates: no script, no style, readable without seeing."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Curve:
    """A line in a box of `width` by `height`, y growing downwards, and what it says in words."""

    points: str
    text: str
    title: str
    width: int
    height: int
    last: tuple[float, float]


def steps(
    sums: Sequence[int], *, text: str, title: str, width: int = 120, height: int = 28
) -> Curve:
    """A small rising curve without axes; flat on the ground while there is nothing."""
    top = max(max(sums, default=0), 1)
    margin = 3
    across = (width - 2 * margin) / max(len(sums) - 1, 1)
    places = [
        (margin + i * across, height - margin - (height - 2 * margin) * value / top)
        for i, value in enumerate(sums)
    ]
    return Curve(as_points(places), text, title, width, height, places[-1])


def as_points(places: Sequence[tuple[float, float]]) -> str:
    """Places as the `points` of a polyline."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
