"""Searches that could take long: for modes at the limits of precision, for flat maxima."""

import numpy as np
import pytest
from scipy.special import ndtr

from analysis.mixed.glmm import fit_glmm
from analysis.mixed.laplace import Laplace
from analysis.mixed.layout import Layout
from analysis.mixed.rows import prepare, sort_rows

PEOPLE, ITEMS = 20, 10


class Counting(Laplace):
    """Counts how often the joint likelihood is computed."""

    evaluations = 0

    def _joint(self, *arguments):
        self.evaluations += 1
        return super()._joint(*arguments)


@pytest.fixture
def likelihood():
    person, item = np.divmod(np.arange(PEOPLE * ITEMS), ITEMS)
    y = (np.random.default_rng(27).random(len(person)) < 0.7).astype(float)
    given = prepare(
        y,
        np.ones((len(y), 1)),
        {"participant": person, "item": item},
        names=None,
        counts=None,
        slopes=None,
        correlated=True,
    )
    rows = sort_rows(given, aggregate=True)
    layout = Layout(rows.factors, rows.entries)
    return Counting(layout, "probit", 2 * rows.response - 1, rows.counts, rows.design)


def test_the_search_ends_where_rounding_leaves_no_step_that_gains(likelihood):
    """At an intercept far off, as an outer step may try it, every response of zero costs 5,000 and
    the rounding of their sum is more than the last steps gain. Going on took 6,000 evaluations."""
    modes = likelihood.find_modes(np.array([100.0, 1.0, 1.0]))

    assert likelihood.evaluations < 500
    terms_at = likelihood.design[:, 0] * 100.0
    best = likelihood._joint(modes, terms_at, [1.0, 1.0])[1]
    nearby = np.random.default_rng(1).normal(0, 1e-3, (50, len(modes)))
    assert all(likelihood._joint(modes + step, terms_at, [1.0, 1.0])[1] <= best for step in nearby)


@pytest.mark.parametrize("seed", [2, 3])
def test_people_who_differ_only_in_the_slope_do_not_take_long(seed, monkeypatch):
    """Without variance of the intercept its correlation with the slope hardly matters, and a step
    along it hardly gains: some such fits took 100 steps to the correlation's bound."""
    calls = []
    evaluate = Laplace.__call__
    monkeypatch.setattr(Laplace, "__call__", lambda self, x: calls.append(x) or evaluate(self, x))
    rng = np.random.default_rng(seed)
    person, item = np.repeat(np.arange(600), 30), np.tile(np.arange(30), 600)
    effect = rng.choice([-0.5, 0.5], len(person))
    eta = effect * (0.5 + rng.normal(0, 0.35, 600)[person])
    y = (rng.random(len(person)) < ndtr(eta)).astype(float)

    fit = fit_glmm(
        y,
        np.column_stack([np.ones(len(y)), effect]),
        {"participant": person, "item": item},
        slopes={"participant": effect},
        link="probit",
    )

    assert fit.converged
    assert len(calls) < 100
