import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri

from analysis import detectability
from analysis.factors import crossed
from analysis.mixed import fit_glmm, marginal_probability
from analysis.plan import Plan
from analysis.simulate import Truth, simulate
from tests.analysis.simulated import only, rows_of, sample_of

PLAN = Plan(resamples=200)
PAIRS = Truth(participants=60, pairs=36, tasks=("detect_pair",), accuracy=0.7, generators=2)
SINGLES = Truth(participants=80, pairs=40, tasks=("detect_single",), accuracy=0.65, seed=4)


@pytest.fixture(scope="module")
def pairs():
    sample = sample_of(PAIRS)
    return sample, detectability.estimate(sample, PLAN)


@pytest.fixture(scope="module")
def singles():
    sample = sample_of(SINGLES)
    return sample, detectability.estimate(sample, PLAN)


def test_accuracy_is_given_by_every_method(pairs):
    methods = [row.method for row in rows_of(pairs[1], "accuracy")]

    assert methods == [
        "glmm",
        "cluster_robust_two_way",
        "bootstrap_two_way",
        "participant_mean",
        "wilson",
    ]


def test_every_method_comes_near_the_simulated_truth(pairs):
    for row in rows_of(pairs[1], "accuracy"):
        assert row.estimate == pytest.approx(0.7, abs=0.05)
        assert row.low < row.estimate < row.high


def test_the_naive_interval_is_narrower_than_those_that_know_of_clusters(pairs):
    width = {row.method: row.high - row.low for row in rows_of(pairs[1], "accuracy")}

    assert width["wilson"] < 0.8 * min(width["glmm"], width["cluster_robust_two_way"])
    assert only(pairs[1], "design_effect").estimate > 1.5


def test_counts_are_those_of_the_rows(pairs):
    row = only(pairs[1], "accuracy", method="glmm")

    assert (row.n_participants, row.n_stimuli, row.n) == (60, 72, 60 * 36)
    assert (row.task, row.level) == ("detect_pair", 0.95)


def test_participant_mean_agrees_with_a_naive_loop(pairs):
    main = pairs[0].main
    people = [
        main.loc[main["participant_id"] == p, "correct"].mean()
        for p in main["participant_id"].unique()
    ]

    row = only(pairs[1], "accuracy", method="participant_mean")

    assert row.estimate == pytest.approx(np.mean(people))
    half = 2.0009953780882688 * np.std(people, ddof=1) / np.sqrt(60)  # R: qt(0.975, 59)
    assert row.high - row.estimate == pytest.approx(half)


def test_d_prime_and_side_bias_agree_with_a_naive_loop(pairs):
    main = pairs[0].main
    d_primes, biases = [], []
    for person in main["participant_id"].unique():
        mine = main[main["participant_id"] == person]
        left = mine["left_origin"] != "real"
        says_left = mine["response"] == "left"
        hit = ((left & says_left).sum() + 0.5) / (left.sum() + 1)
        alarm = ((~left & says_left).sum() + 0.5) / ((~left).sum() + 1)
        d_primes.append((ndtri(hit) - ndtri(alarm)) / np.sqrt(2))
        biases.append((says_left[left].mean() + says_left[~left].mean()) / 2 - 0.5)

    row = only(pairs[1], "d_prime", method="bootstrap_participants")
    assert row.estimate == pytest.approx(np.mean(d_primes))
    assert only(pairs[1], "side_bias").estimate == pytest.approx(np.mean(biases))


def test_d_prime_of_the_probit_model_is_that_of_a_typical_person(pairs):
    row = only(pairs[1], "d_prime", method="glmm_probit")

    pooled = np.sqrt(2) * ndtri(pairs[0].main["correct"].mean())  # smaller: it averages over people
    assert pooled < row.estimate < 1.2 * pooled
    assert row.low < row.estimate < row.high


def test_items_below_chance_are_counted(pairs):
    shares = pairs[0].main.groupby("item", observed=True)["correct"].mean()

    row = only(pairs[1], "items_below_chance")

    assert (row.estimate, row.n) == ((shares < 0.5).mean(), 36)


def test_groups_are_given_apart(pairs):
    subsets = {row.subset for row in pairs[1].results}

    assert {"category=city", "generator=generator-1", "generator=generator-2"} <= subsets


