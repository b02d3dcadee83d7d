"""The balance rules within one participant, on random designs, pools, counts and seeds."""

import os
import random
import subprocess
import sys
from collections import Counter
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey.design import (
    Block,
    DesignError,
    PlannedTrial,
    Stimulus,
    Study,
    plan_trials,
    shortage,
    validate,
)
from tests.design_samples import (
    by_block,
    demo_stimuli,
    designs,
    examples,
    exposure_counts,
    make_block,
    make_pool,
    make_study,
)

numbers = st.integers(0, 1000)
seeds = st.integers(0, 2**32)


@st.composite
def plans(draw: st.DrawFn) -> tuple[Study, dict[str, Stimulus], list[PlannedTrial]]:
    """A random study, its stimuli by id, and the plan of one participant."""
    study, stimuli = draw(designs())
    exposures = draw(exposure_counts(study, stimuli))
    rng = random.Random(draw(seeds))
    number = draw(numbers)
    plan = plan_trials(study, stimuli, number=number, condition="", exposures=exposures, rng=rng)
    return study, {stimulus.id: stimulus for stimulus in stimuli}, plan


def plan_one(block: Block, stimuli: list[Stimulus], seed: int = 0) -> list[PlannedTrial]:
    study = make_study(block)
    validate(study)
    rng = random.Random(seed)
    return plan_trials(study, stimuli, number=seed, condition="", exposures={}, rng=rng)


def shown(trial: PlannedTrial) -> list[str]:
    return [name for name in (trial.left_id, trial.right_id, trial.stimulus_id) if name]


def spread(counts: Counter, levels: object) -> int:
    """How much the counts of the levels differ; a level that never came counts as 0."""
    found = [counts[level] for level in levels]
    return max(found) - min(found)


def test_few_stimuli_paired_at_random_always_find_an_order():
    blocks = [make_block(f"block{i}", trials=4, pairing="random") for i in range(3)]
    study, stimuli = make_study(*blocks, share_stimuli=False), make_pool(12)
    for seed in range(60):
        rng = random.Random(seed)
        plan = plan_trials(study, stimuli, number=seed, condition="", exposures={}, rng=rng)
        assert len(plan) == 12


@examples
@given(plans())
def test_plan_has_the_trials_that_each_block_asks_for(sample):
    study, _, plan = sample
    for block in study.blocks:
        trials = by_block(plan).get(block.key, [])
        if study.block_order == "one" and not trials:
            continue
        kinds = Counter(trial.kind for trial in trials)
        assert kinds == +Counter(
            main=block.trials,
            practice=block.practice,
            catch=block.catch_trials,
            repeat=block.repeats,
        )


@examples
@given(plans())
def test_plan_numbers_trials_and_blocks_in_order(sample):
    _, _, plan = sample
    assert [trial.index for trial in plan] == list(range(len(plan)))
    assert [trial.block for trial in plan] == sorted(trial.block for trial in plan)
    assert len({(trial.block, trial.block_key) for trial in plan}) == len(by_block(plan))


@examples
@given(plans())
def test_sides_of_pairs_are_balanced_within_one(sample):
    study, stimuli, plan = sample
    for block in study.blocks:
        mains = by_block(plan, "main").get(block.key, [])
        if block.is_pair_task and block.pairing != "ai_vs_ai" and mains:
            sides = Counter(stimuli[trial.left_id].origin == "real" for trial in mains)
            assert spread(sides, (True, False)) <= 1


@examples
@given(plans())
def test_sides_are_balanced_for_each_origin(sample):
    study, stimuli, plan = sample
    for block in study.blocks:
        mains = by_block(plan, "main").get(block.key, [])
        if block.is_pair_task and block.pairing != "ai_vs_ai":
            for origin in ("ai", "enhanced"):
                left = sum(stimuli[trial.left_id].origin == origin for trial in mains)
                right = sum(stimuli[trial.right_id].origin == origin for trial in mains)
                assert abs(left - right) <= 1


@examples
@given(plans())
def test_each_generator_is_left_as_often_as_right(sample):
    study, stimuli, plan = sample
    for block in study.blocks:
        if block.pairing == "ai_vs_ai":
            mains = by_block(plan, "main").get(block.key, [])
            left = Counter(stimuli[trial.left_id].generator for trial in mains)
            right = Counter(stimuli[trial.right_id].generator for trial in mains)
            assert all(abs(left[name] - right[name]) <= 1 for name in left | right)


