import pytest
from scipy import stats

from analysis.equivalence import tost
from analysis.estimate import Estimate


def test_tost_is_the_larger_one_sided_p_value():
    estimate = Estimate(0.52, 0.02, df=25)

    p = tost(estimate, 0.45, 0.55)

    assert p == pytest.approx(stats.t.cdf((0.52 - 0.55) / 0.02, 25))


@pytest.mark.parametrize("scale", ["identity", "logit"])
@pytest.mark.parametrize("value", [0.44, 0.48, 0.5, 0.52, 0.54, 0.56])
def test_tost_agrees_with_the_interval(scale, value):
    estimate = Estimate(value, 0.02 if scale == "identity" else 0.08, df=25, scale=scale)
    low, high = estimate.interval(0.9)

    assert (tost(estimate, 0.45, 0.55) < 0.05) == (low > 0.45 and high < 0.55)


def test_tost_shows_equivalence_only_where_the_estimate_is_precise():
    assert tost(Estimate(0.5, 0.01, df=99), 0.45, 0.55) < 0.001
    assert tost(Estimate(0.5, 0.05, df=99), 0.45, 0.55) > 0.1


def test_tost_rejects_an_empty_region():
    with pytest.raises(ValueError, match="empty"):
        tost(Estimate(0.5, 0.1), 0.5, 0.5)
