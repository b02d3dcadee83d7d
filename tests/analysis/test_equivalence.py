"""The contract's rules of verdicts, on estimates whose intervals are known."""

import pytest
from scipy import stats

from analysis.equivalence import (
    Verdict,
    judge_difference,
    judge_joint,
    judge_no_difference,
    tost,
)
from analysis.estimate import Estimate


@pytest.mark.parametrize(
    ("value", "se", "verdict"),
    [
        (0.50, 0.01, Verdict.SUPPORTED),  # narrow, at chance
        (0.53, 0.01, Verdict.SUPPORTED),  # above chance, but by less than matters
        (0.58, 0.01, Verdict.REFUTED),  # above chance
        (0.42, 0.01, Verdict.REFUTED),  # below chance
        (0.50, 0.10, Verdict.UNDECIDED),  # wide
    ],
)
def test_judge_no_difference_follows_the_contract(value, se, verdict):
    judgement = judge_no_difference(Estimate(value, se), null=0.5, smallest=0.05)

    assert judgement.verdict == verdict


@pytest.mark.parametrize(
    ("value", "se", "upward", "two_sided"),
    [
        (0.60, 0.01, Verdict.SUPPORTED, Verdict.SUPPORTED),
        (0.40, 0.01, Verdict.REFUTED, Verdict.SUPPORTED),
        (0.53, 0.01, Verdict.SUPPORTED, Verdict.SUPPORTED),  # smaller than of interest
        (0.47, 0.01, Verdict.REFUTED, Verdict.SUPPORTED),
        (0.50, 0.01, Verdict.REFUTED, Verdict.REFUTED),  # equivalence holds
        (0.50, 0.10, Verdict.UNDECIDED, Verdict.UNDECIDED),
    ],
)
def test_judge_difference_follows_the_contract(value, se, upward, two_sided):
    estimate = Estimate(value, se)

    assert judge_difference(estimate, 0.5, 0.05, "upward").verdict == upward
    assert judge_difference(estimate, 0.5, 0.05, "two-sided").verdict == two_sided


def test_judge_marks_an_effect_smaller_than_of_interest():
    assert judge_difference(Estimate(0.53, 0.01), 0.5, 0.05, "upward").smaller_than_of_interest
    assert not judge_difference(Estimate(0.60, 0.01), 0.5, 0.05, "upward").smaller_than_of_interest


def test_judge_joint_is_never_refuted():
    assert judge_joint(0.049) == Verdict.SUPPORTED
    assert judge_joint(0.9) == Verdict.UNDECIDED


def test_tost_is_the_larger_one_sided_p_value():
    estimate = Estimate(0.52, 0.02, df=25)

    p = tost(estimate, 0.45, 0.55)

    assert p == pytest.approx(stats.t.cdf((0.52 - 0.55) / 0.02, 25))


@pytest.mark.parametrize("scale", ["identity", "logit"])
@pytest.mark.parametrize("value", [0.5, 0.52, 0.54, 0.56])
def test_tost_agrees_with_the_interval(scale, value):
    estimate = Estimate(value, 0.02, df=25, scale=scale)
    low, high = estimate.interval(0.9)

    assert (tost(estimate, 0.45, 0.55) < 0.05) == (low > 0.45 and high < 0.55)


def test_bad_arguments_are_rejected():
    with pytest.raises(ValueError, match="empty"):
        tost(Estimate(0.5, 0.1), 0.5, 0.5)
    with pytest.raises(ValueError, match="must be positive"):
        judge_no_difference(Estimate(0.5, 0.1), 0.5, 0.0)
    with pytest.raises(ValueError, match="alpha"):
        judge_no_difference(Estimate(0.5, 0.1), 0.5, 0.05, alpha=0.5)
    with pytest.raises(ValueError, match="direction"):
        judge_difference(Estimate(0.5, 0.1), 0.5, 0.05, "downward")
