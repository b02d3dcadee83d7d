import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analysis.signal_detection import (
    bootstrap_auc,
    bootstrap_mean,
    d_prime_of_share,
    evidence_of_ai,
    mixed_pairs,
    mixed_yes_no,
    pairs,
    roc,
    yes_no,
)

TABLE = Path(__file__).parent / "tables" / "crossed.csv"
REFERENCE = Path(__file__).parents[3] / "shared" / "reference"


@pytest.fixture(scope="module")
def table():
    return np.genfromtxt(TABLE, delimiter=",", names=True)


def test_yes_no_matches_r():
    # h <- (H + .5) / (S + 1); f <- (F + .5) / (N + 1)
    # qnorm(h) - qnorm(f); -(qnorm(h) + qnorm(f)) / 2
    result = yes_no([20, 12, 0, 24], [24, 24, 24, 24], [9, 10, 0, 3], [24, 20, 24, 24])

    assert result.d_prime == pytest.approx([1.22084587594, 0.0, 0.0, 3.13406825145], abs=1e-10)
    assert result.criterion == pytest.approx(
        [-0.304942149872, 0.0, 2.053748910632, -0.486714784908], abs=1e-10
    )


def test_yes_no_reproduces_the_shared_reference():
    if not REFERENCE.exists():
        pytest.skip("../shared/reference is not there")
    expected = json.loads((REFERENCE / "reference.json").read_text())["yesno"]
    rows = np.genfromtxt(REFERENCE / "yesno.csv", delimiter=",", names=True)
    person, says = rows["participant"].astype(int), rows["say_ai"]
    ai = rows["is_ai"] == 1

    result = yes_no(
        np.bincount(person[ai], says[ai]),
        np.bincount(person[ai]),
        np.bincount(person[~ai], says[~ai]),
        np.bincount(person[~ai]),
    )

    assert result.d_prime == pytest.approx(expected["dprime"], abs=1e-9)
    assert result.criterion == pytest.approx(expected["criterion"], abs=1e-9)
    auc = roc(rows["rating"], ai).auc
    assert auc == pytest.approx(expected["auc_rating_pooled"], abs=1e-9)
    mixed = mixed_yes_no(says, ai, {"participant": person})
    glmer = expected["glmer_probit_dprime"]
    assert mixed.d_prime.value == pytest.approx(glmer["coef"]["I(is_ai - 0.5)"], abs=5e-3)
    assert mixed.d_prime.se == pytest.approx(glmer["se"]["I(is_ai - 0.5)"], rel=1e-2)


def test_mafc_reproduces_the_shared_reference():
    if not REFERENCE.exists():
        pytest.skip("../shared/reference is not there")
    expected = json.loads((REFERENCE / "reference.json").read_text())["mafc"]

    assert d_prime_of_share(expected["pc"]) == pytest.approx(expected["sqrt2_z"], abs=1e-9)


def test_pairs_d_prime_does_not_depend_on_side_bias():
    rng = np.random.default_rng(1)
    n = 200_000
    ai_left = rng.random(n) < 0.5
    difference = np.where(ai_left, 1.0, -1.0) * 0.8 + rng.normal(0, np.sqrt(2), n)
    fair, biased = difference > 0, difference > -0.9

    results = [
        pairs((chose & ai_left).sum(), ai_left.sum(), (chose & ~ai_left).sum(), (~ai_left).sum())
        for chose in (fair, biased)
    ]

    assert results[0].d_prime == pytest.approx(0.8, abs=0.02)
    assert results[1].d_prime == pytest.approx(0.8, abs=0.02)
    assert results[0].criterion == pytest.approx(0.0, abs=0.02)
    assert results[1].criterion < -0.5  # leans to the left


def test_pairs_without_bias_agrees_with_the_share_correct():
    result = pairs(7500, 10000, 2500, 10000)

    assert result.d_prime == pytest.approx(d_prime_of_share(0.75), abs=1e-3)


@pytest.mark.parametrize("counts", [(5, 4, 1, 4), (-1, 4, 1, 4), (0, 0, 1, 4), (1, 4, 0, 0)])
def test_yes_no_rejects_impossible_counts(counts):
    with pytest.raises(ValueError, match="counts must lie"):
        yes_no(*counts)


