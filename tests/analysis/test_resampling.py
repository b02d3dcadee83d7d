import numpy as np
import pytest

from analysis.clustered import clustered_mean
from analysis.resampling import bootstrap_participants, bootstrap_two_way, poisson_weights


def mean(sums):
    return sums[:, 0] / sums[:, 1]


def crossed_values(seed, people=40, items=30):
    rng = np.random.default_rng(seed)
    person, item = np.divmod(np.arange(people * items), items)
    eta = 0.1 + rng.normal(0, 0.15, people)[person] + rng.normal(0, 0.15, items)[item]
    values = (rng.random(len(eta)) < 0.5 + eta).astype(float)
    return np.column_stack([values, np.ones(len(values))]), person, item


def three_times(columns, person, item):
    """The standard error by formula, with single rows three times: Owen and Eckles, theorem 1."""
    formula = clustered_mean(columns[:, 0], {"participant": person, "item": item})
    return np.sqrt(formula.se**2 + 2 * columns[:, 0].var() / len(columns))


def test_bootstrap_two_way_variance_counts_single_rows_three_times():
    columns, person, item = crossed_values(1)

    result = bootstrap_two_way(columns, person, item, mean, np.random.default_rng(1), 4000)

    expected = three_times(columns, person, item)
    assert result.value == pytest.approx(columns[:, 0].mean())
    assert result.se == pytest.approx(expected, rel=0.08)
    half = 1.96 * expected
    assert result.interval() == pytest.approx((result.value - half, result.value + half), abs=0.01)


def test_bootstrap_two_way_sums_equal_those_of_weighted_rows():
    columns, person, item = crossed_values(2, people=6, items=5)
    captured = []

    def remember(sums):
        captured.append(sums)
        return sums[:, 0]

    bootstrap_two_way(columns, person, item, remember, np.random.default_rng(2), 50)

    rng = np.random.default_rng(2)
    by_person, by_item = poisson_weights(rng, (6, 50)), poisson_weights(rng, (5, 50))
    expected = [
        sum(by_person[person[i], b] * by_item[item[i], b] * columns[i] for i in range(30))
        for b in range(50)
    ]
    assert captured[0] == pytest.approx(np.array(expected))


def test_bootstrap_two_way_is_the_same_where_few_cells_are_filled():
    columns, person, item = crossed_values(3, people=20, items=20)
    far = np.concatenate([person, 1000 + np.arange(200)])  # many participants with a single row
    other = np.concatenate([item, 1000 + np.arange(200)])
    rows = np.vstack([columns, np.ones((200, 2))])

    result = bootstrap_two_way(rows, far, other, mean, np.random.default_rng(3), 1000)

    assert result.value == pytest.approx(rows[:, 0].mean())
    assert result.se == pytest.approx(three_times(rows, far, other), rel=0.1)


def test_bootstrap_participants_standard_error_is_that_of_a_mean():
    scores = np.random.default_rng(4).normal(0.5, 2.0, 60)
    totals = np.column_stack([scores, np.ones(60)])

    result = bootstrap_participants(totals, mean, np.random.default_rng(4), 5000)

    assert result.value == pytest.approx(scores.mean())
    assert result.se == pytest.approx(scores.std() / np.sqrt(60), rel=0.05)


def test_bootstrap_p_value_is_small_far_from_the_null_and_never_zero():
    totals = np.column_stack([np.full(30, 5.0) + np.arange(30) / 30, np.ones(30)])

    result = bootstrap_participants(totals, mean, np.random.default_rng(5), 999)

    assert result.p_value(0.0) == pytest.approx(2 / 1000)
    assert result.p_value(result.value) > 0.8


def test_bootstrap_interval_leaves_out_undefined_resamples():
    totals = np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])

    result = bootstrap_two_way(totals, [0, 1, 2], [0, 1, 2], mean, np.random.default_rng(6), 200)

    assert np.isnan(result.draws).any()
    assert result.interval() == (1.0, 1.0)


def test_bootstrap_rejects_unusable_input():
    with pytest.raises(ValueError, match="at least two participants"):
        bootstrap_participants([[1.0, 2.0]], mean, np.random.default_rng(0))
    with pytest.raises(ValueError, match="two items"):
        bootstrap_two_way(np.ones((3, 2)), [0, 1, 2], [0, 0, 0], mean, np.random.default_rng(0))
    with pytest.raises(ValueError, match="same number of rows"):
        bootstrap_two_way(np.ones((3, 2)), [0, 1], [0, 1], mean, np.random.default_rng(0))


def test_poisson_weights_are_poisson():
    weights = poisson_weights(np.random.default_rng(7), (200, 500))

    shares = np.bincount(weights.ravel().astype(int), minlength=5)[:5] / weights.size
    assert shares == pytest.approx([0.3679, 0.3679, 0.1839, 0.0613, 0.0153], abs=0.005)
