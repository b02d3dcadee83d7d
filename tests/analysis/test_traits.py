import pandas as pd
import pytest

from analysis.traits import class_difference, pareto_front, trend


def test_the_difference_of_classes_is_a_pooled_t_test():
    # R: t.test(c(1, 2, 3, 4), c(0, 1, 1, 2), var.equal = TRUE)
    found = class_difference(pd.Series([1.0, 2, 3, 4]), pd.Series([0.0, 1, 1, 2]))

    assert (found.value, found.df) == (1.5, 6)
    assert found.p_value() == pytest.approx(0.09716018)


def test_a_trend_is_a_regression_on_n_minus_2():
    # R: summary(lm(c(1, 3, 2, 5) ~ c(0, 1, 2, 3)))
    found = trend(pd.Series([0.0, 1, 2, 3]), pd.Series([1.0, 3, 2, 5]))

    assert (found.value, found.df) == (pytest.approx(1.1), 2)
    assert found.se == pytest.approx(0.5196152)


def test_a_trend_needs_four_generators():
    assert trend(pd.Series([0.0, 1, 2]), pd.Series([1.0, 3, 2])) is None


def test_the_front_holds_what_nothing_beats():
    points = [(1.0, 0.5), (2.0, 0.7), (2.0, 0.6), (3.0, 0.7), (4.0, 0.9)]

    assert pareto_front(points) == [True, True, False, False, True]