@pytest.mark.parametrize("share", [0.0, 1.0, 1.2])
def test_d_prime_of_share_rejects_what_has_none(share):
    with pytest.raises(ValueError, match="between 0 and 1"):
        d_prime_of_share(share)


def test_roc_area_matches_the_rank_sum():
    # s <- c(4, 3, 5, 2, 4, 4, 1); n <- c(1, 2, 2, 4, 3, 1)
    # wilcox.test(s, n, exact = FALSE)$statistic / (length(s) * length(n))
    evidence = [4, 3, 5, 2, 4, 4, 1, 1, 2, 2, 4, 3, 1]

    result = roc(evidence, [True] * 7 + [False] * 6)

    assert result.auc == pytest.approx(0.738095238095)
    assert result.hit_rate == pytest.approx(np.array([0, 1, 4, 5, 6, 7]) / 7)
    assert result.false_alarm_rate == pytest.approx(np.array([0, 0, 1, 2, 4, 6]) / 6)


def test_roc_of_normal_evidence_has_the_area_of_its_d_prime():
    rng = np.random.default_rng(2)
    signal = rng.random(50_000) < 0.4

    result = roc(rng.normal(size=50_000) + 1.2 * signal, signal)

    assert result.auc == pytest.approx(stats.norm.cdf(1.2 / np.sqrt(2)), abs=0.01)


def test_roc_rejects_unusable_input():
    with pytest.raises(ValueError, match="one length"):
        roc([1.0, 2.0], [True])
    with pytest.raises(ValueError, match="missing"):
        roc([1.0, np.nan], [True, False])
    with pytest.raises(ValueError, match="both signals and noises"):
        roc([1.0, 2.0], [True, True])


def test_evidence_of_ai_is_signed_confidence():
    assert evidence_of_ai([True, False], [0.8, 0.3]).tolist() == [0.8, -0.3]
    with pytest.raises(ValueError, match="between 0 and 1"):
        evidence_of_ai([True], [80])


def test_bootstrap_mean_covers_the_mean_of_participants():
    d_primes = np.random.default_rng(3).normal(0.6, 0.4, 80)

    low, high = bootstrap_mean(d_primes, np.random.default_rng(3), 2000).interval()

    reach = 1.96 * 0.4 / np.sqrt(80)
    assert (low, high) == pytest.approx(
        (d_primes.mean() - reach, d_primes.mean() + reach), abs=0.02
    )


def test_bootstrap_auc_resamples_whole_participants():
    rng = np.random.default_rng(4)
    person = np.repeat(np.arange(12), 10)
    signal = np.tile([True, False], 60)
    evidence = np.round(rng.normal(size=120) + signal + rng.normal(0, 1, 12)[person], 1)

    result = bootstrap_auc(evidence, signal, person, np.random.default_rng(5), 40)

    assert result.value == pytest.approx(roc(evidence, signal).auc)
    weights = np.random.default_rng(5).multinomial(12, np.full(12, 1 / 12), 40)
    rows = np.repeat(np.arange(120), weights[7][person])
    assert result.draws[7] == pytest.approx(roc(evidence[rows], signal[rows]).auc)


def test_mixed_yes_no_matches_glmmtmb(table):
    # glmmTMB(correct ~ x + (1 + x | participant), d, family = binomial("probit"))
    groups = {"participant": table["participant"]}

    result = mixed_yes_no(table["correct"], table["x"] > 0, groups)

    assert result.d_prime.value == pytest.approx(0.459812179517, abs=5e-5)
    assert result.d_prime.se == pytest.approx(0.171168503686, rel=1e-3)
    assert result.criterion.value == pytest.approx(-0.111146854302, abs=5e-5)


def test_mixed_pairs_recovers_d_prime():
    rng = np.random.default_rng(6)
    person, item = np.divmod(np.arange(100 * 40), 40)
    ai_left = rng.random(4000) < 0.5
    own = rng.normal(0.9, 0.3, 100)[person]
    difference = np.where(ai_left, 1.0, -1.0) * own + 0.3 + rng.normal(0, np.sqrt(2), 4000)

    result = mixed_pairs(difference > 0, ai_left, {"participant": person, "item": item})

    assert result.d_prime.value == pytest.approx(0.9, abs=3 * result.d_prime.se)
    assert result.d_prime.se < 0.07
    assert result.criterion.value == pytest.approx(-0.3 / np.sqrt(2), abs=0.1)
