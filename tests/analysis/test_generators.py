import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from analysis import generators
from analysis.plan import Plan
from analysis.simulate import Truth, simulate
from tests.analysis.simulated import only, rows_of, sample_of

PLAN = Plan()
TRUTH = Truth(participants=50, pairs=64, tasks=("prefer_pair",), generators=8)
TABLE = pd.DataFrame(
    {
        "name": [f"generator-{k}" for k in range(1, 9)],
        "open_weights": ["true", "false"] * 4,
        "released": [f"202{k % 4}-01-01" for k in range(8)],
        "cost_per_image_usd": [str(0.01 * (k + 1)) for k in range(8)],
    }
)


@pytest.fixture(scope="module")
def table():
    """Choices that depend on the generator alone: open ones do better."""
    made = simulate(TRUTH)
    made_by = made["left_generator"].fillna(made["right_generator"])
    is_open = made_by.map(TABLE.set_index("name")["open_weights"]) == "true"
    chose = np.random.default_rng(3).random(len(made)) < expit(np.where(is_open, 0.8, -0.4))
    left = (made["left_origin"] == "ai").to_numpy()
    return made.assign(response=np.where(chose == left, "left", "right"))


@pytest.fixture(scope="module")
def found(table):
    return generators.estimate(sample_of(table, generators=TABLE), PLAN)


def test_each_generator_has_its_share(found):
    shares = [
        only(found, "ai_choice_share", subset=f"generator=generator-{k}").estimate
        for k in range(1, 9)
    ]

    assert shares == pytest.approx([expit(0.8), expit(-0.4)] * 4, abs=0.08)


def test_a_gap_is_found_by_the_joint_test(found):
    assert [test.claim for test in found.tests] == ["generator_gap", "open_vs_closed"]
    assert found.tests[0].p_joint < 1e-6


def test_open_minus_closed_has_the_generator_as_its_unit(found):
    row = only(found, "open_minus_closed")

    assert row.method == "generator_unit"
    assert row.estimate == pytest.approx(1.2, abs=0.25)
    assert found.tests[1].estimate.df == 6


def test_trends_over_release_and_price_are_given(found):
    assert only(found, "trend_per_year").method == "generator_unit"
    assert only(found, "trend_per_log10_usd").method == "generator_unit"


def test_fewer_than_four_a_class_are_not_tested(table):
    few = TABLE.assign(open_weights=["true"] * 3 + ["false"] * 5)

    found = generators.estimate(sample_of(table, generators=few), PLAN)

    assert str(found.tests[1].why_not).startswith("There are 3 open and 5 closed generators")


def test_without_a_table_of_generators_openness_is_not_tested(table):
    found = generators.estimate(sample_of(table), PLAN)

    assert str(found.tests[1].why_not) == "No table of the generators came with the data."


def test_one_generator_says_nothing(table):
    alone = table.replace({"left_generator": r".+", "right_generator": r".+"}, "g", regex=True)

    found = generators.estimate(sample_of(alone), PLAN)

    assert (found.results, found.tests) == ([], [])
    assert rows_of(found, "joint_test") == []


def test_every_generator_has_a_rank_that_is_sure_as_far_as_it_goes(found):
    ranks = {
        k: only(found, "rank", subset=f"generator=generator-{k}", method="glmm")
        for k in range(1, 9)
    }

    assert sorted(row.estimate for row in ranks.values()) == list(range(1, 9))
    for k, row in ranks.items():  # odd ones are open and better: they hold the first four places
        assert (row.low, row.high) == ((1, 4) if k % 2 else (5, 8))


def test_the_generators_stand_in_order_of_their_rank(found):
    forest = found.pictures[0]

    shares = [line.result.estimate for line in forest.lines]
    assert shares == sorted(shares, reverse=True)
    assert str(forest.lines[0].label).endswith(": rank 1 to 4")


def test_the_plane_marks_the_front(found):
    plane = found.pictures[1]

    assert [str(place.label) for place in plane.places] == TABLE["name"].tolist()
    assert plane.places[0].on_front


@pytest.fixture(scope="module")
def noticed():
    """In every other task open generators do worse: noticed more often, rated lower."""
    tasks = ("detect_pair", "detect_single", "rate_single")
    made = simulate(Truth(participants=50, pairs=64, tasks=tasks, generators=8))
    names = made["left_generator"].fillna(made["right_generator"]).fillna(made["generator"])
    worse = names.map(TABLE.set_index("name")["open_weights"]) == "true"
    rng = np.random.default_rng(5)
    found = rng.random(len(made)) < np.where(worse, 0.8, 0.55)
    left = (made["left_origin"] == "ai").to_numpy()
    rating = np.clip(np.round(4 - 1.0 * worse + rng.normal(0, 1, len(made))), 1, 7)
    response = {
        "detect_pair": np.where(found == left, "left", "right"),
        "detect_single": np.where(found == (made["origin"] == "ai"), "ai", "real"),
        "rate_single": rating.astype(int).astype(str),
    }
    made["response"] = np.select([made["task"] == task for task in tasks], [*response.values()])
    return generators.estimate(sample_of(made, generators=TABLE), PLAN)


@pytest.mark.parametrize("task", ["detect_pair", "detect_single", "rate_single"])
def test_more_is_better_in_every_task(noticed, task):
    """Open ones do worse, whichever way the task counts."""
    row = only(noticed, "open_minus_closed", task=task)
    ranks = [
        only(noticed, "rank", subset=f"generator=generator-{k}", task=task).estimate
        for k in range(1, 9)
    ]

    assert row.high < 0
    assert sorted(ranks[1::2]) == [1, 2, 3, 4]


def test_noticed_generators_lie_low_in_the_plane(noticed):
    planes = {p.name.split("price_")[1]: p for p in noticed.pictures if "price" in p.name}

    heights = [place.y for place in planes["detect_pair_real_vs_ai"].places]
    assert heights == pytest.approx([0.2, 0.45] * 4, abs=0.08)
    for place in planes["detect_single_real_vs_ai"].places:
        assert place.y_low < place.y < place.y_high


def test_a_rating_is_compared_in_points_and_in_standard_deviations(noticed):
    rows = [
        only(noticed, "rating", subset=f"generator=generator-{k}").estimate for k in range(1, 9)
    ]

    assert rows == pytest.approx([3.0, 4.0] * 4, abs=0.2)
    (test,) = [t for t in noticed.tests if t.claim == "open_vs_closed:rate_single"]
    assert str(test.unit) == "standard deviations"


def test_a_generator_that_is_always_preferred_leaves_the_verdict_open(table):
    made_by = table["left_generator"].fillna(table["right_generator"])
    ai_left = table["left_origin"] == "ai"
    always = (made_by == "generator-1").to_numpy()
    response = table["response"].mask(always, np.where(ai_left, "left", "right"))

    found = generators.estimate(sample_of(table.assign(response=response)), PLAN)

    assert "did not converge" in str(found.tests[0].at_most_undecided)
    assert any("did not converge" in str(warning) for warning in found.warnings)


def test_one_image_a_generator_is_not_tested(table):
    """Then generator and image are the same thing."""
    shown = table["left_generator"].fillna(table["right_generator"])
    first = table.groupby(shown)["pair_id"].transform("min")

    found = generators.estimate(sample_of(table[table["pair_id"] == first], rules={}), PLAN)

    assert str(found.tests[0].why_not).startswith("There are 8 images or pairs of 8 generators")
