import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from analysis import features
from analysis.plan import Plan
from analysis.simulate import Truth, simulate
from tests.analysis.simulated import only, rows_of, sample_of

PLAN = Plan()
TRUTH = Truth(participants=60, pairs=50, tasks=("prefer_pair",), sd_item=0.2)


@pytest.fixture(scope="module")
def data():
    """Choices that follow the colourfulness of the AI side, and nothing else."""
    table, rng = simulate(TRUTH), np.random.default_rng(5)
    ids = sorted(set(table["left_stimulus_id"]) | set(table["right_stimulus_id"]))
    stimuli = pd.DataFrame(
        {
            "stimulus_id": ids,
            "colourfulness": rng.normal(50, 10, len(ids)).astype(str),
            "sharpness": rng.normal(3, 1, len(ids)).astype(str),
        }
    )
    colour = stimuli.set_index("stimulus_id")["colourfulness"].astype(float)
    difference = colour[table["pair_id"] + "-ai"].to_numpy()
    difference = (difference - colour[table["pair_id"] + "-real"].to_numpy()) / 14
    chose = rng.random(len(table)) < expit(0.8 * difference)
    left = (table["left_origin"] == "ai").to_numpy()
    return table.assign(response=np.where(chose == left, "left", "right")), stimuli


@pytest.fixture(scope="module")
def found(data):
    return features.estimate(sample_of(data[0], stimuli=data[1]), PLAN)


def test_the_feature_that_matters_is_found(found):
    assert only(found, "colourfulness").low > 0.4
    assert only(found, "sharpness").p > 0.05
    assert only(found, "joint_test").p < 0.001
    assert found.tests[0].p_joint == only(found, "joint_test").p


def test_differences_are_the_other_side_minus_the_real_one(data):
    table, stimuli = data
    sample = sample_of(table, stimuli=stimuli)
    colour = stimuli.set_index("stimulus_id")["colourfulness"].astype(float)

    differences = features.feature_differences(sample.main, stimuli)

    pairs = sample.main["pair_id"].astype(str)
    expected = [colour[f"{pair}-ai"] - colour[f"{pair}-real"] for pair in pairs]
    assert differences["colourfulness"].tolist() == pytest.approx(expected)


def test_the_share_at_no_difference_stands_beside(found):
    row = only(found, "ai_choice_share_without")

    assert row.low < 0.5 < row.high


def test_without_a_stimuli_table_it_is_not_tested(data):
    found = features.estimate(sample_of(data[0]), PLAN)

    assert [str(test.why_not) for test in found.tests] == [
        "No features of the images came with the data."
    ]


def test_too_few_pairs_are_not_tested(data):
    table, stimuli = data
    few = table[table["pair_id"] < "pair-010"]

    found = features.estimate(sample_of(few, stimuli=stimuli), PLAN)

    assert [str(test.why_not) for test in found.tests] == [
        "2 features need at least 12 pairs; there are 9."
    ]


def test_features_that_repeat_each_other_are_not_tested(data):
    table, stimuli = data
    double = stimuli.assign(sharpness=stimuli["colourfulness"])

    found = features.estimate(sample_of(table, stimuli=double), PLAN)

    assert [str(test.why_not) for test in found.tests] == [
        "The features of the images depend on each other."
    ]
    assert rows_of(found, "joint_test") == []
