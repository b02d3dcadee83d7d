"""Balance across participants: exposures, sides, block orders, levels and conditions."""

import math
import random
from collections import Counter, deque
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey.design import (
    Condition,
    PlannedTrial,
    Stimulus,
    Study,
    choose_condition,
    exposure_units,
    plan_trials,
)
from survey.design.ordering import balanced_sides, crossed, oriented, williams
from survey.design.selection import pool
from tests.design_samples import examples, make_block, make_pool, make_study

AT_ONCE = 16
DROPOUT = 0.3


def simulate(study: Study, stimuli: list[Stimulus], seed: int) -> tuple[Counter, list[list]]:
    """500 participants, 16 at a time, of whom 30 % drop out and give their exposures back.

    Returns the exposures that stay, and the plans of those who finished.
    """
    rng = random.Random(seed)
    exposures: Counter = Counter()
    under_way: deque[tuple[list[PlannedTrial], bool]] = deque()
    finished = []
    for number in range(500 + AT_ONCE):
        if number < 500:
            plan = plan_trials(
                study, stimuli, number=number, condition="", exposures=exposures, rng=rng
            )
            exposures.update(units(plan))
            under_way.append((plan, rng.random() < DROPOUT))
        if len(under_way) > AT_ONCE or number >= 500:
            plan, drops = under_way.popleft()
            if drops:
                exposures.subtract(units(plan))
            else:
                finished.append(plan)
    return exposures, finished


def units(plan: list[PlannedTrial]) -> Counter:
    return Counter(
        (trial.block_key, unit)
        for trial in plan
        if trial.kind == "main"
        for unit in exposure_units(trial)
    )


PREFERENCE = make_block("preference", "prefer_pair", 16)
DETECTION = make_block("detection", "detect_pair", 16)
SIMULATED = {
    "all pairs, shared": (make_study(PREFERENCE, DETECTION, share_stimuli=True), make_pool(16)),
    "some pairs, shared": (make_study(PREFERENCE, DETECTION, share_stimuli=True), make_pool(50)),
    "all pairs, divided": (make_study(PREFERENCE, DETECTION), make_pool(33)),
    "versions": (make_study(DETECTION), make_pool(20, versions=3)),
    "singles": (
        make_study(make_block("one", "detect_single", 12), make_block("two", "rate_single", 12)),
        make_pool(20),
    ),
    "drawn": (make_study(make_block(trials=12, pairing="random")), make_pool(20, categories=2)),
    "generators": (
        make_study(make_block(task="prefer_pair", trials=12, pairing="ai_vs_ai")),
        make_pool(20, versions=3),
    ),
}


@pytest.mark.parametrize("name", SIMULATED)
def test_exposures_differ_by_less_than_a_block_and_sides_stay_even(name):
    study, stimuli = SIMULATED[name]
    exposures, finished = simulate(study, stimuli, seed=1)
    for block in study.blocks:
        stimulus_ids = {
            is_real: [s.id for s in pool(block, stimuli) if (s.origin == "real") == is_real]
            for is_real in (True, False)
        }
        pair_ids = {unit for key, unit in exposures if key == block.key and unit in PAIRS}
        for equals in (*stimulus_ids.values(), pair_ids):
            found = [exposures[block.key, unit] for unit in equals] or [0]
            assert max(found) - min(found) <= block.trials
    # Sides by chance alone would reach about 25 for some pair.
    assert max(leads(finished).values(), default=0) <= 12


PAIRS = {f"pair{n:02}" for n in range(50)}


def leads(plans: list[list[PlannedTrial]]) -> Counter:
    """How much oftener the real or the other stimulus of each matched pair was on the left."""
    found: Counter = Counter()
    for trial in (trial for plan in plans for trial in plan):
        sides = [side.endswith("real") for side in (trial.left_id, trial.right_id)]
        if trial.pair_id and any(sides):
            found[trial.block_key, trial.pair_id] += 1 if sides[0] else -1
    return Counter({unit: abs(lead) for unit, lead in found.items()})


def test_blocks_that_share_pairs_do_not_share_sides():
    study, stimuli = SIMULATED["all pairs, shared"]
    same = Counter()
    for number in range(50):
        rng = random.Random(number)
        plan = plan_trials(study, stimuli, number=number, condition="", exposures={}, rng=rng)
        left = {(trial.block_key, trial.pair_id): trial.left_id for trial in plan}
        same.update(left["preference", pair] == left["detection", pair] for _, pair in left)
    assert 0.4 < same[True] / same.total() < 0.6


def first_blocks(study: Study, count: int) -> list[tuple[str, ...]]:
    orders = []
    for number in range(count):
        rng = random.Random(number)
        plan = plan_trials(study, make_pool(12), number=number, condition="", exposures={}, rng=rng)
        orders.append(tuple(dict.fromkeys(trial.block_key for trial in plan)))
    return orders


THREE = [make_block(key, trials=4) for key in ("one", "two", "three")]


def test_fixed_order_is_the_order_of_the_study():
    assert set(first_blocks(make_study(*THREE), 10)) == {("one", "two", "three")}


def test_counterbalanced_order_gives_each_order_equally_often():
    orders = Counter(first_blocks(make_study(*THREE, block_order="counterbalanced"), 12))
    assert len(orders) == 6
    assert set(orders.values()) == {2}


