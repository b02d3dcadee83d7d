from fractions import Fraction
from math import comb

import pytest

from analysis.binomial import upper_tail, wilson_interval


def test_wilson_interval_gives_the_values_of_r():
    # R: prop.test(11, 16, correct = FALSE)$conf.int
    assert wilson_interval(11, 16) == pytest.approx((0.44404356, 0.85835356), abs=1e-8)
    # R: prop.test(3067, 5000, correct = FALSE, conf.level = 0.9)$conf.int
    assert wilson_interval(3067, 5000, 0.9) == pytest.approx((0.60201378, 0.62466356), abs=1e-8)


def test_wilson_interval_touches_the_ends_of_the_scale():
    assert wilson_interval(0, 8)[0] == 0.0
    assert wilson_interval(8, 8)[1] == 1.0


@pytest.mark.parametrize(("successes", "n"), [(11, 16), (0, 5), (5, 5), (300, 520), (520, 1040)])
def test_upper_tail_agrees_with_exact_fractions(successes, n):
    exact = sum(Fraction(comb(n, k), 2**n) for k in range(successes, n + 1))

    assert upper_tail(successes, n) == pytest.approx(float(exact), rel=1e-10)


def test_upper_tail_takes_another_probability():
    # R: pbinom(2, 4, 0.3, lower.tail = FALSE)
    assert upper_tail(3, 4, 0.3) == pytest.approx(0.0837)


def test_upper_tail_of_a_large_table_is_fast_and_finite():
    assert upper_tail(150_000, 290_000) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 4), (5, 4)])
def test_impossible_counts_are_refused(successes, n):
    with pytest.raises(ValueError, match="must"):
        wilson_interval(successes, n)
    with pytest.raises(ValueError, match="must"):
        upper_tail(successes, n)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_an_impossible_level_is_refused(level):
    with pytest.raises(ValueError, match="level"):
        wilson_interval(1, 2, level)


@pytest.mark.parametrize("p", [0, 1])
def test_an_impossible_probability_is_refused(p):
    with pytest.raises(ValueError, match="p must"):
        upper_tail(1, 2, p)
