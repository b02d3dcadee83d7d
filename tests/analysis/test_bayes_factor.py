import numpy as np
import pytest
from scipy import stats

from analysis.bayes_factor import bayes_factor_01
from analysis.estimate import Estimate


@pytest.mark.parametrize(
    ("statistic", "n", "expected"),
    [
        (0.5, 20, 3.84592639565),
        (0.5, 100, 7.99839377979),
        (2.3, 20, 0.51748477059),
        (2.3, 100, 0.734474021709),
        (4.0, 20, 0.0216807375761),
        (4.0, 100, 0.00654609774552),
    ],
)
def test_cauchy_prior_matches_the_bayesfactor_package(statistic, n, expected):
    # BayesFactor 0.9.12-4.4: 1 / exp(ttest.tstat(t = statistic, n1 = n, rscale = 0.707)$bf)
    se = 1 / np.sqrt(n)

    result = bayes_factor_01(Estimate(statistic * se, se, n - 1), scale=0.707)

    assert result.bf01 == pytest.approx(expected, rel=1e-6)


def test_normal_prior_has_a_closed_form():
    estimate = Estimate(0.56, 0.02)

    result = bayes_factor_01(estimate, scale=0.05, null=0.5, prior="normal")

    marginal = stats.norm.pdf(0.06, 0, np.hypot(0.02, 0.05))
    assert result.bf01 == pytest.approx(stats.norm.pdf(0.06, 0, 0.02) / marginal)


def test_precise_estimates_at_the_null_speak_for_no_effect():
    assert bayes_factor_01(Estimate(0.5, 1e-3, 99), scale=0.05, null=0.5).bf01 > 30


def test_the_prior_is_named():
    text = str(bayes_factor_01(Estimate(0.5, 0.02, 99), scale=0.05, null=0.5))

    assert text == "BF01 = 3.54 with a cauchy prior of scale 0.05"


def test_bad_arguments_are_rejected():
    with pytest.raises(ValueError, match="must be positive"):
        bayes_factor_01(Estimate(0.5, 0.0), scale=0.05)
    with pytest.raises(ValueError, match="cauchy or normal"):
        bayes_factor_01(Estimate(0.5, 0.1), scale=0.05, prior="flat")
