"""Practice and catch trials: the few obvious stimuli, taken in turns."""

import random
from collections import Counter
from collections.abc import Sequence, Set

from survey.design.ordering import Draft
from survey.design.selection import Item, group, has_both, scene
from survey.design.study import Block, Stimulus
from survey.design.validation import DesignError
from survey.messages import Message


class CatchSupply:
    """Gives out the catch stimuli and their pairs, those used least so far first."""

    def __init__(self, stimuli: Sequence[Stimulus], rng: random.Random) -> None:
        obvious = {scene(stimulus) for stimulus in stimuli if stimulus.is_catch}
        self.rng = rng
        self.stimuli = sorted((s for s in stimuli if scene(s) in obvious), key=lambda s: s.id)
        self.times: Counter[str] = Counter()

    def practice(self, block: Block) -> list[Draft]:
        """The practice trials of a block, never the same pair or stimulus twice in a row."""
        items = self._pairs() if block.is_pair_task else [_single(s) for s in self.stimuli]
        drafts: list[Draft] = []
        for _ in range(block.practice):
            avoid = drafts[-1].item.scenes if drafts else frozenset()
            need = Message("block %(block)s needs a practice trial", block=block.key)
            item = self._take(items, avoid, need)
            exposure_ms = self.rng.choice(block.exposures_ms or (None,))
            drafts.append(self._draft("practice", block, item, exposure_ms))
        return drafts

    def catch(self, block: Block) -> list[Draft]:
        """The catch trials of a block, at its longest exposure."""
        fakes = [s for s in self.stimuli if s.is_catch and s.origin != "real"]
        items = self._pairs() if block.is_pair_task else [_single(s) for s in fakes]
        need = Message("block %(block)s needs a catch trial", block=block.key)
        longest = max(block.exposures_ms, default=None)
        taken = [self._take(items, frozenset(), need) for _ in range(block.catch_trials)]
        return [self._draft("catch", block, item, longest) for item in taken]

    def _pairs(self) -> list[Item]:
        pairs = group((s for s in self.stimuli if s.pair_id), lambda s: s.pair_id)
        return [_obvious(members) for members in pairs.values() if has_both(members)]

    def _take(self, items: Sequence[Item], avoid: Set[str], need: Message) -> Item:
        fitting = [item for item in items if not item.scenes & avoid]
        if not fitting:
            if items:
                raise DesignError([Message("%(need)s: mark a second image as obvious", need=need)])
            raise DesignError([Message("%(need)s: mark an image as obvious", need=need)])
        item = min(fitting, key=lambda item: (self._used(item), self.rng.random()))
        self.times.update([*item.scenes, item.stratum])
        return item

    def _used(self, item: Item) -> tuple[int, int]:
        return sum(self.times[name] for name in item.scenes), self.times[item.stratum]

    def _draft(self, kind: str, block: Block, item: Item, exposure_ms: int | None) -> Draft:
        hidden = "hidden" in block.disclosures
        disclosure = "hidden" if hidden else self.rng.choice(block.disclosures)
        return Draft(kind, item, self.rng.random() < 0.5, exposure_ms, disclosure)


def _single(stimulus: Stimulus) -> Item:
    return Item(stimulus, pair_id=stimulus.pair_id)


def _obvious(members: Sequence[Stimulus]) -> Item:
    real = next(s for s in members if s.origin == "real")
    others = [s for s in members if s.origin != "real"]
    return Item(real, max(others, key=lambda s: s.is_catch), real.pair_id)