@examples
@given(plans())
def test_single_tasks_show_as_many_real_as_other_stimuli(sample):
    study, stimuli, plan = sample
    for block in study.blocks:
        mains = by_block(plan, "main").get(block.key, [])
        if not block.is_pair_task and mains:
            real = sum(stimuli[trial.stimulus_id].origin == "real" for trial in mains)
            assert real == block.trials // 2


@examples
@given(plans())
def test_no_stimulus_comes_twice_in_a_block_but_in_repeats(sample):
    _, _, plan = sample
    for mains in by_block(plan, "main").values():
        names = [name for trial in mains for name in shown(trial)]
        assert len(names) == len(set(names))


@examples
@given(plans())
def test_pairs_hold_what_their_pairing_says(sample):
    study, stimuli, plan = sample
    pairing = {block.key: block.pairing for block in study.blocks}
    for trial in plan:
        if trial.kind == "main" and trial.left_id:
            sides = [stimuli[trial.left_id], stimuli[trial.right_id]]
            reals = sum(side.origin == "real" for side in sides)
            assert reals == (0 if pairing[trial.block_key] == "ai_vs_ai" else 1)
            assert sides[0].category == sides[1].category
            if pairing[trial.block_key] == "matched":
                assert {side.pair_id for side in sides} == {trial.pair_id}
            if reals == 0:
                assert sides[0].generator != sides[1].generator


@examples
@given(plans())
def test_main_trials_never_show_what_a_catch_stimulus_shows(sample):
    _, stimuli, plan = sample
    obvious = {stimulus.pair_id for stimulus in stimuli.values() if stimulus.is_catch}
    for trial in plan:
        pairs = {stimuli[name].pair_id for name in shown(trial)}
        assert pairs <= obvious if trial.kind in ("practice", "catch") else not pairs & obvious


@examples
@given(plans())
def test_neighbours_never_show_the_same_pair_or_stimulus(sample):
    _, stimuli, plan = sample
    for one, two in pairwise(plan):
        pairs = [{stimuli[name].pair_id for name in shown(trial)} for trial in (one, two)]
        assert not pairs[0] & pairs[1]


@examples
@given(plans())
def test_blocks_share_pairs_only_where_the_study_allows_it(sample):
    study, stimuli, plan = sample
    if not study.share_stimuli:
        seen = [
            {stimuli[name].pair_id for trial in mains for name in shown(trial)}
            for mains in by_block(plan, "main").values()
        ]
        assert sum(map(len, seen)) == len(set().union(*seen))


@examples
@given(plans())
def test_repeats_swap_sides_and_keep_the_rest(sample):
    _, _, plan = sample
    for trial in plan:
        if trial.kind == "repeat":
            original = plan[trial.repeat_of]
            assert original.kind == "main"
            assert original.block == trial.block
            assert (trial.left_id, trial.right_id) == (original.right_id, original.left_id)
            assert trial.stimulus_id == original.stimulus_id
            assert trial.pair_id == original.pair_id
            assert trial.exposure_ms == original.exposure_ms
            assert trial.disclosure == original.disclosure
        else:
            assert trial.repeat_of is None


