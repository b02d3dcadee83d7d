from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from analysis import dose
from analysis.dose import DoseCurve
from analysis.mixed import fit_glmm
from analysis.plan import Plan
from analysis.simulate import Truth, simulate
from analysis.summaries import Case
from tests.analysis.simulated import only, rows_of, sample_of

PLAN = Plan()
TRUTH = Truth(participants=80, pairs=60, enhanced=1.0, levels=(0.25, 0.5, 0.75, 1.0))


def with_curves(preferred, noticed):
    """Trials whose log-odds are these functions of the level, without other variation."""
    table = simulate(TRUTH)
    rng = np.random.default_rng(7)
    level = table["enhancement_level"].to_numpy(float)
    linear = np.where(table["task"] == "prefer_pair", preferred(level), noticed(level))
    chose = rng.random(len(table)) < expit(linear)
    left = (table["left_origin"] == "enhanced").to_numpy()
    return table.assign(response=np.where(chose == left, "left", "right"))


@pytest.fixture(scope="module")
def found():
    table = with_curves(lambda x: 4 * x - 4 * x**2, lambda x: 2 * x)
    return dose.estimate(sample_of(table), PLAN)


def test_the_level_liked_best_is_the_top_of_the_curve(found):
    row = only(found, "level_liked_best")

    assert row.estimate == pytest.approx(0.5, abs=0.07)
    assert row.low < 0.5 < row.high


def test_the_level_noticed_in_three_of_four_is_found(found):
    row = only(found, "level_noticed")

    assert row.estimate == pytest.approx(np.log(3) / 2, abs=0.07)
    assert row.low < np.log(3) / 2 < row.high


def test_shares_are_given_at_each_level(found):
    shares = [
        only(found, "accuracy", subset=f"enhancement_level={x:g}").estimate for x in TRUTH.levels
    ]

    assert shares == pytest.approx(expit(2 * np.array(TRUTH.levels)), abs=0.05)


def test_both_curves_stand_in_one_figure_with_their_places(found):
    (picture,) = found.pictures

    assert [str(curve.label) for curve in picture.curves] == ["preferred", "noticed"]
    assert [curve.y[0] for curve in picture.curves] == pytest.approx([0.5, 0.5])
    assert len(picture.marks) == 2


def test_a_level_that_is_never_noticed_has_no_estimate():
    found = dose.estimate(sample_of(with_curves(lambda x: x, lambda x: 0.1 * x)), PLAN)

    row = only(found, "level_noticed")

    assert (row.estimate, row.low, row.high) == (None, None, None)
    (sentence,) = dose.sentences(Case(row, dose.CONTRAST, found.results, PLAN))
    assert str(sentence).startswith("No level shown was noticed")


def test_places_on_a_curve_are_read_off_by_hand():
    levels = np.array([0.0, 0.5, 1.0])

    assert dose.liked_best(levels, np.array([0.5, 0.7, 0.6])) == 0.5
    assert dose.noticed(levels, np.array([0.5, 0.74, 0.76])) == 1.0
    assert np.isnan(dose.noticed(levels, np.array([0.5, 0.6, 0.7])))


def test_an_interval_that_reaches_beyond_the_levels_is_not_given():
    levels = np.array([0.0, 1.0])
    reached, missed = np.array([0.5, 0.8]), np.array([0.5, 0.6])
    curve = DoseCurve(levels, reached, np.array([reached] * 60 + [missed] * 40))

    place, low, high = curve.at(dose.noticed, 0.95)

    assert place == 1.0
    assert np.isnan([low, high]).all()


def test_one_level_says_nothing():
    table = simulate(TRUTH).assign(enhancement_level=1.0)

    found = dose.estimate(sample_of(table), PLAN)

    assert (found.results, found.pictures) == ([], [])
    assert rows_of(found, "level_noticed") == []


def test_the_curves_spread_as_t_with_the_degrees_of_freedom_of_the_fewest_levels():
    """Of a straight line on the log-odds the interval at a level is that of its coefficient."""
    rng = np.random.default_rng(3)
    person, item = np.divmod(np.arange(40 * 4), 4)
    level = rng.choice([0.5, 1.0], len(person))
    y = rng.random(len(person)) < expit(1.5 * level)
    fit = fit_glmm(y, level[:, None], {"participant": person, "item": item}, names=["linear"])
    low, high = fit.estimate("linear").interval(0.95)

    curve = dose.dose_curve(replace(fit, sd=dict.fromkeys(fit.sd, 0.0)), 1.0, rng)

    assert fit.df == 3
    ends = np.quantile(curve.draws[:, -1], [0.025, 0.975])
    assert ends == pytest.approx(expit([low, high]), abs=0.03)
    narrow = expit(fit.coef[0] + np.array([-1.96, 1.96]) * fit.se[0])
    assert ends[0] < narrow[0] - 0.04
    assert ends[1] > narrow[1] + 0.02