def test_a_group_has_the_mixed_model_of_its_own_responses(pairs):
    sample, found = pairs
    here = sample.main[sample.main["category"] == "city"]
    fit = fit_glmm(here["correct"], np.ones((len(here), 1)), crossed(here))

    row = only(found, "accuracy", subset="category=city", method="glmm")

    assert row.estimate == pytest.approx(marginal_probability(fit, [1.0]).value)
    assert (row.n, row.p) == (len(here), marginal_probability(fit, [1.0]).p_value(0.5))
    robust = only(found, "accuracy", subset="category=city", method="cluster_robust_two_way")
    assert robust.estimate == here["correct"].mean()


def test_each_exposure_has_its_accuracy():
    table = simulate(Truth(participants=30, pairs=30, tasks=("detect_pair",)))
    rng = np.random.default_rng(5)
    table = table.assign(exposure_ms=rng.choice(["200", "1000"], len(table)))
    ai = np.where(table["left_origin"] == "ai", "left", "right")
    table["response"] = table["response"].where(table["exposure_ms"] == "200", ai)
    wrong = (rng.random(len(table)) < 0.1) & (table["exposure_ms"] == "1000")
    table["response"] = np.where(wrong, np.where(ai == "left", "right", "left"), table["response"])

    found = detectability.estimate(sample_of(table), PLAN)

    short, long = (
        only(found, "accuracy", subset=f"exposure_ms={time}", method="glmm") for time in (200, 1000)
    )
    assert short.estimate == pytest.approx(0.6, abs=0.08)
    assert long.estimate == pytest.approx(0.9, abs=0.03)


def test_a_group_of_single_images_weighs_real_and_ai_alike():
    """Twice as many photographs, and everybody calls nearly everything real."""
    table = simulate(Truth(participants=40, pairs=40, tasks=("detect_single",)))
    few = table["origin"].eq("real") | table["pair_id"].str.endswith(("0", "2", "4"))
    table = table[few].assign(category=table["pair_id"].str.endswith(("0", "1", "2")).map(str))
    rng = np.random.default_rng(1)
    table["response"] = np.where(rng.random(len(table)) < 0.9, "real", "ai")

    found = detectability.estimate(sample_of(table), PLAN)

    for method in ("glmm", "cluster_robust_two_way"):
        row = only(found, "accuracy", subset="category=True", method=method)
        assert row.estimate == pytest.approx(0.5, abs=0.03)


def test_a_group_without_a_wrong_response_has_a_share_without_an_interval():
    table = simulate(Truth(participants=20, pairs=20, tasks=("detect_pair",)))
    easy = table["pair_id"].str.endswith(("1", "2", "3", "4", "5"))
    ai = np.where(table["left_origin"] == "ai", "left", "right")
    table = table.assign(
        category=np.where(easy, "easy", "hard"), response=table["response"].where(~easy, ai)
    )

    found = detectability.estimate(sample_of(table), PLAN)

    row = only(found, "accuracy", subset="category=easy")
    assert (row.method, row.estimate) == ("cluster_robust_two_way", 1.0)
    assert (row.low, row.high, row.p) == (None, None, None)


def test_contrasts_are_never_pooled():
    truth = Truth(participants=30, pairs=40, tasks=("detect_pair",), enhanced=0.5)

    found = detectability.estimate(sample_of(truth), PLAN)

    assert [test.claim for test in found.tests] == [
        "indistinguishable:real_vs_ai",
        "indistinguishable:real_vs_enhanced",
    ]
    assert rows_of(found, "accuracy") == []
    assert only(found, "accuracy", subset="contrast=real_vs_ai", method="glmm").n == 30 * 20


def test_single_accuracy_is_the_mean_of_real_and_ai(singles):
    _, found = singles
    both = only(found, "accuracy", method="glmm").estimate
    real = only(found, "accuracy_real", method="glmm").estimate
    ai = only(found, "accuracy_ai", method="glmm").estimate

    assert both == pytest.approx((real + ai) / 2, abs=1e-9)


