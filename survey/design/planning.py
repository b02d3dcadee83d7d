"""A study, its stimuli and a seed -> the trials of one participant."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from survey.design.ordering import (
    Draft,
    NoOrderError,
    arrange_with_repeats,
    balanced_sides,
    crossed,
    insert_in_the_middle,
    oriented,
    williams,
)
from survey.design.selection import Exposures, Item, Selector, left_unit, scenes_of
from survey.design.study import Block, PlannedTrial, Stimulus, Study
from survey.design.supply import CatchSupply
from survey.design.validation import DesignError
from survey.messages import Message

ATTEMPTS = 50
#: Few stimuli, paired at random, seldom have an order: three blocks that divide twelve pairs have
#: one in about fourteen draws.
DRAWS = 400
# The fields of a block that vary within or between participants, and the field that says which.
FACTORS = {"exposures_ms": "exposure_varies", "disclosures": "disclosure_varies"}
# The fields that choose stimuli, and the attribute of a stimulus that each looks at.
ATTRIBUTES = {
    "origins": ("origin", Message("the origin")),
    "categories": ("category", Message("the category")),
    "generators": ("generator", Message("the generator")),
    "enhancement_levels": ("enhancement_level", Message("the enhancement level")),
}


def choose_condition(study: Study, counts: Mapping[str, int], rng: random.Random) -> str:
    """The condition that is least filled for its weight, ties by chance; "" if there are none."""
    if not study.conditions:
        return ""
    filled = [counts.get(c.name, 0) / c.weight for c in study.conditions]
    least = [c for c, share in zip(study.conditions, filled, strict=True) if share == min(filled)]
    return rng.choices(least, [c.weight for c in least])[0].name


def plan_trials(
    study: Study,
    stimuli: Sequence[Stimulus],
    *,
    number: int,
    condition: str,
    exposures: Exposures,
    rng: random.Random,
) -> list[PlannedTrial]:
    """All trials of one participant, in order. Raises DesignError if the stimuli don't suffice.

    `number` counts the participants from 0 and turns through block orders and what varies
    between participants; `exposures` says how often each block (by key) has shown each pair or
    stimulus so far, see `exposure_units`.
    """
    blocks = _blocks_of(study, condition, number, rng)
    for draw in range(DRAWS):
        # The least shown of a very small pool may all show one pair, which no order keeps apart.
        counts = exposures if draw < DRAWS // 5 else {}
        try:
            return _plan(study, blocks, stimuli, counts, rng)
        except NoOrderError as error:
            last = error
    raise last


def _plan(
    study: Study,
    blocks: Sequence[Block],
    stimuli: Sequence[Stimulus],
    exposures: Exposures,
    rng: random.Random,
) -> list[PlannedTrial]:
    chosen = _choose(study, blocks, stimuli, exposures, rng)
    supply = CatchSupply(stimuli, rng)
    plan: list[list[Draft]] = []
    for block in blocks:
        mains = _mains(block, chosen[block.key], exposures, rng)
        before = plan[-1][-1:] if plan else []
        plan.append(_trials_of(block, mains, supply, before, rng))
    return _numbered(blocks, plan)


def shortage(study: Study, stimuli: Sequence[Stimulus]) -> list[str]:
    """What the stimuli lack for the study, in words; empty if it can run."""
    lacks = _unmatched(study, stimuli)
    for block in study.blocks:
        lacks += _lacks(replace(study, blocks=(block,), conditions=()), "", stimuli)
    if not lacks:
        for name in _condition_names(study):
            lacks += _lacks(study, name, stimuli)
    return list(dict.fromkeys(lacks))


def _unmatched(study: Study, stimuli: Sequence[Stimulus]) -> list[str]:
    return [
        Message(
            "block %(block)s: no stimulus has %(what)s %(value)s",
            block=block.key,
            what=what,
            value=value,
        )
        for block in study.blocks
        for field, (attribute, what) in ATTRIBUTES.items()
        for value in getattr(block, field)
        if not any(getattr(stimulus, attribute) == value for stimulus in stimuli)
    ]


def _lacks(study: Study, condition: str, stimuli: Sequence[Stimulus]) -> list[str]:
    """The faults of a few trial plans; every block order that matters to one is among them."""
    lacks: list[str] = []
    for number in range(len(study.blocks) or 1):
        rng = random.Random(number)  # noqa: S311 (a plan, not a secret)
        try:
            plan_trials(study, stimuli, number=number, condition=condition, exposures={}, rng=rng)
        except DesignError as error:
            lacks += [lack for lack in error.faults if isinstance(lack, str)]
    return lacks


def _condition_names(study: Study) -> list[str]:
    return [condition.name for condition in study.conditions] or [""]


def _blocks_of(study: Study, condition: str, number: int, rng: random.Random) -> list[Block]:
    """The blocks of a participant in order, each with this participant's levels."""
    if condition not in _condition_names(study):
        raise DesignError([f"the study has no condition {condition!r}"])
    keys = next((c.blocks for c in study.conditions if c.name == condition), ())
    blocks = [block for block in study.blocks if not keys or block.key in keys]
    orders = _orders(study.block_order, len(blocks))
    between = [
        (i, field)
        for i, block in enumerate(blocks)
        for field, varies in FACTORS.items()
        if getattr(block, varies) == "between" and getattr(block, field)
    ]
    sizes = [len(getattr(blocks[i], field)) for i, field in between]
    turn, *levels = crossed(number, [len(orders), *sizes])
    for (i, field), level in zip(between, levels, strict=True):
        one_level: dict[str, Any] = {field: (getattr(blocks[i], field)[level],)}
        blocks[i] = replace(blocks[i], **one_level)
    if study.block_order == "random":
        rng.shuffle(blocks)
    return [blocks[i] for i in orders[turn]]


