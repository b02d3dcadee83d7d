import numpy as np
import pandas as pd
import pytest

from analysis import calibration
from analysis.plan import Plan
from analysis.simulate import Truth, simulate
from tests.analysis.simulated import only, rows_of, sample_of

PLAN = Plan()
TRUTH = Truth(participants=60, pairs=40, tasks=("detect_pair",), accuracy=0.7)


def test_confidence_is_put_on_the_scale_of_accuracy():
    found = calibration.as_probability(pd.Series([0.0, 0.5, 1.0]))

    assert found.tolist() == [0.5, 0.75, 1.0]


def test_overconfidence_is_mean_confidence_minus_accuracy():
    sample = sample_of(TRUTH)
    main = sample.main
    expected = (0.5 + main["confidence"] / 2 - main["correct"]).mean()

    rows = rows_of(calibration.estimate(sample, PLAN), "overconfidence")

    assert [row.method for row in rows] == ["lmm", "cluster_robust_two_way", "participant_mean"]
    assert [row.estimate for row in rows] == pytest.approx([expected] * 3, abs=0.01)


def test_people_who_know_how_well_they_do_have_no_gap():
    table = simulate(TRUTH).assign(confidence=2 * (0.7 - 0.5))

    found = calibration.estimate(sample_of(table), PLAN)

    row = only(found, "overconfidence", method="lmm")
    assert row.low < 0 < row.high
    assert found.tests[0].row == row


def test_the_curve_has_a_point_for_each_step():
    (picture,) = calibration.estimate(sample_of(TRUTH), PLAN).pictures

    assert picture.diagonal
    assert picture.curves[0].x == [0.5, 0.625, 0.75, 0.875, 1.0]
    assert all(np.diff(picture.curves[0].y) > 0)


def test_a_slider_is_put_into_bins():
    table = simulate(TRUTH)
    table["confidence"] = np.random.default_rng(1).random(len(table))

    (picture,) = calibration.estimate(sample_of(table), PLAN).pictures

    assert picture.curves[0].x == pytest.approx([0.55, 0.65, 0.75, 0.85, 0.95])


def test_each_task_has_a_claim_of_its_own():
    truth = Truth(participants=20, pairs=30, tasks=("detect_pair", "detect_single"))

    claims = [test.claim for test in calibration.estimate(sample_of(truth), PLAN).tests]

    assert claims == ["calibrated", "calibrated:detect_single"]


def test_no_confidence_says_nothing():
    table = simulate(TRUTH).drop(columns="confidence")

    assert calibration.estimate(sample_of(table), PLAN).results == []
