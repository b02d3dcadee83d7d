"""The learning mode: what is known to give AI images away, and how somebody improved."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from django.utils.translation import gettext_lazy as _

QUARTERS = 4

#: Where to look, and what for: a short glossary.
CLUES = (
    (
        _("Hands"),
        _(
            "Count the fingers and follow each to its joint. Hands that hold something are the "
            "hardest to make."
        ),
    ),
    (
        _("Text"),
        _("Signs, labels and book spines turn into letters that only look like writing."),
    ),
    (
        _("Light and shadow"),
        _("Every shadow should point away from the same light, and be as soft as the others."),
    ),
    (
        _("Reflections"),
        _(
            "Mirrors, water, windows and eyes should show what stands before them, from the right "
            "side."
        ),
    ),
    (
        _("Texture"),
        _(
            "Skin like wax, hair that melts into the background, fur or leaves that repeat: an AI "
            "often smooths what a lens leaves rough."
        ),
    ),
    (
        _("Symmetry"),
        _(
            "Earrings, glasses, windows and wheels come in pairs. Compare the two, for they often "
            "differ."
        ),
    ),
    (
        _("Background"),
        _(
            "Look away from the main subject: lines break off behind it, people have no faces, "
            "things stand on nothing."
        ),
    ),
)


@dataclass(frozen=True)
class Point:
    """One quarter of the trials: its place across, hits, trials, and the share as a height."""

    across: float
    hits: int
    n: int

    @property
    def share(self) -> float:
        return self.hits / self.n

    @property
    def down(self) -> float:
        """As a height in percent, counted from the top."""
        return 100 * (1 - self.share)


@dataclass(frozen=True)
class Curve:
    """The share of hits in each quarter, one after the other."""

    points: tuple[Point, ...]

    @property
    def steps(self) -> list[tuple[Point, Point]]:
        """From each point to the next."""
        return list(pairwise(self.points))


def curve(hits: Sequence[bool]) -> Curve | None:
    """The learning curve of hits in order; None where a quarter would hold less than two."""
    n = len(hits)
    if n < 2 * QUARTERS:
        return None
    edges = [round(i * n / QUARTERS) for i in range(QUARTERS + 1)]
    parts = [hits[low:high] for low, high in pairwise(edges)]
    return Curve(
        tuple(
            Point(100 * (i + 0.5) / QUARTERS, sum(part), len(part)) for i, part in enumerate(parts)
        )
    )
