import numpy as np
import pandas as pd
import pytest

from analysis import preference
from analysis.agreement import by_recognition
from analysis.plan import Plan
from analysis.results import Scope
from analysis.simulate import Truth, simulate
from tests.analysis.simulated import only, rows_of, sample_of

PLAN = Plan(resamples=200)
TRUTH = Truth(participants=50, pairs=30, ai_share=0.62, seed=2)


@pytest.fixture(scope="module")
def found():
    return preference.estimate(sample_of(TRUTH), PLAN)


def test_ai_choice_share_comes_near_the_truth_by_every_method(found):
    rows = rows_of(found, "ai_choice_share")

    assert [row.method for row in rows] == [
        "glmm",
        "cluster_robust_two_way",
        "bootstrap_two_way",
        "participant_mean",
        "wilson",
    ]
    assert [row.estimate for row in rows] == pytest.approx([0.62] * 5, abs=0.05)


def test_the_claim_rests_on_the_mixed_model(found):
    (test,) = found.tests

    assert (test.claim, test.contrast) == ("prefers_ai", "real_vs_ai")
    assert test.row == only(found, "ai_choice_share", method="glmm")


def test_ties_are_left_out():
    table = simulate(TRUTH)
    chosen = table["task"] == "prefer_pair"
    table.loc[chosen & (table["trial_index"] % 3 == 0), "response"] = "tie"
    expected = (chosen & (table["response"] != "tie")).sum()

    found = preference.estimate(sample_of(table), PLAN)

    assert only(found, "ai_choice_share", method="glmm").n == expected


def test_comparisons_are_never_pooled():
    table = simulate(TRUTH)
    table["question"] = np.where(
        (table["task"] == "prefer_pair") & (table["trial_index"] % 2 == 0), "realism", None
    )

    found = preference.estimate(sample_of(table), PLAN)

    liking = only(found, "ai_choice_share", method="glmm")
    realism = only(found, "ai_choice_share", subset="question=realism", method="glmm")
    assert liking.n + realism.n == 50 * 30
    assert [test.claim for test in found.tests] == ["prefers_ai"]


def test_two_ai_images_do_not_count():
    table = simulate(TRUTH)
    both = table["trial_index"] % 2 == 0
    table.loc[both, ["left_origin", "right_origin"]] = "ai"

    found = preference.estimate(sample_of(table), PLAN)

    assert only(found, "ai_choice_share", method="glmm").n == 50 * 15


def test_recognition_by_the_same_person_makes_two_groups_that_sum(found):
    groups = [
        only(found, "ai_choice_share", subset=f"recognised={value}").n
        for value in ("true", "false")
    ]

    assert sum(groups) == 50 * 30


def test_recognition_by_others_leaves_the_person_out():
    """Six of twelve recognise every pair: for them most others do not, for the rest most do."""
    rows = [
        {
            "participant_id": f"p{person}",
            "task": task,
            "pair_id": f"k{pair}",
            "response": "left" if task == "prefer_pair" or person < 6 else "right",
        }
        for person in range(12)
        for pair in range(30)
        for task in ("detect_pair", "prefer_pair")
    ]
    main = sample_of(pd.DataFrame(rows).assign(left_origin="ai", right_origin="real")).main
    choices = main[main["task"] == "prefer_pair"]
    judged = main[main["task"] == "detect_pair"]

    groups = by_recognition(
        Scope.of("preference", "prefer_pair", "all", choices), choices, judged, "", PLAN
    )

    assert [(row.subset, row.n) for row in groups] == [
        ("recognised=false", 180),
        ("recognised=true", 180),
        ("recognised_by_others=few", 180),
        ("recognised_by_others=most", 180),
    ]


def test_agreement_with_ratings_is_a_correlation_over_pairs():
    truth = Truth(participants=40, pairs=30, tasks=("prefer_pair", "rate_single"), seed=3)
    sample = sample_of(truth)
    main = sample.main
    pairs = sorted(main["pair_id"].unique())
    share = [main.loc[main["pair_id"] == pair, "chose_ai"].mean() for pair in pairs]
    differences = [
        rated.loc[rated["origin"] == "ai", "rating"].mean()
        - rated.loc[rated["origin"] == "real", "rating"].mean()
        for rated in (main[main["pair_id"] == pair] for pair in pairs)
    ]

    row = only(preference.estimate(sample, PLAN), "agreement_with_appeal")

    assert row.estimate == pytest.approx(np.corrcoef(share, differences)[0, 1])
    assert row.low < row.estimate < row.high


def test_repeats_give_consistency_and_side_bias():
    table = simulate(Truth(participants=10, pairs=8, tasks=("prefer_pair",)))
    again = table[table["trial_index"] < 4].copy()
    again["kind"] = "repeat"
    again["repeat_of"] = again["trial_index"]
    again["trial_index"] += 100
    swap = {"left": "right", "right": "left"}
    sides = {f"left_{c}": f"right_{c}" for c in ("origin", "stimulus_id", "generator")}
    again = again.rename(columns={**sides, **{b: a for a, b in sides.items()}})
    always_left = again["participant_id"] == "sim-00001"
    again["response"] = again["response"].map(swap)
    again.loc[always_left, "response"] = "left"
    table.loc[table["participant_id"] == "sim-00001", "response"] = "left"

    found = preference.estimate(sample_of(pd.concat([table, again], ignore_index=True)), PLAN)

    assert only(found, "test_retest", subset="kind=repeat").estimate == pytest.approx(0.9)
    assert only(found, "side_bias", subset="kind=repeat").estimate == pytest.approx(0.05)


def test_nothing_is_said_without_preferences():
    found = preference.estimate(sample_of(Truth(tasks=("detect_pair",))), PLAN)

    assert (found.results, found.tests, found.pictures) == ([], [], [])
