import json
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, stats

from analysis.clustered import clustered_mean
from analysis.ranking import chances, equality_test, rank

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"

# W <- matrix(c(0,9,12,7, 5,0,8,6, 3,4,0,9, 6,7,2,0), 4, byrow = TRUE)  # row beats column
WINS = np.array([[0, 9, 12, 7], [5, 0, 8, 6], [3, 4, 0, 9], [6, 7, 2, 0]])


def comparisons(wins, ties=None):
    """One row for each win, in both orders of the sides, and for each tie."""
    rows = []
    for i, j in np.argwhere(wins):
        for k in range(wins[i, j]):
            rows.append((i, j, 1) if k % 2 else (j, i, -1))
    for i, j in np.argwhere(ties) if ties is not None else []:
        rows += [(i, j, 0)] * ties[i, j]
    first, second, outcome = np.array(rows).T
    letters = np.array(list("abcdef"))
    return letters[first], letters[second], outcome


def simulate(seed, scores, tie=-np.inf, people=60, trials=20, spread=0.0):
    rng = np.random.default_rng(seed)
    size, n = len(scores), people * trials
    person = np.repeat(np.arange(people), trials)
    first = rng.integers(0, size, n)
    second = (first + rng.integers(1, size, n)) % size
    own = rng.normal(0, spread, (people, size)) + scores
    win, lose, _, _ = chances(own[person, first] - own[person, second], tie)
    drawn = rng.random(n)
    return first, second, np.where(drawn < win, 1, np.where(drawn < win + lose, -1, 0)), person


def test_rank_matches_bradleyterry2():
    # p <- which(upper.tri(W), arr.ind = TRUE)
    # d <- data.frame(a = letters[p[,1]], b = letters[p[,2]], w = W[p], l = t(W)[p])
    # BTm(cbind(w, l), a, b, data = d, refcat = "a")   (BradleyTerry2 1.1-2)
    result = rank(*comparisons(WINS))

    against_a = [result.estimate(name, "a") for name in "bcd"]
    expected = [-0.549984961162, -0.735040712358, -0.804976480825]
    assert [e.value for e in against_a] == pytest.approx(expected, abs=1e-7)
    expected = [0.398395917619, 0.400977826677, 0.412199422417]
    assert [e.se for e in against_a] == pytest.approx(expected, abs=1e-7)
    assert result.scores.sum() == pytest.approx(0, abs=1e-10)
    assert result.tie == -np.inf


