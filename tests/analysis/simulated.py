"""Samples for the tests of the questions, without going through files."""

import pandas as pd

from analysis import checks, data, exclusions
from analysis.samples import Sample
from analysis.simulate import Truth, simulate


def sample_of(table, rules=None, **tables):
    """The sample of a trials table as text or of a `Truth`."""
    if isinstance(table, Truth):
        table = simulate(table)
    trials = typed(table)
    kept = exclusions.apply(trials, rules, include_simulated=True)
    whole = exclusions.apply(trials, {}, include_simulated=True)
    return Sample(kept, whole, **tables)


def typed(table):
    """A trials table as `data.load` would give it."""
    numbers = {
        column.name
        for column in checks.schema.COLUMNS
        if column.type in ("number", "integer") and column.name in table
    }
    typed_columns = {}
    for name in table:
        column = table[name]
        if name in numbers:
            typed_columns[name] = pd.to_numeric(column).astype(float)
        elif name == "is_simulated":
            typed_columns[name] = column == "true"
        else:
            text = column.astype(object)
            typed_columns[name] = pd.Categorical(text.where(text.notna(), None))
    trials = pd.DataFrame(typed_columns)
    data.add_derived(trials)
    return trials


def rows_of(finding, term, *, subset="all", method=None, task=None):
    """The rows of the result table with this term."""
    return [
        row
        for row in finding.results
        if (row.term, row.subset) == (term, subset)
        and method in (None, row.method)
        and task in (None, row.task)
    ]


def only(finding, term, **which):
    """The one row with this term."""
    (row,) = rows_of(finding, term, **which)
    return row
