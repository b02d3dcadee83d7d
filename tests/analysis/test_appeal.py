import numpy as np
import pytest

from analysis import appeal
from analysis.plan import Plan
from analysis.simulate import Truth, simulate
from tests.analysis.simulated import only, rows_of, sample_of

PLAN = Plan()
TRUTH = Truth(participants=60, pairs=40, tasks=("rate_single",), rating_difference=0.5)


@pytest.fixture(scope="module")
def found():
    return appeal.estimate(sample_of(TRUTH), PLAN)


def test_the_difference_comes_near_the_truth_by_every_method(found):
    rows = rows_of(found, "rating_difference")

    assert [row.method for row in rows] == ["lmm", "cluster_robust_two_way", "participant_mean"]
    assert [row.estimate for row in rows] == pytest.approx([0.5] * 3, abs=0.12)


def test_the_claim_is_in_standard_deviations(found):
    points = only(found, "rating_difference", method="lmm")
    sd = only(found, "sd_rating").estimate
    row = only(found, "rating_difference_sd", method="lmm")

    assert row.estimate == pytest.approx(points.estimate / sd)
    assert row.low == pytest.approx(points.low / sd)
    assert row.p == pytest.approx(points.p)
    assert found.tests[0].row == row


def test_the_difference_without_pairs_has_the_stimulus_as_item():
    table = simulate(TRUTH).drop(columns="pair_id")

    found = appeal.estimate(sample_of(table), PLAN)

    row = only(found, "rating_difference", method="lmm")
    assert row.estimate == pytest.approx(0.5, abs=0.25)
    assert found.tests[0].at_most_undecided is None


def test_without_item_ids_a_verdict_is_held_back():
    table = simulate(TRUTH).drop(columns=["pair_id", "stimulus_id"])

    found = appeal.estimate(sample_of(table), PLAN)

    assert found.tests[0].at_most_undecided is not None


def test_scales_are_never_pooled():
    table = simulate(TRUTH)
    table["question"] = np.where(table["trial_index"] % 2 == 0, "appeal", "trust")

    found = appeal.estimate(sample_of(table), PLAN)

    assert only(found, "rating_difference", method="lmm").n == 60 * 20
    assert only(found, "rating_difference", subset="question=trust", method="lmm").n == 60 * 20
    assert [test.claim for test in found.tests] == ["more_appealing"]


def test_one_scale_of_another_name_is_taken_for_the_claim():
    table = simulate(TRUTH).assign(question="beauty")

    assert [t.claim for t in appeal.estimate(sample_of(table), PLAN).tests] == ["more_appealing"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"origin": "ai"}, "Only one kind of image was rated"),
        ({"response": "4"}, "Every response is the same"),
        ({"participant_id": "p1"}, "At least two participants are needed."),
    ],
)
def test_ratings_that_cannot_be_compared_are_not_tested(change, reason):
    table = simulate(TRUTH).assign(**change)

    found = appeal.estimate(sample_of(table, rules={}), PLAN)

    assert str(found.tests[0].why_not).startswith(reason)


def test_ratings_that_leave_nothing_to_chance_are_not_tested():
    """Everybody has one rating for photographs and one for AI images."""
    table = simulate(TRUTH)
    person = table["participant_id"].str[-1].astype(int) % 3
    rating = 2 + person + (table["origin"] == "ai")

    found = appeal.estimate(sample_of(table.assign(response=rating.astype(str)), rules={}), PLAN)

    assert str(found.tests[0].why_not).startswith("The model fits every response exactly")
