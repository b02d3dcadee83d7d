"""Mixed models against R, against a dense computation by brute force, and against the truth.

The table is simulated by tables/make_crossed.py. R 4.2.2, glmmTMB 1.1.5, lme4 1.1-31.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

from analysis.mixed import PerfectFit, fit_glmm, fit_lmm, marginal_probability
from analysis.mixed.cross import DenseCross, SparseCross
from analysis.mixed.laplace import Laplace
from analysis.mixed.layout import Layout
from analysis.mixed.links import LINKS
from analysis.mixed.rows import prepare, sort_rows

TABLE = Path(__file__).parent / "tables" / "crossed.csv"
REFERENCE = Path(__file__).parents[3] / "shared" / "reference"


@pytest.fixture(scope="module")
def table():
    return np.genfromtxt(TABLE, delimiter=",", names=True)


def with_intercept(*columns):
    return np.column_stack([np.ones(len(columns[0])), *columns])


def crossed(table):
    return {"participant": table["participant"], "item": table["item"]}


def simulate(seed, participants=40, items=30, trials=15, intercept=0.3, sd=(0.5, 0.6), slope=None):
    rng = np.random.default_rng(seed)
    participant = np.repeat(np.arange(participants), trials)
    item = np.concatenate([rng.permutation(items)[:trials] for _ in range(participants)])
    x = rng.choice([-0.5, 0.5], participants * trials)
    eta = intercept + rng.normal(0, sd[0], participants)[participant]
    eta += rng.normal(0, sd[1], items)[item]
    if slope is not None:
        eta += x * rng.normal(*slope, participants)[participant]
    y = (rng.random(len(eta)) < special.expit(eta)).astype(float)
    return y, x, {"participant": participant, "item": item}


# ---------------------------------------------------------------- values from R


def test_fit_glmm_logit_matches_glmmtmb(table):
    # glmmTMB(correct ~ x + (1 | participant) + (1 | item), d, family = binomial("logit"))
    fit = fit_glmm(table["correct"], with_intercept(table["x"]), crossed(table))

    assert fit.log_likelihood == pytest.approx(-306.646834111, abs=1e-6)
    assert fit.coef == pytest.approx([0.201351370229, 0.830158376903], abs=2e-5)
    assert fit.se == pytest.approx([0.233502325614, 0.209020976323], rel=1e-3)
    assert fit.sd["participant"] == pytest.approx(0.723689850462, abs=1e-4)
    assert fit.sd["item"] == pytest.approx(0.66584368013, abs=1e-4)
    assert fit.boundary == ()
    assert fit.converged


def test_fit_glmm_logit_is_close_to_glmer(table):
    # glmer(correct ~ x + (1 | participant) + (1 | item), d, family = binomial("logit"))
    fit = fit_glmm(table["correct"], with_intercept(table["x"]), crossed(table))

    assert fit.coef == pytest.approx([0.201280239620, 0.829625432398], rel=2e-3)
    assert fit.se == pytest.approx([0.233229517683, 0.207865292346], rel=1e-2)


def test_fit_glmm_probit_matches_glmmtmb(table):
    # glmmTMB(correct ~ x + (1 | participant) + (1 | item), d, family = binomial("probit"))
    fit = fit_glmm(table["correct"], with_intercept(table["x"]), crossed(table), link="probit")

    assert fit.log_likelihood == pytest.approx(-306.477435621, abs=1e-6)
    assert fit.coef == pytest.approx([0.120470566918, 0.493480759322], abs=2e-5)
    assert fit.se == pytest.approx([0.141496117436, 0.124608710947], rel=1e-3)


def test_fit_glmm_correlated_slopes_match_glmmtmb(table):
    # glmmTMB(correct ~ x + (1 + x | participant) + (1 | item), d, family = binomial)
    x = table["x"]

    fit = fit_glmm(table["correct"], with_intercept(x), crossed(table), slopes={"participant": x})

    assert fit.log_likelihood == pytest.approx(-303.751171723, abs=1e-6)
    assert fit.coef == pytest.approx([0.196790741863, 0.847720855388], abs=5e-5)
    assert fit.se == pytest.approx([0.238689054684, 0.289650116939], rel=1e-3)
    assert fit.sd["participant"] == pytest.approx(0.746318264524, abs=1e-3)
    assert fit.sd["participant:slope"] == pytest.approx(0.948753311647, abs=1e-3)
    assert fit.correlation["participant"] == pytest.approx(-0.312140149329, abs=1e-3)


def test_fit_glmm_independent_slopes_match_glmmtmb(table):
    # glmmTMB(correct ~ x + (1 + x || participant) + (1 | item), d, family = binomial)
    x = table["x"]

    fit = fit_glmm(
        table["correct"],
        with_intercept(x),
        crossed(table),
        slopes={"participant": x},
        correlated=False,
    )

    assert fit.log_likelihood == pytest.approx(-304.059529225, abs=1e-6)
    assert fit.se == pytest.approx([0.238283864257, 0.287535235236], rel=1e-3)
    assert fit.correlation == {}


def test_fit_glmm_probit_slopes_of_participants_alone_match_glmmtmb(table):
    # glmmTMB(correct ~ x + (1 + x | participant), d, family = binomial("probit"))
    x, groups = table["x"], {"participant": table["participant"]}

    fit = fit_glmm(
        table["correct"], with_intercept(x), groups, slopes={"participant": x}, link="probit"
    )

    assert fit.log_likelihood == pytest.approx(-312.178139665, abs=1e-6)
    assert fit.coef == pytest.approx([0.111146854302, 0.459812179517], abs=5e-5)
    assert fit.se == pytest.approx([0.102483903909, 0.171168503686], rel=1e-3)


def test_fit_glmm_slopes_of_the_smaller_factor_reach_the_boundary_of_the_correlation(table):
    # glmmTMB(correct ~ x + (1 + x | item) + (1 | participant), d, family = binomial)
    # its correlation: -0.999993062548
    x = table["x"]

    fit = fit_glmm(table["correct"], with_intercept(x), crossed(table), slopes={"item": x})

    assert fit.log_likelihood == pytest.approx(-306.42496115, abs=1e-5)
    assert fit.correlation["item"] == pytest.approx(-1.0, abs=1e-12)
    assert fit.boundary == ("item:correlation",)


def test_fit_glmm_third_factor_without_variance_is_exactly_zero(table):
    # d$third <- (7 * d$participant + 3 * d$item) %% 15
    # glmmTMB(correct ~ 1 + (1 | participant) + (1 | item) + (1 | third), d, family = binomial)
    # its standard deviation of third: 4.2e-05
    third = (7 * table["participant"] + 3 * table["item"]) % 15
    groups = {**crossed(table), "third": third}

    fit = fit_glmm(table["correct"], np.ones((480, 1)), groups)

    assert fit.log_likelihood == pytest.approx(-314.825925661, abs=1e-6)
    assert fit.coef == pytest.approx([0.193820576659], abs=2e-5)
    assert fit.se == pytest.approx([0.223588175479], rel=1e-3)
    assert fit.sd["third"] == 0.0
    assert fit.boundary == ("third",)


def test_fit_lmm_matches_lmer(table):
    # lmer(rating ~ x + (1 | participant) + (1 | item), d)
    fit = fit_lmm(table["rating"], with_intercept(table["x"]), crossed(table))

    assert fit.log_likelihood == pytest.approx(-771.237473117, abs=1e-6)
    assert fit.coef == pytest.approx([0.293556250000, 0.808106409418], abs=1e-6)
    assert fit.se == pytest.approx([0.167693583903, 0.102452628695], rel=1e-4)
    assert fit.sd["participant"] == pytest.approx(0.668280461859, rel=1e-3)
    assert fit.sd["item"] == pytest.approx(0.372430374854, rel=1e-3)
    assert fit.residual_sd == pytest.approx(1.11232438916, rel=1e-4)


def test_fit_lmm_slopes_match_lmer(table):
    # lmer(rating ~ x + (1 + x | participant) + (1 | item), d)
    x = table["x"]

    fit = fit_lmm(table["rating"], with_intercept(x), crossed(table), slopes={"participant": x})

    assert fit.log_likelihood == pytest.approx(-755.432713879, abs=1e-6)
    assert fit.se == pytest.approx([0.167957613631, 0.190114309145], rel=1e-3)
    assert fit.sd["participant:slope"] == pytest.approx(0.8055345595894, rel=1e-3)
    assert fit.correlation["participant"] == pytest.approx(0.0751672701077, abs=1e-3)


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_fit_glmm_reproduces_the_shared_reference(link):
    if not REFERENCE.exists():
        pytest.skip("../shared/reference is not there")
    expected = json.loads((REFERENCE / "reference.json").read_text())["crossed_small"]
    rows = np.genfromtxt(
        REFERENCE / "crossed_small.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    conditions = [rows["condition"] == name for name in "BC"]
    X = with_intercept(*conditions, rows["trial_z"])

    fit = fit_glmm(rows["correct"], X, crossed(rows), link=link)

    reference = expected[f"glmmTMB_{link}"]
    assert fit.log_likelihood == pytest.approx(reference["logLik"], abs=1e-5)
    assert fit.coef == pytest.approx(list(reference["coef"].values()), abs=2e-5)
    glmer = expected[f"glmer_{link}_nAGQ1"]["se"]
    assert fit.se == pytest.approx(list(glmer.values()), rel=1e-2)


# ---------------------------------------------------------------- second implementations


def brute_force_log_likelihood(y, X, Z, beta, scales):
    """The Laplace approximation with dense matrices, finding the modes by a general optimiser."""
    design = Z * scales

    def negative_joint(u):
        eta = X @ beta + design @ u
        return -(y * eta - np.logaddexp(0, eta)).sum() + u @ u / 2

    found = optimize.minimize(negative_joint, np.zeros(Z.shape[1]), method="BFGS", tol=1e-10)
    chance = special.expit(X @ beta + design @ found.x)
    curvature = design.T @ (design * (chance * (1 - chance))[:, None]) + np.eye(Z.shape[1])
    return -found.fun - np.linalg.slogdet(curvature)[1] / 2


def test_laplace_equals_a_dense_brute_force_computation():
    y, x, groups = simulate(1, participants=8, items=6, trials=5)
    X, beta = with_intercept(x), np.array([0.4, -0.7])
    Z = np.column_stack(
        [groups["participant"][:, None] == np.arange(8), groups["item"][:, None] == np.arange(6)]
    )
    function = laplace(y, X, groups)

    value, _ = function(np.array([*beta, 0.6, 1.1]))

    expected = brute_force_log_likelihood(y, X, Z, beta, np.repeat([0.6, 1.1], [8, 6]))
    assert value == pytest.approx(expected, abs=1e-7)


def laplace(y, X, groups, link="logit", slopes=None):
    given = prepare(y, X, groups, names=None, counts=None, slopes=slopes, correlated=True)
    rows = sort_rows(given, aggregate=True)
    layout = Layout(rows.factors, rows.entries)
    return Laplace(layout, link, 2 * rows.response - 1, rows.counts, rows.design)


@pytest.mark.parametrize("link", ["logit", "probit"])
@pytest.mark.parametrize("slope_of", ["participant", "item", None])
def test_laplace_gradient_equals_finite_differences(link, slope_of):
    y, x, groups = simulate(2)
    slopes = {slope_of: x} if slope_of else None
    function = laplace(y, with_intercept(x), groups, link, slopes)
    at = np.array([0.3, -0.4, 0.5, 0.2, 0.6, 0.4])[: 2 + len(function.layout.entries)]
    steps = np.eye(len(at)) * 1e-5

    _, gradient = function(at)

    differences = [(function(at + h)[0] - function(at - h)[0]) / 2e-5 for h in steps]
    assert gradient == pytest.approx(differences, rel=1e-5, abs=1e-5)


def test_fit_lmm_equals_the_dense_restricted_likelihood():
    y, x, groups = simulate(3, participants=10, items=8, trials=6)
    response = y + np.random.default_rng(3).normal(size=len(y))
    X = with_intercept(x)

    fit = fit_lmm(response, X, groups)

    covariance = fit.residual_sd**2 * np.eye(len(y))
    for name, codes in groups.items():
        covariance += fit.sd[name] ** 2 * (codes[:, None] == codes)
    precision = np.linalg.inv(covariance)
    information = X.T @ precision @ X
    residual = response - X @ fit.coef
    expected = -0.5 * (
        np.linalg.slogdet(covariance)[1]
        + np.linalg.slogdet(information)[1]
        + residual @ precision @ residual
        + (len(y) - 2) * np.log(2 * np.pi)
    )
    assert fit.log_likelihood == pytest.approx(expected, abs=1e-8)
    assert fit.coef == pytest.approx(np.linalg.solve(information, X.T @ precision @ response))
    assert fit.cov == pytest.approx(np.linalg.inv(information))


def test_sparse_and_dense_blocks_agree():
    rng = np.random.default_rng(4)
    rows = np.sort(np.concatenate([np.arange(9), rng.integers(0, 9, 40)]))
    columns = [rng.integers(0, 5, len(rows)), 5 + rng.integers(0, 7, len(rows))]
    own = [rng.random(len(rows)), rng.random(len(rows))]
    other = [0.7, rng.random(len(rows))]
    dense, sparse = (kind(rows, columns, 9, 12) for kind in (DenseCross, SparseCross))
    right = np.cov(rng.normal(size=(12, 30)))
    full, filled = dense.fill(own, other), sparse.fill(own, other)

    met = sparse.times_at_cells(filled, right)

    assert filled == pytest.approx(full[:, sparse.row, sparse.column])
    left_over = [right.copy(), right.copy()]
    sparse.subtract_gram(left_over[0], filled)
    dense.subtract_gram(left_over[1], full)
    assert np.triu(left_over[0]) == pytest.approx(np.triu(left_over[1]))
    assert np.triu(left_over[1]) != pytest.approx(np.triu(right))
    assert met == pytest.approx(dense.times_at_cells(full, right)[:, sparse.row, sparse.column])
    assert sparse.times(filled, right[0]) == pytest.approx(dense.times(full, right[0]))
    left = rng.normal(size=(2, 9))
    assert sparse.transposed_times(filled, left) == pytest.approx(
        dense.transposed_times(full, left)
    )


def test_fit_glmm_is_the_same_where_few_levels_meet(monkeypatch):
    y, x, groups = simulate(5, participants=60, items=50, trials=8)
    X, slopes = with_intercept(x), {"participant": x}
    dense = fit_glmm(y, X, groups, slopes=slopes)
    monkeypatch.setattr("analysis.mixed.cross.DENSE_ENTRIES", 0)
    monkeypatch.setattr("analysis.mixed.cross.DENSE_FILL", 0)

    sparse = fit_glmm(y, X, groups, slopes=slopes)

    assert type(sparse.layout.cross) is SparseCross
    assert sparse.log_likelihood == pytest.approx(dense.log_likelihood, abs=1e-8)
    assert sparse.se == pytest.approx(dense.se, rel=1e-6)


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_links_hold_far_from_zero(link):
    eta, sign = np.array([-30.0, -3.0, 0.0, 3.0, 30.0]), np.ones(5)
    exact = {"logit": special.log_expit, "probit": special.log_ndtr}[link]

    terms = LINKS[link](eta, sign)

    assert terms.log_likelihood == pytest.approx(exact(eta), rel=1e-10, abs=1e-12)
    steps = [LINKS[link](eta + h, sign) for h in (1e-5, -1e-5)]
    slope = (steps[0].log_likelihood - steps[1].log_likelihood) / 2e-5
    assert terms.score == pytest.approx(slope, rel=1e-5, abs=1e-7)
    bend = -(steps[0].score - steps[1].score) / 2e-5
    assert terms.weight == pytest.approx(bend, rel=1e-4, abs=1e-7)
    change = (steps[0].weight - steps[1].weight) / 2e-5
    assert terms.weight_slope == pytest.approx(change, rel=1e-3, abs=1e-6)


# ---------------------------------------------------------------- behaviour


def test_fit_glmm_recovers_the_simulated_truth():
    y, x, groups = simulate(6, 300, 150, 60, intercept=0.4, sd=(0.6, 0.8), slope=(1.0, 0.5))

    fit = fit_glmm(y, with_intercept(x), groups, slopes={"participant": x})

    assert abs(fit.coef - [0.4, 1.0]) == pytest.approx(0, abs=3 * fit.se.max())
    assert fit.sd["participant"] == pytest.approx(0.6, abs=0.1)
    assert fit.sd["item"] == pytest.approx(0.8, abs=0.15)
    assert fit.sd["participant:slope"] == pytest.approx(0.5, abs=0.1)


def test_fit_glmm_counts_equal_repeated_rows():
    y, x, groups = simulate(7)
    counts = np.random.default_rng(7).integers(1, 4, len(y))
    repeated = {name: np.repeat(codes, counts) for name, codes in groups.items()}

    fit = fit_glmm(y, with_intercept(x), groups, counts=counts)

    other = fit_glmm(np.repeat(y, counts), np.repeat(with_intercept(x), counts, axis=0), repeated)
    assert fit.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-9)
    assert fit.n == other.n


def test_fit_glmm_does_not_depend_on_the_order_of_rows_or_the_labels():
    y, x, groups = simulate(8)
    order = np.random.default_rng(8).permutation(len(y))
    labels = {name: np.array([f"id{c:03}" for c in codes])[order] for name, codes in groups.items()}

    fit = fit_glmm(y, with_intercept(x), groups)

    other = fit_glmm(y[order], with_intercept(x[order]), labels)
    assert other.coef == pytest.approx(fit.coef, abs=1e-9)
    assert other.modes["item"] == pytest.approx(fit.modes["item"], abs=1e-9)


def test_fit_glmm_modes_are_those_of_the_labels():
    y, x, groups = simulate(9, participants=200, items=12, trials=12, sd=(0.3, 1.5))

    fit = fit_glmm(y, with_intercept(x), groups)

    shares = np.bincount(groups["item"], y) / np.bincount(groups["item"])
    assert np.argsort(fit.modes["item"][:, 0]).tolist() == np.argsort(shares).tolist()


def test_fit_glmm_without_any_variance_is_the_ordinary_regression():
    participant, item = np.divmod(np.arange(400), 20)
    y = (participant + item) % 2  # exactly half correct for everyone and everything

    fit = fit_glmm(y, np.ones((400, 1)), {"participant": participant, "item": item})

    assert fit.sd == {"participant": 0.0, "item": 0.0}
    assert set(fit.boundary) == {"participant", "item"}
    assert fit.log_likelihood == pytest.approx(400 * np.log(0.5))
    assert fit.se == pytest.approx([1 / np.sqrt(100)], rel=1e-4)


def test_fit_glmm_joint_test_of_one_effect_is_its_squared_t():
    y, x, groups = simulate(10)
    fit = fit_glmm(y, with_intercept(x), groups, names=["intercept", "x"])

    statistic, numerator, denominator, p = fit.joint_test(["x"])

    effect = fit.estimate("x")
    assert (numerator, denominator) == (1, 29)
    assert statistic == pytest.approx(effect.statistic() ** 2)
    assert p == pytest.approx(effect.p_value())


def test_contrast_of_fixed_effects_uses_their_covariance():
    y, x, groups = simulate(11)
    fit = fit_glmm(y, with_intercept(x), groups)

    contrast = fit.contrast([1, 0.5])

    assert contrast.value == pytest.approx(fit.coef[0] + fit.coef[1] / 2)
    assert contrast.se**2 == pytest.approx(fit.cov[0, 0] + fit.cov[0, 1] + fit.cov[1, 1] / 4)


def test_fit_glmm_leaves_saddles_near_zero():
    saddles = 0
    for seed in range(25):
        y, _, groups = simulate(seed, participants=36, items=19, trials=6, sd=(0.3, 2.5))
        X = np.ones((len(y), 1))

        fit = fit_glmm(y, X, groups)

        function = laplace(y, X, groups)
        names = [factor.name for factor in function.layout.factors]
        for small in np.flatnonzero([fit.sd[name] == 0 for name in names]):
            off = np.array([*fit.coef, *(fit.sd[name] for name in names)])
            off[1 + small] = 0.1
            assert function(off)[0] < fit.log_likelihood
            saddles += 1
    assert saddles > 3


def test_fit_glmm_says_when_responses_are_separated():
    participant, item = np.divmod(np.arange(200), 10)
    x = np.where(participant % 2, 0.5, -0.5)
    y = x > 0  # the predictor tells every response

    fit = fit_glmm(y, with_intercept(x), {"participant": participant, "item": item})

    assert not fit.converged
    assert marginal_probability(fit, [1, 0]).interval() == (0.0, 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.ones(4)}, "both 0 and 1"),
        ({"y": [0, 1, 2, 1]}, "both 0 and 1"),
        ({"y": [0, 1, np.nan, 1]}, "y holds missing"),
        ({"X": np.ones(4)}, "X must have 2"),
        ({"X": np.ones((4, 2))}, "linearly dependent"),
        ({"X": np.ones((3, 1))}, "X has 3 rows"),
        ({"groups": {"participant": [0, 0, 0, 0]}}, "single level"),
        ({"groups": {}}, "at least one grouping factor"),
        ({"names": ["a", "b"]}, "2 names for 1"),
        ({"slopes": {"item": [0, 1, 0, 1]}}, "unknown groups"),
        ({"counts": [1, 1, 0, 1]}, "counts must be positive"),
        ({"link": "log"}, "link must be one of"),
    ],
)
def test_fit_glmm_rejects_unusable_input(change, message):
    arguments = {"y": [0, 1, 0, 1], "X": np.ones((4, 1)), "groups": {"participant": [0, 0, 1, 1]}}

    with pytest.raises(ValueError, match=message):
        fit_glmm(**{**arguments, **change})


def test_fit_lmm_rejects_a_constant_rating():
    with pytest.raises(ValueError, match="constant"):
        fit_lmm(np.ones(4), np.ones((4, 1)), {"participant": [0, 0, 1, 1]})


# ---------------------------------------------------------------- marginal probabilities


def test_marginal_probability_equals_numerical_integration():
    y, x, groups = simulate(12)
    fit = fit_glmm(y, with_intercept(x), groups)
    spread = np.hypot(fit.sd["participant"], fit.sd["item"])

    result = marginal_probability(fit, [1, 0.5])

    centre = fit.coef[0] + fit.coef[1] / 2
    expected = integrate.quad(
        lambda u: special.expit(centre + spread * u) * stats.norm.pdf(u), -12, 12
    )[0]
    assert result.value == pytest.approx(expected, abs=1e-8)
    assert result.df == 29


def test_marginal_probability_of_a_probit_with_slopes_has_a_closed_form():
    y, x, groups = simulate(13, slope=(0.5, 0.8))
    fit = fit_glmm(y, with_intercept(x), groups, slopes={"participant": x}, link="probit")

    result = marginal_probability(fit, [1, 0.5], {"participant": 0.5})

    own, slope = fit.sd["participant"], fit.sd["participant:slope"]
    together = fit.correlation["participant"] * own * slope
    variance = own**2 + together + slope**2 / 4 + fit.sd["item"] ** 2
    expected = stats.norm.cdf((fit.coef[0] + fit.coef[1] / 2) / np.sqrt(1 + variance))
    assert result.value == pytest.approx(expected)


def test_marginal_probability_averages_over_rows():
    y, x, groups = simulate(14)
    fit = fit_glmm(y, with_intercept(x), groups)

    result = marginal_probability(fit, [[1, 0.5], [1, -0.5]])

    parts = [marginal_probability(fit, [1, half]).value for half in (0.5, -0.5)]
    assert result.value == pytest.approx(np.mean(parts))


def test_marginal_probability_needs_the_slopes_value():
    y, x, groups = simulate(15)
    fit = fit_glmm(y, with_intercept(x), groups, slopes={"participant": x})

    with pytest.raises(ValueError, match="slope's value for 'participant'"):
        marginal_probability(fit, [1, 0])


def test_marginal_probability_estimates_the_share_of_the_population():
    y, _, groups = simulate(16, 400, 200, 50, intercept=1.0, sd=(0.9, 0.9))
    fit = fit_glmm(y, np.ones((len(y), 1)), groups)

    result = marginal_probability(fit, [1])

    assert result.value == pytest.approx(y.mean(), abs=0.01)
    assert special.expit(fit.coef[0]) > result.value + 0.02


def test_a_perfect_fit_is_refused():
    """Every rating is the sum of what its person and its image add: nothing is left to chance."""
    person, item = (part.ravel() for part in np.mgrid[:6, :5])

    with pytest.raises(PerfectFit, match="no residual variance"):
        fit_lmm(1.0 + person + 2.0 * item, np.ones((30, 1)), {"person": person, "item": item})
