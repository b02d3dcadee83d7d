"""Cluster-robust estimates against R's sandwich 3.0-2 on the table of tables/make_crossed.py."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from analysis.clustered import clustered_difference, clustered_mean, clustered_regression

TABLE = Path(__file__).parent / "tables" / "crossed.csv"


@pytest.fixture(scope="module")
def table():
    return np.genfromtxt(TABLE, delimiter=",", names=True)


def crossed(table):
    return {"participant": table["participant"], "item": table["item"]}


def test_clustered_regression_matches_sandwich(table):
    # m <- lm(rating ~ x, d); vcovCL(m, ~ participant + item, type = "HC1")
    X = np.column_stack([np.ones(480), table["x"]])

    fit = clustered_regression(table["rating"], X, crossed(table), names=["mean", "x"])

    assert fit.coef == pytest.approx([0.29355625, 0.792195833333])
    assert fit.se == pytest.approx([0.164323078730, 0.184812469538], abs=1e-10)
    assert fit.df == 19
    assert fit.subtracted


def test_clustered_mean_of_one_factor_matches_sandwich(table):
    # m <- lm(correct ~ 1, d); vcovCL(m, ~ participant, type = "HC1")
    estimate = clustered_mean(table["correct"], {"participant": table["participant"]})

    assert estimate.value == pytest.approx(0.541666666667)
    assert estimate.se == pytest.approx(0.0369423104247, abs=1e-10)
    assert estimate.df == 23


def test_clustered_mean_of_three_factors_matches_sandwich(table):
    # d$third <- (7 * d$participant + 3 * d$item) %% 15; m <- lm(correct ~ 1, d)
    # vcovCL(m, ~ participant + item + third, type = "HC1")
    third = (7 * table["participant"] + 3 * table["item"]) % 15

    estimate = clustered_mean(table["correct"], {**crossed(table), "third": third})

    assert estimate.se == pytest.approx(0.0492600130459, abs=1e-10)
    assert estimate.df == 14


def test_clustered_mean_equals_the_sum_over_pairs_of_rows_that_share_a_level():
    rng = np.random.default_rng(1)
    people, items = rng.integers(0, 6, 40), rng.integers(0, 5, 40)
    values = rng.random(40) + rng.random(6)[people] + rng.random(5)[items]

    estimate = clustered_mean(values, {"participant": people, "item": items})

    cells = people * 5 + items
    residuals = values - values.mean()
    variance = 0.0
    for codes, sign in ((people, 1), (items, 1), (cells, -1)):
        levels = len(set(codes.tolist()))
        shared = sum(
            residuals[i] * residuals[j]
            for i, j in product(range(40), repeat=2)
            if codes[i] == codes[j]
        )
        variance += sign * shared * levels / (levels - 1) / 40**2
    assert estimate.se == pytest.approx(np.sqrt(variance))


def test_clustered_difference_is_the_difference_of_means(table):
    estimate = clustered_difference(table["rating"], table["x"] > 0, crossed(table))

    upper = table["rating"][table["x"] > 0].mean()
    assert estimate.value == pytest.approx(upper - table["rating"][table["x"] < 0].mean())
    assert estimate.se == pytest.approx(0.184812469538, abs=1e-10)


def test_clustered_mean_keeps_a_positive_variance_where_subtraction_would_not():
    people, items = np.divmod(np.arange(16), 4)
    values = (people + items) % 2  # every participant and every item has the same mean

    fit = clustered_regression(values, np.ones((16, 1)), {"participant": people, "item": items})

    assert not fit.subtracted
    assert fit.cov[0, 0] >= 0


def test_clustered_mean_interval_covers_the_truth():
    rng = np.random.default_rng(2)
    people, items = np.divmod(np.arange(30 * 25), 25)
    covered = 0
    for _ in range(400):
        values = rng.normal(0, 0.5, 30)[people] + rng.normal(0, 0.5, 25)[items]
        values += rng.normal(0, 1, len(values))
        low, high = clustered_mean(values, {"participant": people, "item": items}).interval()
        covered += low < 0 < high
    assert covered / 400 == pytest.approx(0.95, abs=0.035)  # three standard errors of 400 runs


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": [1.0, 2.0, 3.0]}, "same number of rows"),
        ({"y": [1.0, np.nan, 2.0, 3.0]}, "missing or infinite"),
        ({"X": np.ones((4, 2))}, "linearly dependent"),
        ({"groups": {}}, "at least one"),
        ({"groups": {"item": [1, 1, 1, 1]}}, "single level"),
    ],
)
def test_clustered_regression_rejects_unusable_input(change, message):
    arguments = {"y": [1.0, 2, 3, 5], "X": np.ones((4, 1)), "groups": {"item": [0, 0, 1, 1]}}

    with pytest.raises(ValueError, match=message):
        clustered_regression(**{**arguments, **change})