def test_rank_reproduces_the_shared_reference():
    if not REFERENCE.exists():
        pytest.skip("../shared/reference is not there")
    expected = json.loads((REFERENCE / "reference.json").read_text())["pairs"]
    rows = np.genfromtxt(
        REFERENCE / "pairs.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    decided = rows[rows["choice"] != "tie"]
    outcome = np.where(decided["choice"] == "a", 1, -1)

    result = rank(decided["gen_a"], decided["gen_b"], outcome)

    estimates = [result.estimate(f"g{k}", "g0") for k in range(1, 6)]
    assert [e.value for e in estimates] == pytest.approx(list(expected["coef"].values()), abs=1e-6)
    assert [e.se for e in estimates] == pytest.approx(list(expected["se"].values()), rel=1e-4)
    assert result.log_likelihood == pytest.approx(expected["logLik"], abs=1e-6)


def test_rank_with_ties_equals_a_general_optimiser():
    ties = np.array([[0, 5, 1, 2], [0, 0, 3, 4], [0, 0, 0, 6], [0, 0, 0, 0]])

    def negative(parameters):
        scores = np.append(0, parameters[:3])
        difference = scores[:, None] - scores
        win, _, draw, _ = chances(difference, parameters[3])
        return -(WINS * np.log(win)).sum() - (ties * np.log(draw)).sum()

    found = optimize.minimize(negative, np.zeros(4), method="BFGS", tol=1e-8)

    result = rank(*comparisons(WINS, ties))

    assert result.scores[1:] - result.scores[0] == pytest.approx(found.x[:3], abs=1e-4)
    assert result.tie == pytest.approx(found.x[3], abs=1e-4)
    assert result.log_likelihood == pytest.approx(-found.fun, abs=1e-7)
    se = [result.estimate(name, "a").se for name in "bcd"]
    h = np.eye(4) * 1e-4
    curvature = [
        [
            (negative(found.x + a + b) - negative(found.x + a - b) - negative(found.x - a + b))
            + negative(found.x - a - b)
            for a in h
        ]
        for b in h
    ]
    covariance = np.linalg.inv(np.array(curvature) / (4 * 1e-8))
    assert se == pytest.approx(np.sqrt(np.diagonal(covariance))[:3], rel=1e-3)


def test_chances_sum_to_one_and_give_davidsons_ratio():
    win, lose, draw, log_total = chances(np.array([-2.0, 0.0, 3.0]), 0.4)

    assert win + lose + draw == pytest.approx(1)
    assert draw**2 / (win * lose) == pytest.approx(np.exp(0.8))
    assert np.log(draw) == pytest.approx(0.4 - log_total)


def test_rank_of_two_equals_the_cluster_robust_share():
    rng = np.random.default_rng(1)
    person = np.repeat(np.arange(40), 15)
    won = rng.random(600) < 0.6 + rng.normal(0, 0.15, 40)[person]

    result = rank(np.zeros(600), np.ones(600), np.where(won, 1, -1), {"participant": person})

    share = clustered_mean(won, {"participant": person})
    difference = result.estimate(0, 1)
    slope = share.value * (1 - share.value)
    assert difference.value == pytest.approx(np.log(share.value / (1 - share.value)))
    assert difference.se == pytest.approx(share.se / slope)
    assert difference.df == 39


def test_rank_recovers_the_simulated_truth():
    truth = np.array([-1.0, -0.3, 0.0, 0.4, 0.9])

    first, second, outcome, person = simulate(2, truth, tie=-0.5, people=300)
    result = rank(first, second, outcome, {"participant": person})

    assert result.scores == pytest.approx(truth, abs=0.15)
    assert result.tie == pytest.approx(-0.5, abs=0.1)


def test_rank_robust_intervals_are_wider_where_people_differ():
    first, second, outcome, person = simulate(3, np.zeros(4), people=100, spread=1.0)

    robust = rank(first, second, outcome, {"participant": person})
    naive = rank(first, second, outcome)

    assert robust.estimate(0, 1).se > 1.2 * naive.estimate(0, 1).se


def test_ranks_are_certain_where_strengths_are_far_apart():
    first, second, outcome, _ = simulate(4, np.array([2.0, -2.0, 0.0]), people=200)

    best, worst = rank(first, second, outcome).ranks()

    assert best.tolist() == worst.tolist() == [1, 3, 2]


def test_ranks_hold_together_as_often_as_they_say():
    truth = np.array([0.0, 0.05, 0.1, 0.5])
    right = np.array([4, 3, 2, 1])
    held = 0
    for seed in range(150):
        first, second, outcome, person = simulate(seed, truth, people=40)
        best, worst = rank(first, second, outcome, {"participant": person}).ranks()
        held += bool(((best <= right) & (right <= worst)).all())
    assert held / 150 > 0.91  # at least 95 % are wanted; three standard errors below is 0.90


def test_rank_rejects_unusable_input():
    with pytest.raises(ValueError, match="no finite strengths"):
        rank(["a", "a", "b"], ["b", "c", "c"], [1, 1, 1])
    with pytest.raises(ValueError, match="with itself"):
        rank(["a", "b"], ["a", "a"], [1, -1])
    with pytest.raises(ValueError, match="must be 1, 0 or -1"):
        rank(["a", "b"], ["b", "a"], [1, 2])
    with pytest.raises(ValueError, match="same number of rows"):
        rank(["a", "b"], ["b", "a"], [1])


def test_a_robust_joint_test_is_hotellings():
    """One sample in three dimensions: the differences of its means, by Hotelling's T squared.

    In R: ``d <- x[, -1] - x[, 1]; DescTools::HotellingsT2Test(d)`` has F = T² (n - p) / (p (n - 1))
    on p and n - p degrees of freedom.
    """
    x = np.random.default_rng(4).normal([0.0, 0.5, -0.5], size=(12, 3))
    differences = x[:, 1:] - x[:, :1]
    mean, cov = differences.mean(axis=0), np.cov(differences.T) / 12
    f = float(mean @ np.linalg.solve(cov, mean)) * (12 - 2) / (2 * 11)

    p = equality_test(x.mean(axis=0), np.cov(x.T) / 12, 11, robust=True)

    assert p == pytest.approx(stats.f.sf(f, 2, 10))
    assert p > equality_test(x.mean(axis=0), np.cov(x.T) / 12, 11)


def test_a_robust_joint_test_of_as_many_as_there_are_clusters_is_none():
    assert equality_test(np.arange(5.0), np.eye(5), 3, robust=True) is None
