import numpy as np
import pytest
from scipy import special, stats

from analysis.estimate import Estimate


def test_interval_is_a_t_interval():
    low, high = Estimate(0.3, 0.1, df=9).interval(0.95)

    assert (low, high) == pytest.approx((0.3 - 2.262157 * 0.1, 0.3 + 2.262157 * 0.1), abs=1e-6)


def test_interval_without_degrees_of_freedom_is_normal():
    assert Estimate(0.0, 1.0).interval(0.9) == pytest.approx((-1.644854, 1.644854), abs=1e-6)


def test_interval_on_the_logit_scale_stays_between_zero_and_one():
    low, high = Estimate(0.97, 1.5, df=12, scale="logit").interval()

    reach = stats.t.ppf(0.975, 12) * 1.5
    assert low == pytest.approx(special.expit(special.logit(0.97) - reach))
    assert high == pytest.approx(special.expit(special.logit(0.97) + reach))


@pytest.mark.parametrize("scale", ["identity", "logit"])
def test_p_value_is_alpha_where_the_interval_ends(scale):
    estimate = Estimate(0.6, 0.05, df=20, scale=scale)

    assert estimate.p_value(estimate.interval(0.95)[0]) == pytest.approx(0.05)


def test_one_sided_p_values_sum_to_one():
    estimate = Estimate(0.6, 0.05, df=20)

    assert estimate.p_greater(0.5) + estimate.p_less(0.5) == pytest.approx(1)
    assert estimate.p_greater(0.5) == pytest.approx(stats.t.sf(2, 20))


def test_statistic_without_variance_is_infinite_unless_nothing_differs():
    assert Estimate(0.6, 0.0).statistic(0.5) == np.inf
    assert Estimate(0.5, 0.0).statistic(0.5) == 0.0
