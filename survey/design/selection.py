"""Which stimuli a participant sees: what a block may show, and the least shown of it first."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import groupby

from survey.design.study import Block, PlannedTrial, Stimulus
from survey.design.validation import DesignError
from survey.messages import Message

Exposures = Mapping[tuple[str, str], int]
Version = tuple[str, str, float | None]


@dataclass(frozen=True, slots=True)
class Item:
    """What one trial shows: one stimulus, or two whose sides are not yet decided.

    Of a real and another stimulus the real one is `first`.
    """

    first: Stimulus
    second: Stimulus | None = None
    pair_id: str = ""

    @property
    def stimuli(self) -> tuple[Stimulus, ...]:
        return (self.first,) if self.second is None else (self.first, self.second)

    @property
    def scenes(self) -> frozenset[str]:
        return frozenset(map(scene, self.stimuli))

    @property
    def stratum(self) -> str:
        """The origins shown, over which sides, exposures and labels are balanced."""
        return "-".join(stimulus.origin for stimulus in self.stimuli)


def scene(stimulus: Stimulus) -> str:
    """What a stimulus shows: stimuli of one pair show the same."""
    return f"pair {stimulus.pair_id}" if stimulus.pair_id else f"stimulus {stimulus.id}"


def exposure_units(trial: PlannedTrial) -> tuple[str, ...]:
    """What a trial adds one to in `exposures`: its stimuli, its matched pair, who was left."""
    if trial.stimulus_id:
        return (trial.stimulus_id,)
    sides = (trial.left_id, trial.right_id, left_unit(trial.left_id))
    return (trial.pair_id, *sides) if trial.pair_id else sides


def left_unit(stimulus_id: str) -> str:
    """Under which name `exposures` counts how often a stimulus was on the left."""
    return f"left:{stimulus_id}"


def group(stimuli: Iterable[Stimulus], key: Callable[[Stimulus], str]) -> dict[str, list[Stimulus]]:
    groups: dict[str, list[Stimulus]] = defaultdict(list)
    for stimulus in stimuli:
        groups[key(stimulus)].append(stimulus)
    return groups


def without_catch(stimuli: Sequence[Stimulus]) -> list[Stimulus]:
    """The stimuli of the main trials: no catch stimulus, nor what shows the same as one."""
    held_out = {scene(stimulus) for stimulus in stimuli if stimulus.is_catch}
    return [stimulus for stimulus in stimuli if scene(stimulus) not in held_out]


def pool(block: Block, stimuli: Sequence[Stimulus]) -> list[Stimulus]:
    """The stimuli that the main trials of a block may show, in the order of their ids."""
    allowed = [stimulus for stimulus in without_catch(stimuli) if _takes(block, stimulus)]
    return sorted(allowed, key=lambda stimulus: stimulus.id)


def scenes_of(block: Block, stimuli: Sequence[Stimulus]) -> set[str]:
    return {scene(stimulus) for stimulus in pool(block, stimuli)}


def _takes(block: Block, stimulus: Stimulus) -> bool:
    if block.categories and stimulus.category not in block.categories:
        return False
    if stimulus.origin == "real":
        return block.pairing != "ai_vs_ai"
    return (
        (not block.origins or stimulus.origin in block.origins)
        and (not block.generators or stimulus.generator in block.generators)
        and (not block.enhancement_levels or stimulus.enhancement_level in block.enhancement_levels)
    )


_REAL_OR_NOT = ((True, Message("real stimuli")), (False, Message("stimuli that are not real")))


class Selector:
    """Chooses the main trials of one block, the least shown first."""

    def __init__(
        self,
        block: Block,
        stimuli: Sequence[Stimulus],
        exposures: Exposures,
        rng: random.Random,
        used: Set[str] = frozenset(),
        wanted: Mapping[str, int] | None = None,
    ) -> None:
        """Scenes in `used` are out of reach.

        With `wanted`, the number of later blocks that could show a scene, the block takes what
        they want least and as few scenes as it can.
        """
        self.block = block
        self.exposures = exposures
        self.rng = rng
        self.wanted = wanted
        self.available = [s for s in pool(block, stimuli) if scene(s) not in used]

    def choose(self) -> list[Item]:
        """The items of the main trials. Raises DesignError if the stimuli don't suffice."""
        if not self.block.is_pair_task:
            return self._singles()
        return {
            "matched": self._matched,
            "random": self._random,
            "ai_vs_ai": self._ai_vs_ai,
        }[self.block.pairing]()

    def _need(self, found: int, needed: int, what: Message) -> None:
        if found < needed:
            lack = Message(
                "block %(block)s needs %(needed)s %(what)s, there are %(found)s",
                block=self.block.key,
                needed=needed,
                what=what,
                found=found,
            )
            raise DesignError([lack])

    def _shown(self, unit: str) -> int:
        return self.exposures.get((self.block.key, unit), 0)

    def _want(self, where: str) -> int:
        return self.wanted.get(where, 0) if self.wanted else 0

    def _least_shown(self, stimuli: Iterable[Stimulus]) -> list[Stimulus]:
        """The least shown first, ties in random order."""
        return sorted(stimuli, key=lambda s: (self._rank(s), self.rng.random()))

    def _rank(self, stimulus: Stimulus) -> tuple[int, int]:
        return self._want(scene(stimulus)), self._shown(stimulus.id)

    def _singles(self) -> list[Item]:
        """Half real, half not, and nothing shown in two versions as long as that can be had."""
        half = self.block.trials // 2
        chosen: list[Stimulus] = []
        for is_real, what in _REAL_OR_NOT:
            order = self._least_shown(s for s in self.available if (s.origin == "real") == is_real)
            self._need(len(order), half, what)
            chosen += self._new_scenes_first(order, set(map(scene, chosen)))[:half]
        return [Item(s, pair_id=s.pair_id) for s in chosen]

    def _new_scenes_first(self, order: Sequence[Stimulus], seen: set[str]) -> list[Stimulus]:
        """Among equals of `order`, what the block has not yet shown in another version.

        A block that spares scenes takes, before all else, other versions of what it shows.
        """
        if self.wanted is not None:
            return sorted(order, key=lambda s: scene(s) not in seen)
        result: list[Stimulus] = []
        for _, tied in groupby(order, key=self._rank):
            new: list[Stimulus] = []
            again: list[Stimulus] = []
            for stimulus in tied:
                (again if scene(stimulus) in seen else new).append(stimulus)
                seen.add(scene(stimulus))
            result += new + again
        return result

    def _matched(self) -> list[Item]:
        pairs = group((s for s in self.available if s.pair_id), lambda s: s.pair_id)
        complete = [pair for pair, members in pairs.items() if has_both(members)]
        self._need(
            len(complete), self.block.trials, Message("pairs of a real and another stimulus")
        )
        complete.sort(
            key=lambda pair: (self._want(f"pair {pair}"), self._shown(pair), self.rng.random())
        )
        times: Counter[Version] = Counter()
        return [self._versions(pairs[pair], times) for pair in complete[: self.block.trials]]

    def _versions(self, members: Sequence[Stimulus], times: Counter[Version]) -> Item:
        """The real stimulus and one of the others, so that each version comes equally often."""
        order = self._least_shown(members)
        real = next(s for s in order if s.origin == "real")
        other = min((s for s in order if s.origin != "real"), key=lambda s: times[_version(s)])
        times[_version(other)] += 1
        return Item(real, other, real.pair_id)

    def _random(self) -> list[Item]:
        """The others by exposure while their category has a real one left, then the real ones."""
        reals = group((s for s in self.available if s.origin == "real"), lambda s: s.category)
        others: dict[str, list[Stimulus]] = {category: [] for category in reals}
        order = self._least_shown(s for s in self.available if s.origin != "real")
        for stimulus in self._new_scenes_first(order, set()):
            found = sum(map(len, others.values()))
            taken = others.get(stimulus.category, [])
            if found < self.block.trials and len(taken) < len(reals.get(stimulus.category, ())):
                taken.append(stimulus)
        found = sum(map(len, others.values()))
        what = Message("stimuli that are not real, each with a real one of its category")
        self._need(found, self.block.trials, what)
        seen = {scene(other) for members in others.values() for other in members}
        items: list[Item] = []
        for category, members in others.items():
            real_order = self._new_scenes_first(self._least_shown(reals[category]), seen)
            partners = self.rng.sample(real_order[: len(members)], len(members))
            items += [Item(real, other) for real, other in zip(partners, members, strict=True)]
        return items

    def _ai_vs_ai(self) -> list[Item]:
        """Two generators' stimuli of one pair; those without a pair, of one category."""
        groups = group(self.available, lambda s: scene(s) if s.pair_id else f"of {s.category}")
        items = [item for members in groups.values() for item in self._pair_off(members)]
        self._need(len(items), self.block.trials, Message("pairs of stimuli by two generators"))
        self.rng.shuffle(items)
        items.sort(key=lambda item: sum(self._shown(s.id) for s in item.stimuli))
        items.sort(key=lambda item: sum(map(self._want, item.scenes)))
        return items[: self.block.trials]

    def _pair_off(self, members: list[Stimulus]) -> list[Item]:
        """As many pairs of different generators as one group gives.

        Taking from the two generators with most stimuli left never strands one in vain.
        """
        left = group(self._least_shown(members), lambda s: s.generator)
        items: list[Item] = []
        while len(left) > 1:
            most = sorted(left, key=lambda name: (-len(left[name]), self.rng.random()))[:2]
            one, two = (left[name].pop(0) for name in most)
            items.append(Item(one, two, one.pair_id))
            left = {name: rest for name, rest in left.items() if rest}
        return items


def has_both(members: Sequence[Stimulus]) -> bool:
    return len({stimulus.origin == "real" for stimulus in members}) == 2


def _version(stimulus: Stimulus) -> Version:
    return stimulus.origin, stimulus.generator, stimulus.enhancement_level