def _orders(block_order: str, size: int) -> list[list[int]]:
    if block_order == "counterbalanced":
        return williams(size)
    if block_order == "one":
        return [[i] for i in range(size)]
    return [list(range(size))]


def _choose(
    study: Study,
    blocks: Sequence[Block],
    stimuli: Sequence[Stimulus],
    exposures: Exposures,
    rng: random.Random,
) -> dict[str, list[Item]]:
    """The main items of each block, by its key."""
    if study.share_stimuli:
        return {block.key: Selector(block, stimuli, exposures, rng).choose() for block in blocks}
    for attempt in range(ATTEMPTS):
        try:
            return _divide(blocks, stimuli, exposures, rng, sparing=attempt > 0)
        except DesignError as error:
            faults = error.faults
            if len(blocks) == 1:
                raise
    raise DesignError(
        [Message("%(fault)s, as blocks don't share stimuli", fault=fault) for fault in faults]
    )


def _divide(
    blocks: Sequence[Block],
    stimuli: Sequence[Stimulus],
    exposures: Exposures,
    rng: random.Random,
    sparing: bool,
) -> dict[str, list[Item]]:
    """The blocks choose in a random order; with `sparing`, each thinks of those to come."""
    chosen: dict[str, list[Item]] = {}
    used: set[str] = set()
    order = rng.sample(blocks, len(blocks))
    for i, block in enumerate(order):
        later = (scenes_of(other, stimuli) for other in order[i + 1 :])
        wanted = Counter(name for scenes in later for name in scenes) if sparing else None
        items = Selector(block, stimuli, exposures, rng, used, wanted).choose()
        used.update(name for item in items for name in item.scenes)
        chosen[block.key] = items
    return chosen


def _leans(
    block: Block, items: Sequence[Item], exposures: Exposures, rng: random.Random
) -> list[float]:
    """How far each item is due to be swapped: how much oftener its first has been on the left.

    Chance decides where both sides came equally often, more weakly than any count.
    """
    leans: list[float] = []
    for item in items:
        first, second = (_lefts(block, stimulus, exposures) for stimulus in item.stimuli)
        leans.append(first - second or rng.choice((-0.5, 0.5)))
    return leans


def _lefts(block: Block, stimulus: Stimulus, exposures: Exposures) -> int:
    """How much oftener a stimulus has been on the left than on the right."""
    shown = exposures.get((block.key, stimulus.id), 0)
    return 2 * exposures.get((block.key, left_unit(stimulus.id)), 0) - shown


def _mains(
    block: Block, items: Sequence[Item], exposures: Exposures, rng: random.Random
) -> list[Draft]:
    """The main trials with their sides, exposures and labels, each balanced over the others."""
    swaps = _swaps(block, items, exposures, rng)
    durations = rng.sample(block.exposures_ms or (None,), len(block.exposures_ms) or 1)
    disclosures = rng.sample(block.disclosures, len(block.disclosures))
    sides = sorted(
        zip(items, swaps, strict=True), key=lambda side: (side[0].stratum, side[1], rng.random())
    )
    mains = []
    for i, (item, swapped) in enumerate(sides):
        duration, label = crossed(i, [len(durations), len(disclosures)])
        mains.append(Draft("main", item, swapped, durations[duration], disclosures[label]))
    return mains


def _swaps(
    block: Block, items: Sequence[Item], exposures: Exposures, rng: random.Random
) -> list[bool]:
    if not block.is_pair_task:
        return [False] * len(items)
    if block.pairing == "ai_vs_ai":
        return oriented([_generators(item) for item in items], rng)
    leans = _leans(block, items, exposures, rng)
    return balanced_sides([item.stratum for item in items], leans, rng)


def _generators(item: Item) -> tuple[str, str]:
    first, second = (stimulus.generator for stimulus in item.stimuli)
    return first, second


def _trials_of(
    block: Block,
    mains: Sequence[Draft],
    supply: CatchSupply,
    before: Sequence[Draft],
    rng: random.Random,
) -> list[Draft]:
    practice = supply.practice(block)
    order = arrange_with_repeats(mains, block.repeats, rng, practice[-1:] or before)
    return practice + insert_in_the_middle(order, supply.catch(block), rng)


def _numbered(blocks: Sequence[Block], plan: Sequence[Sequence[Draft]]) -> list[PlannedTrial]:
    drafts = [(i, draft) for i, trials in enumerate(plan) for draft in trials]
    index = {draft: i for i, (_, draft) in enumerate(drafts)}
    return [_planned(i, blocks[i], draft, index) for i, draft in drafts]


def _planned(number: int, block: Block, draft: Draft, index: Mapping[Draft, int]) -> PlannedTrial:
    ids = [stimulus.id for stimulus in draft.item.stimuli]
    left, right = (reversed(ids) if draft.swapped else ids) if block.is_pair_task else ("", "")
    return PlannedTrial(
        block=number,
        block_key=block.key,
        index=index[draft],
        kind=draft.kind,
        repeat_of=None if draft.original is None else index[draft.original],
        task=block.task,
        question=block.question,
        pair_id=draft.item.pair_id,
        left_id=left,
        right_id=right,
        stimulus_id="" if block.is_pair_task else ids[0],
        exposure_ms=draft.exposure_ms,
        disclosure=draft.disclosure,
    )
