import numpy as np
import pytest
from scipy.special import expit

from analysis.between import BetweenItems
from analysis.mixed import fit_glmm, fit_lmm

RUNS = 120
PEOPLE, ITEMS, FEATURES = 30, 20, 7


def study(rng, linear=False):
    """People and items that differ, and features of the items that nothing depends on."""
    person = np.repeat(np.arange(PEOPLE), ITEMS)
    item = np.tile(np.arange(ITEMS), PEOPLE)
    features = rng.normal(size=(ITEMS, FEATURES))
    design = np.column_stack([np.ones(len(item)), features[item]])
    eta = rng.normal(0, 0.3, PEOPLE)[person] + rng.normal(0, 0.6, ITEMS)[item]
    y = eta + rng.normal(size=len(eta)) if linear else rng.random(len(eta)) < expit(eta)
    factors = {"participant": person, "item": item}
    names = ["intercept", *(f"f{k}" for k in range(FEATURES))]
    return (fit_lmm if linear else fit_glmm)(y, design, factors, names=names), factors


@pytest.fixture(scope="module")
def studies():
    """What the corrected test and the fit's own say of studies without any effect."""
    rng, found = np.random.default_rng(7), []
    for _ in range(RUNS):
        fit, factors = study(rng)
        between, names = BetweenItems.of(fit, factors), fit.names[1:]
        low, high = between.effect("f0").interval(0.95)
        found.append((between.joint_test(names), fit.joint_test(names)[3], low < 0 < high))
    return np.array(found)


def test_features_that_do_nothing_are_rarely_found(studies):
    """5 % wanted; three standard errors of this number of runs are 6 points."""
    assert (studies[:, 0] < 0.05).mean() <= 0.11
    assert (studies[:, 1] < 0.05).mean() >= 0.15  # what the correction is for


def test_intervals_of_a_feature_cover_no_effect(studies):
    assert studies[:, 2].mean() >= 0.89


def test_a_linear_fit_has_its_variance_already():
    fit, factors = study(np.random.default_rng(1), linear=True)

    between = BetweenItems.of(fit, factors)

    assert (between.inflation, between.df) == (1.0, ITEMS - FEATURES - 1)
    assert between.effect("f0").se == fit.estimate("f0").se


def test_a_joint_test_of_one_effect_is_its_t_test():
    fit, factors = study(np.random.default_rng(2))

    between = BetweenItems.of(fit, factors)

    assert between.joint_test(["f0"]) == pytest.approx(between.effect("f0").p_value())
    assert between.inflation == pytest.approx(ITEMS / (ITEMS - FEATURES - 1))


def test_without_items_the_fit_stays_as_it_is():
    fit, factors = study(np.random.default_rng(3))

    between = BetweenItems.of(fit, {"participant": factors["participant"]})

    assert (between.inflation, between.df) == (1.0, fit.df)
