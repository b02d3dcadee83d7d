"""The search for the modes at the limits of double precision."""

import numpy as np
import pytest

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