@examples
@given(plans())
def test_repeats_are_far_from_their_originals_and_none_comes_twice(sample):
    study, _, plan = sample
    for block in study.blocks:
        repeats = by_block(plan, "repeat").get(block.key, [])
        assert all(t.index - t.repeat_of >= max(2, block.trials // 3) for t in repeats)
        assert len({trial.repeat_of for trial in repeats}) == len(repeats)


@examples
@given(plans())
def test_practice_comes_first_and_catch_trials_in_the_middle(sample):
    _, _, plan = sample
    for trials in by_block(plan).values():
        kinds = [trial.kind for trial in trials]
        practice = kinds.count("practice")
        assert kinds[:practice] == ["practice"] * practice
        rest = kinds[practice:]
        margin = max(1, (len(rest) - rest.count("catch")) // 4)
        assert "catch" not in rest[:margin] + rest[-margin:]
        assert all("catch" not in pair or pair[0] != pair[1] for pair in pairwise(rest))


@examples
@given(plans())
def test_exposures_and_labels_are_balanced_within_one(sample):
    study, _, plan = sample
    for block in study.blocks:
        mains = by_block(plan, "main").get(block.key, [])
        for levels, varies, found in (
            (block.exposures_ms or (None,), block.exposure_varies, "exposure_ms"),
            (block.disclosures, block.disclosure_varies, "disclosure"),
        ):
            counts = Counter(getattr(trial, found) for trial in mains)
            if varies == "within":
                assert not mains or spread(counts, levels) <= 1
            else:
                assert len(counts) <= 1
            assert set(counts) <= set(levels)


@examples
@given(plans())
def test_catch_trials_use_the_longest_exposure(sample):
    study, _, plan = sample
    for block in study.blocks:
        if block.exposure_varies == "within":
            found = {trial.exposure_ms for trial in by_block(plan, "catch").get(block.key, [])}
            assert found <= {max(block.exposures_ms, default=None)}


@examples
@given(seeds)
def test_labels_are_crossed_with_the_truth_in_single_tasks(seed):
    levels = ("true_labels", "false_labels")
    block = make_block(task="rate_single", trials=16, disclosures=levels)
    stimuli = make_pool(16)
    origins = {stimulus.id: stimulus.origin == "real" for stimulus in stimuli}
    plan = plan_one(block, stimuli, seed)
    counts = Counter((trial.disclosure, origins[trial.stimulus_id]) for trial in plan)
    assert counts == dict.fromkeys(product(levels, (True, False)), 4)


@examples
@given(seeds)
def test_exposures_are_crossed_with_sides(seed):
    block = make_block(task="prefer_pair", trials=16, exposures_ms=(100, 500, 1000, 3000))
    stimuli = [s for s in make_pool(33) if s.origin != "ai"]
    origins = {stimulus.id: stimulus.origin for stimulus in stimuli}
    plan = plan_one(block, stimuli, seed)
    counts = Counter((trial.exposure_ms, origins[trial.left_id]) for trial in plan)
    assert counts == dict.fromkeys(product(block.exposures_ms, ("real", "enhanced")), 2)


@examples
@given(seeds)
def test_versions_of_pairs_come_equally_often(seed):
    stimuli = make_pool(12, versions=3)
    levels = {stimulus.id: stimulus.enhancement_level for stimulus in stimuli}
    counts: Counter = Counter()
    for trial in plan_one(make_block(trials=12), stimuli, seed):
        counts.update(levels[name] for name in shown(trial) if levels[name] is not None)
    assert spread(counts, counts) <= 2


@examples
@given(seeds)
def test_single_tasks_show_every_pair_once_if_they_can(seed):
    plan = plan_one(make_block(task="detect_single", trials=16), make_pool(16), seed)
    assert Counter(trial.pair_id for trial in plan) == {f"pair{n:02}": 1 for n in range(16)}


@examples
@given(seeds)
def test_practice_and_catch_trials_take_different_pairs(seed):
    plan = plan_one(make_block(practice=1, catch_trials=1), make_pool(8, catch=2), seed)
    obvious = [trial.pair_id for trial in plan if trial.kind != "main"]
    assert sorted(obvious) == ["pair08", "pair09"]


@examples
@given(seeds)
def test_least_shown_pairs_come_first(seed):
    stimuli = make_pool(12)
    exposures = {("first", f"pair{n:02}"): 3 if n < 4 else n % 2 for n in range(12)}
    study = make_study(make_block(trials=6))
    rng = random.Random(seed)
    plan = plan_trials(study, stimuli, number=0, condition="", exposures=exposures, rng=rng)
    chosen = {trial.pair_id for trial in plan}
    assert {"pair04", "pair06", "pair08", "pair10"} < chosen
    assert chosen.isdisjoint({"pair00", "pair01", "pair02", "pair03"})


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"origins": ("ai",)}, {1, 3, 5, 7}),
        ({"categories": ("category0",)}, {0, 2, 4, 6}),
        ({"generators": ("Brush",)}, {0, 1, 2, 3, 4, 5, 6, 7}),
    ],
)
def test_blocks_show_only_what_they_ask_for(filters, expected):
    stimuli = make_pool(8, categories=2)
    plan = plan_one(make_block(trials=len(expected), **filters), stimuli)
    assert {int(trial.pair_id[4:]) for trial in plan} == expected


def test_enhancement_levels_choose_the_version_of_a_pair():
    stimuli = make_pool(6, versions=3)
    plan = plan_one(make_block(trials=6, enhancement_levels=(1.0,)), stimuli)
    chosen = {name for trial in plan for name in shown(trial) if "real" not in name}
    assert chosen == {f"pair{n:02}_version2" for n in range(6)}