def test_single_accuracy_does_not_depend_on_the_base_rate():
    """Everybody says AI to everything: accuracy is one half, however many are AI."""
    table = simulate(SINGLES)
    table = table[(table["origin"] == "ai") | (table.index % 4 == 0)]
    says_ai = table["response"].where(table.index % 9 == 0, "ai")
    found = detectability.estimate(sample_of(table.assign(response=says_ai)), PLAN)

    naive = only(found, "accuracy", method="wilson").estimate
    assert naive > 0.7
    for method in ("glmm", "cluster_robust_two_way", "participant_mean"):
        assert only(found, "accuracy", method=method).estimate == pytest.approx(0.5, abs=0.05)


def test_both_tasks_have_a_claim_of_their_own():
    truth = Truth(participants=20, pairs=30, tasks=("detect_pair", "detect_single"))

    found = detectability.estimate(sample_of(truth), PLAN)

    assert [test.claim for test in found.tests] == [
        "indistinguishable",
        "indistinguishable:detect_single",
    ]


def test_without_item_ids_a_verdict_is_held_back():
    table = simulate(PAIRS).drop(columns=["pair_id", "left_stimulus_id", "right_stimulus_id"])

    found = detectability.estimate(sample_of(table), PLAN)

    assert found.tests[0].at_most_undecided is not None
    assert str(found.warnings[0]).endswith("No verdict goes beyond undecided.")
    assert only(found, "accuracy", method="cluster_robust").n == 60 * 36


def test_random_pairings_have_both_stimuli_as_factors():
    table = simulate(PAIRS).drop(columns="pair_id")
    shuffled = np.random.default_rng(1).permutation(40)
    real = [f"photo-{shuffled[k % 40]}" for k in range(len(table))]
    for side in ("left", "right"):
        is_real = table[f"{side}_origin"] == "real"
        ids = table[f"{side}_stimulus_id"].astype(object)
        table[f"{side}_stimulus_id"] = ids.mask(is_real, np.array(real, dtype=object))

    found = detectability.estimate(sample_of(table), PLAN)

    assert rows_of(found, "sd_real_item") != []
    assert rows_of(found, "accuracy", method="cluster_robust_three_way") != []
    assert found.tests[0].at_most_undecided is None


def test_few_items_are_warned_of():
    truth = Truth(participants=20, pairs=12, tasks=("detect_pair",))

    found = detectability.estimate(sample_of(truth), PLAN)

    assert "there are only 12 images or pairs" in str(found.warnings[0])


def test_a_table_where_all_are_right_is_not_tested():
    table = simulate(Truth(participants=5, pairs=6, tasks=("detect_pair",)))
    table["response"] = np.where(table["left_origin"] == "ai", "left", "right")

    found = detectability.estimate(sample_of(table), PLAN)

    assert str(found.tests[0].why_not).startswith("Every response is the same")
    assert only(found, "accuracy", method="wilson").estimate == 1.0


def test_a_single_participant_is_not_tested():
    found = detectability.estimate(
        sample_of(Truth(participants=1, pairs=30, tasks=("detect_pair",))), PLAN
    )

    assert str(found.tests[0].why_not) == "At least two participants are needed."


def test_learning_is_found_where_it_was_simulated():
    table = simulate(Truth(participants=60, pairs=40, tasks=("detect_pair",), accuracy=0.55))
    late = (table["trial_index"] > 25) & (np.random.default_rng(1).random(len(table)) < 0.7)
    right = np.where(table["left_origin"] == "ai", "left", "right")
    table["response"] = np.where(late, right, table["response"])

    row = only(detectability.estimate(sample_of(table), PLAN), "learning_per_10_trials")

    assert row.low > 0


def test_nothing_is_said_without_detection():
    found = detectability.estimate(sample_of(Truth(tasks=("prefer_pair",))), PLAN)

    assert (found.results, found.tests, found.pictures) == ([], [], [])


def test_background_answers_make_groups(pairs):
    sample = pairs[0]
    people = sample.main["participant_id"].astype(str).unique()
    answers = pd.DataFrame(
        {
            "participant_id": people,
            "background_photography": ["often" if k % 2 else "never" for k in range(len(people))],
        }
    )

    found = detectability.estimate(sample_of(PAIRS, participants=answers), PLAN)

    groups = [
        (row.method, row.n)
        for row in found.results
        if row.subset.startswith("background_photography=")
    ]
    assert groups == [("glmm", 30 * 36), ("cluster_robust_two_way", 30 * 36)] * 2
