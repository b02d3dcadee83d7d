"""In which order: blocks over participants, and trials within a block."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from survey.design.selection import Item
from survey.design.validation import DesignError

ATTEMPTS = 100


class NoOrderError(DesignError):
    """The stimuli suffice, but these cannot be put into an order; others may."""


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A trial before it has its number; `swapped` puts the second stimulus on the left."""

    kind: str
    item: Item
    swapped: bool = False
    exposure_ms: int | None = None
    disclosure: str = "hidden"
    original: "Draft | None" = None


def crossed(number: int, sizes: Sequence[int]) -> list[int]:
    """One level of each factor, so that the numbers 0, 1, 2, ... cross the factors evenly.

    Each factor alone differs by at most one among the first n numbers, for every n, and
    prod(sizes) numbers in a row from 0 give every combination once.
    """
    levels = []
    period = 1
    for size in sizes:
        shift = number % (period * size) // math.lcm(period, size)
        levels.append((number + shift) % size)
        period *= size
    return levels


def williams(size: int) -> list[list[int]]:
    """Orders in which every item precedes every other equally often (Williams 1949).

    A Latin square where the size is even, two of them where it is odd.
    """
    zigzag = [(step + 1) // 2 if step % 2 else -step // 2 for step in range(size)]
    square = [[(start + step) % size for step in zigzag] for start in range(size)]
    mirrored = [row[::-1] for row in square] if size % 2 and size > 1 else []
    return square + mirrored


def arrange(
    drafts: Sequence[Draft], rng: random.Random, before: Sequence[Draft] = (), gap: int = 0
) -> list[Draft]:
    """The drafts in a random order that continues `before`.

    Neighbours never show the same pair or stimulus, and a repeat is at least `gap` trials
    after its original.
    """
    for _ in range(ATTEMPTS):
        order = _attempt(rng.sample(drafts, len(drafts)), before, gap)
        if order is not None:
            return order
    raise NoOrderError(["no order keeps the same pair or stimulus out of adjacent trials"])


def _attempt(left: list[Draft], before: Sequence[Draft], gap: int) -> list[Draft] | None:
    order = list(before)
    while left:
        fitting = (i for i, draft in enumerate(left) if _fits(draft, order, gap))
        place = next(fitting, None)
        if place is None:
            return None
        order.append(left.pop(place))
    return order[len(before) :]


def _fits(draft: Draft, order: Sequence[Draft], gap: int) -> bool:
    if order and order[-1].item.scenes & draft.item.scenes:
        return False
    if draft.original is None:
        return True
    return draft.original in order and len(order) - order.index(draft.original) >= gap


def arrange_with_repeats(
    mains: Sequence[Draft], repeats: int, rng: random.Random, before: Sequence[Draft]
) -> list[Draft]:
    """The main trials in order, some of the first half shown again among the later ones.

    Sides are swapped in a repeat, and a third of the main trials or more lies between.
    """
    order = arrange(mains, rng, before)
    if repeats == 0:
        return order
    head = order[: max(repeats, math.ceil(len(order) / 2))]
    originals = rng.sample(head, repeats)
    again = [
        Draft(
            "repeat",
            original.item,
            not original.swapped,
            original.exposure_ms,
            original.disclosure,
            original,
        )
        for original in originals
    ]
    tail = order[len(head) :] + again
    gap = max(2, len(order) // 3)
    return head + arrange(tail, rng, [*before, *head], gap)


def insert_in_the_middle(
    order: Sequence[Draft], extra: Sequence[Draft], rng: random.Random
) -> list[Draft]:
    """`order` with the extra trials at random places of its middle half, never side by side."""
    margin = max(1, len(order) // 4)
    places = rng.sample(range(margin, len(order) - margin + 1), len(extra))
    result = list(order)
    for place, draft in sorted(zip(places, extra, strict=True), key=lambda p: p[0], reverse=True):
        result.insert(place, draft)
    return result


def balanced_sides(strata: Sequence[str], leans: Sequence[float], rng: random.Random) -> list[bool]:
    """Which items to swap: those that lean above 0, but half of all and of each stratum.

    Where the leans are one-sided the weakest give way, ties at random. Half means within one.
    """
    swaps = [lean > 0 for lean in leans]
    members = {name: [i for i, n in enumerate(strata) if n == name] for name in sorted(set(strata))}
    for stratum in members.values():
        while abs(surplus := _surplus(swaps, stratum)) > 1:
            _flip_weakest(swaps, stratum, surplus > 0, leans, rng)
    everything = range(len(swaps))
    while abs(surplus := _surplus(swaps, everything)) > 1:
        odd = [s for s in members.values() if _surplus(swaps, s) * surplus > 0]
        stratum = [i for s in odd for i in s]
        _flip_weakest(swaps, stratum, surplus > 0, leans, rng)
    return swaps


def _surplus(swaps: Sequence[bool], members: Sequence[int]) -> int:
    """How many more members are swapped than not."""
    return 2 * sum(swaps[i] for i in members) - len(members)


def _flip_weakest(
    swaps: list[bool],
    members: Sequence[int],
    side: bool,
    leans: Sequence[float],
    rng: random.Random,
) -> None:
    fitting = [i for i in members if swaps[i] == side]
    swaps[min(fitting, key=lambda i: (abs(leans[i]), rng.random()))] = not side


def oriented(edges: Sequence[tuple[str, str]], rng: random.Random) -> list[bool]:
    """Which edges to turn round, so that each node is first as often as second, within one.

    Walks trails along unused edges, from nodes with an odd number of them while there are any,
    and turns each edge into the direction of the walk.
    """
    turned = [False] * len(edges)
    left = set(range(len(edges)))
    while left:
        degrees: dict[str, int] = {}
        for i in sorted(left):
            for node in edges[i]:
                degrees[node] = degrees.get(node, 0) + 1
        odd = [node for node, degree in degrees.items() if degree % 2]
        node = rng.choice(odd or list(degrees))
        backwards = rng.random() < 0.5
        while touching := [i for i in sorted(left) if node in edges[i]]:
            i = rng.choice(touching)
            left.remove(i)
            against = edges[i][1] == node
            turned[i] = against != backwards
            node = edges[i][0] if against else edges[i][1]
    return turned
