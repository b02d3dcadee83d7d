import numpy as np
import pandas as pd

from analysis import factors
from analysis.texts import Message


def rows(**columns):
    basis = {
        "participant_id": ["p1", "p1", "p2", "p2"],
        "task": ["detect_pair"] * 4,
        "item": ["a", "b", "a", "b"],
        "left_origin": ["real"] * 4,
    }
    return pd.DataFrame({**basis, **columns})


def test_matched_pairs_are_the_items():
    found = factors.crossed(rows(pair_id=["a", "b", "a", "b"]))

    assert {name: codes.tolist() for name, codes in found.items()} == {
        "participant": [0, 0, 1, 1],
        "item": [0, 1, 0, 1],
    }


def test_pairings_that_never_change_are_matched_without_a_name():
    found = factors.crossed(
        rows(left_stimulus_id=["r1", "r2", "r1", "r2"], right_stimulus_id=["a1", "a2", "a1", "a2"])
    )

    assert list(found) == ["participant", "item"]


def test_pairings_that_change_make_both_stimuli_factors():
    found = factors.crossed(
        rows(left_stimulus_id=["r1", "r2", "r1", "r2"], right_stimulus_id=["a1", "a2", "a2", "a1"])
    )

    assert list(found) == ["participant", "real_item", "ai_item"]
    assert found["ai_item"].tolist() == [0, 1, 1, 0]


def test_a_missing_or_single_item_leaves_the_participants():
    missing = factors.crossed(rows(item=["a", None, "a", "b"], pair_id=["a", None, "a", "b"]))
    single = factors.crossed(rows(item=["a"] * 4, pair_id=["a"] * 4))

    assert list(missing) == list(single) == ["participant"]
    assert not factors.has_items(missing)


def test_single_tasks_have_the_stimulus_as_item():
    found = factors.crossed(rows(task=["detect_single"] * 4))

    assert found["item"].tolist() == [0, 1, 0, 1]


def test_limits_are_said_below_thirty_items():
    few = {"participant": np.arange(40), "item": np.arange(29)}
    enough = {**few, "item": np.arange(30)}

    assert len(factors.limits(few, Message("x"))) == 1
    assert factors.limits(enough, Message("x")) == []