def test_random_order_gives_every_order():
    orders = Counter(first_blocks(make_study(*THREE, block_order="random"), 200))
    assert len(orders) == 6
    assert min(orders.values()) > 10


def test_one_block_a_participant_takes_turns():
    orders = Counter(first_blocks(make_study(*THREE, block_order="one"), 12))
    assert orders == {("one",): 4, ("two",): 4, ("three",): 4}


def test_levels_between_participants_are_crossed_with_the_order():
    varied = make_block(
        "varied", trials=4, exposures_ms=(100, 500, 1000), exposure_varies="between"
    )
    study = make_study(varied, THREE[0], block_order="counterbalanced")
    found = Counter()
    for number in range(12):
        rng = random.Random(number)
        plan = plan_trials(study, make_pool(8), number=number, condition="", exposures={}, rng=rng)
        levels = {trial.exposure_ms for trial in plan if trial.block_key == "varied"}
        found[plan[0].block_key, *levels] += 1
    assert found == dict.fromkeys(product(("varied", "one"), (100, 500, 1000)), 2)


def test_condition_decides_which_blocks_are_shown():
    conditions = (Condition("short", blocks=("one",)), Condition("long"))
    study = make_study(*THREE, conditions=conditions)
    blocks = {
        name: {
            trial.block_key
            for trial in plan_trials(
                study,
                make_pool(12),
                number=0,
                condition=name,
                exposures={},
                rng=random.Random(0),
            )
        }
        for name in ("short", "long")
    }
    assert blocks == {"short": {"one"}, "long": {"one", "two", "three"}}


@examples
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 2**32))
def test_conditions_fill_by_their_weights(weights, seed):
    conditions = tuple(Condition(f"c{i}", weight) for i, weight in enumerate(weights))
    study = make_study(make_block(), conditions=conditions)
    rng = random.Random(seed)
    counts: Counter = Counter()
    for _ in range(3 * sum(weights)):
        counts[choose_condition(study, counts, rng)] += 1
    assert counts == {condition.name: 3 * condition.weight for condition in conditions}


def test_conditions_without_counts_come_by_chance_and_weight():
    study = make_study(make_block(), conditions=(Condition("a", 1), Condition("b", 3)))
    rng = random.Random(1)
    counts = Counter(choose_condition(study, {}, rng) for _ in range(1000))
    assert 700 < counts["b"] < 800


def test_study_without_conditions_has_one_without_a_name():
    assert choose_condition(make_study(make_block()), {}, random.Random(0)) == ""


@examples
@given(st.lists(st.integers(1, 6), min_size=1, max_size=3))
def test_crossed_gives_every_combination_once(sizes):
    found = [tuple(crossed(number, sizes)) for number in range(math.prod(sizes))]
    assert sorted(found) == sorted(product(*map(range, sizes)))


@examples
@given(st.lists(st.integers(1, 6), min_size=1, max_size=3), st.integers(1, 300))
def test_crossed_balances_each_factor_at_any_time(sizes, count):
    for factor, size in enumerate(sizes):
        counts = Counter(crossed(number, sizes)[factor] for number in range(count))
        found = [counts[level] for level in range(size)]
        assert max(found) - min(found) <= 1


@pytest.mark.parametrize("size", range(1, 8))
def test_williams_lets_each_item_follow_each_other_equally_often(size):
    rows = williams(size)
    follows = Counter(pair for row in rows for pair in pairwise(row))
    positions = Counter(place for row in rows for place in enumerate(row))
    assert set(follows.values()) <= {len(rows) // size}
    assert len(follows) == size * (size - 1)
    assert set(positions.values()) == {len(rows) // size}


@examples
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-3, 3)), max_size=30),
    st.integers(0, 2**32),
)
def test_balanced_sides_are_equal_within_one_in_all_and_in_each_stratum(items, seed):
    strata = [stratum for stratum, _ in items]
    leans = [lean or 0.5 for _, lean in items]
    swaps = balanced_sides(strata, leans, random.Random(seed))
    assert abs(2 * sum(swaps) - len(swaps)) <= 1
    for stratum in set(strata):
        own = [swap for swap, name in zip(swaps, strata, strict=True) if name == stratum]
        assert abs(2 * sum(own) - len(own)) <= 1


def test_balanced_sides_follow_the_leans_where_they_balance():
    swaps = balanced_sides(["a"] * 4, [1, -1, 0.5, -0.5], random.Random(0))
    assert swaps == [True, False, True, False]


def test_balanced_sides_overrule_the_weakest_lean():
    swaps = balanced_sides(["a"] * 4, [3, 2, 0.5, -1], random.Random(0))
    assert swaps == [True, True, False, False]


@examples
@given(
    st.lists(st.permutations("abcd").map(lambda order: tuple(order[:2])), max_size=30),
    st.integers(0, 2**32),
)
def test_oriented_puts_each_node_first_as_often_as_second(edges, seed):
    turned = oriented(edges, random.Random(seed))
    firsts = Counter(edge[turn] for edge, turn in zip(edges, turned, strict=True))
    seconds = Counter(edge[not turn] for edge, turn in zip(edges, turned, strict=True))
    assert all(abs(firsts[node] - seconds[node]) <= 1 for node in "abcd")