@examples
@given(designs(), numbers, seeds)
def test_plan_is_the_same_for_the_same_seed(design, number, seed):
    study, stimuli = design
    plans = [
        plan_trials(
            study, order, number=number, condition="", exposures={}, rng=random.Random(seed)
        )
        for order in (stimuli, stimuli[::-1])
    ]
    assert plans[0] == plans[1]


PROGRAM = """
import random
from survey.design import Block, Stimulus, Study, plan_trials
blocks = (Block("one", "detect_single", 16, practice=2), Block("two", "detect_pair", 16))
study = Study("sample", ("en",), {}, blocks)
stimuli = [
    Stimulus(f"{pair} {origin}", origin, f"pair{pair}", is_catch=pair > 40)
    for pair in range(43)
    for origin in ("real", "ai", "enhanced")
]
for seed in range(20):
    rng = random.Random(seed)
    print(plan_trials(study, stimuli, number=seed, condition="", exposures={}, rng=rng))
"""


def test_plan_does_not_depend_on_the_hash_seed_of_python():
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(outputs) == 1


@examples
@given(designs())
def test_sufficient_stimuli_have_no_shortage(design):
    assert shortage(*design) == []


@pytest.mark.parametrize(
    ("block", "stimuli", "lack"),
    [
        (
            make_block(trials=9),
            make_pool(8),
            "block first needs 9 pairs of a real and another stimulus, there are 8",
        ),
        (
            make_block(task="detect_single", trials=18),
            make_pool(8),
            "block first needs 9 real stimuli, there are 8",
        ),
        (
            make_block(task="detect_single", trials=18),
            [s for s in make_pool(9) if s.id != "pair00_version0"],
            "block first needs 9 stimuli that are not real, there are 8",
        ),
        (
            make_block(pairing="ai_vs_ai"),
            make_pool(8),
            "block first needs 8 pairs of stimuli by two generators, there are 0",
        ),
        (
            make_block(trials=8, pairing="random"),
            [s for s in make_pool(8, categories=2) if s.id != "pair00_real"],
            "block first needs 8 stimuli that are not real, each with a real one of its category,"
            " there are 7",
        ),
        (
            make_block(practice=1),
            make_pool(8, catch=0),
            "block first needs a practice trial: mark an image as obvious",
        ),
        (
            make_block(practice=2),
            make_pool(8, catch=1),
            "block first needs a practice trial: mark a second image as obvious",
        ),
        (
            make_block(catch_trials=1),
            make_pool(8, catch=0),
            "block first needs a catch trial: mark an image as obvious",
        ),
        (
            make_block(generators=("Nobody",)),
            make_pool(8),
            "block first: no stimulus has the generator Nobody",
        ),
        (
            make_block(task="detect_single", trials=2),
            make_pool(1),
            "no order keeps the same pair or stimulus out of adjacent trials",
        ),
    ],
)
def test_shortage_says_what_is_missing(block, stimuli, lack):
    assert shortage(make_study(block), stimuli)[0] == lack


def test_shortage_counts_blocks_together_where_they_do_not_share():
    blocks = [make_block("one", trials=6), make_block("two", trials=6)]
    alone = shortage(make_study(*blocks), make_pool(11))
    assert alone[0].endswith("there are 5, as blocks don't share stimuli")
    assert shortage(make_study(*blocks), make_pool(12)) == []
    assert shortage(make_study(*blocks, share_stimuli=True), make_pool(6)) == []


@examples
@given(seeds)
def test_blocks_leave_each_other_what_only_they_can_use(seed):
    narrow = make_block("narrow", trials=8, categories=("category0",))
    study = make_study(make_block("wide", trials=8), narrow)
    plan = plan_trials(
        study,
        make_pool(16, categories=2),
        number=0,
        condition="",
        exposures={},
        rng=random.Random(seed),
    )
    assert Counter(trial.block_key for trial in plan) == {"wide": 8, "narrow": 8}


def test_missing_stimuli_raise_when_a_participant_starts():
    with pytest.raises(DesignError, match="needs 8 pairs"):
        plan_one(make_block(), make_pool(7))


def test_unknown_condition_raises():
    with pytest.raises(DesignError, match="no condition 'nobody'"):
        plan_trials(
            make_study(make_block()),
            make_pool(8),
            number=0,
            condition="nobody",
            exposures={},
            rng=random.Random(0),
        )


def test_demo_stimuli_have_sixteen_pairs_and_two_for_catch_trials():
    obvious = {s.pair_id for s in demo_stimuli() if s.is_catch}
    assert obvious == {"generated04", "generated05"}
    assert len({s.pair_id for s in demo_stimuli()} - obvious) == 16
