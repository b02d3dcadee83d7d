import numpy as np
import pytest

from analysis.sequential import CAP, asymptotic_sequence, betting_sequence


def accuracies(rng, participants, mean=0.6, trials=20):
    """Shares correct of participants who differ."""
    chance = rng.beta(20 * mean, 20 * (1 - mean), participants)
    return rng.binomial(trials, chance) / trials


def coverage(sequence, runs, participants, first):
    """The share of runs in which no look, from `first` on, excluded the truth."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(runs):
        result = sequence(accuracies(rng, participants))
        low, high = result.low[first - 1 :], result.high[first - 1 :]
        held += bool(((low <= 0.6) & (high >= 0.6)).all())
    return held / runs


def test_betting_sequence_covers_under_continuous_peeking():
    assert coverage(betting_sequence, 150, 150, first=1) >= 0.95


def test_asymptotic_sequence_covers_under_continuous_peeking():
    assert coverage(asymptotic_sequence, 1000, 500, first=50) >= 0.95


def test_an_ordinary_interval_does_not_survive_continuous_peeking():
    def fixed(x):
        t = np.arange(1, len(x) + 1)
        mean = np.cumsum(x) / t
        sd = np.sqrt(np.maximum(np.cumsum(x**2) / t - mean**2, 0))
        low, high = mean - 1.96 * sd / np.sqrt(t), mean + 1.96 * sd / np.sqrt(t)
        return type("Fixed", (), {"low": low, "high": high})

    assert coverage(fixed, 300, 500, first=50) < 0.88


def test_betting_sequence_equals_a_loop_over_participants_and_means():
    x = accuracies(np.random.default_rng(2), 40, mean=0.8)
    alpha, means = 0.1, np.arange(1001) / 1000
    excluded = np.zeros(1001, dtype=bool)
    up, down = np.ones(1001), np.ones(1001)
    for t in range(1, 41):
        past = x[: t - 1]
        running = [(0.5 + past[: i + 1].sum()) / (i + 2) for i in range(t - 1)]
        variance = (0.25 + sum((v - m) ** 2 for v, m in zip(past, running, strict=True))) / t
        bet = np.sqrt(2 * np.log(2 / alpha) / (variance * t * np.log(t + 1)))
        for k, m in enumerate(means):
            up[k] *= 1 + min(bet, CAP / m if m else np.inf) * (x[t - 1] - m)
            down[k] *= 1 - min(bet, CAP / (1 - m) if m < 1 else np.inf) * (x[t - 1] - m)
        excluded |= np.maximum(up, down) >= 2 / alpha
    left = np.flatnonzero(~excluded)

    result = betting_sequence(x, alpha)

    assert result.latest == pytest.approx(((left[0] - 1) / 1000, (left[-1] + 1) / 1000))


def test_sequences_shrink_towards_the_mean():
    x = accuracies(np.random.default_rng(3), 2000)

    for result in (betting_sequence(x), asymptotic_sequence(x, sharpest_at=1000)):
        low, high = result.latest
        assert result.mean[-1] == pytest.approx(x.mean())
        assert 0.58 < low < 0.6 < high < 0.62
        assert (np.diff(result.low[60:]) >= 0).all()
        assert (np.diff(result.high[60:]) <= 0).all()


def test_asymptotic_sequence_waits_for_the_first_look():
    x = accuracies(np.random.default_rng(4), 60)

    result = asymptotic_sequence(x, first=50)

    assert np.isnan(result.low[:49]).all()
    assert np.isfinite(result.low[49:]).all()


def test_asymptotic_sequence_has_the_published_width():
    x = np.tile([0.0, 1.0], 100)

    result = asymptotic_sequence(x, alpha=0.05, first=200, sharpest_at=200)

    squared = (-2 * np.log(0.05) + np.log(1 - 2 * np.log(0.05))) / 200
    width = np.sqrt(
        2 * (200 * squared + 1) / (200**2 * squared) * np.log(np.sqrt(200 * squared + 1) / 0.05)
    )
    assert result.high[-1] - 0.5 == pytest.approx(0.5 * width)


def test_first_excluding_tells_when_chance_was_ruled_out():
    result = betting_sequence(np.full(100, 0.9))

    stopped = result.first_excluding(0.5)

    assert result.low[stopped - 1] > 0.5
    assert result.low[stopped - 2] <= 0.5
    assert result.first_excluding(0.9) is None


@pytest.mark.parametrize("values", [[], [0.5, np.nan], [[0.5]], [0.5, 1.2]])
def test_betting_sequence_rejects_unusable_values(values):
    with pytest.raises(ValueError, match="values must"):
        betting_sequence(values)


def test_bad_settings_are_rejected():
    with pytest.raises(ValueError, match="alpha"):
        betting_sequence([0.5], alpha=0)
    with pytest.raises(ValueError, match="first"):
        asymptotic_sequence([0.5], first=1)
