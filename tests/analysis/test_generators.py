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


def test_the_difference_of_classes_is_a_pooled_t_test():
    # R: t.test(c(1, 2, 3, 4), c(0, 1, 1, 2), var.equal = TRUE)
    found = generators.class_difference(pd.Series([1.0, 2, 3, 4]), pd.Series([0.0, 1, 1, 2]))

    assert (found.value, found.df) == (1.5, 6)
    assert found.p_value() == pytest.approx(0.09716018)


def test_a_trend_is_a_regression_on_n_minus_2():
    # R: summary(lm(c(1, 3, 2, 5) ~ c(0, 1, 2, 3)))
    found = generators.trend(pd.Series([0.0, 1, 2, 3]), pd.Series([1.0, 3, 2, 5]))

    assert (found.value, found.df) == (pytest.approx(1.1), 2)
    assert found.se == pytest.approx(0.5196152)


def test_a_trend_needs_four_generators():
    assert generators.trend(pd.Series([0.0, 1, 2]), pd.Series([1.0, 3, 2])) is None


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


def test_the_front_holds_what_nothing_beats():
    points = [(1.0, 0.5), (2.0, 0.7), (2.0, 0.6), (3.0, 0.7), (4.0, 0.9)]

    assert generators.pareto_front(points) == [True, True, False, False, True]


def test_the_plane_marks_the_front(found):
    (picture,) = found.pictures

    assert [str(place.label) for place in picture.places] == TABLE["name"].tolist()
    assert picture.places[0].on_front
