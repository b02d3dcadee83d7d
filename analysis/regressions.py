"""One effect among others on a response: the mixed model beside cluster-robust least squares."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.clustered import ClusteredFit, clustered_regression
from analysis.factors import Codes
from analysis.mixed import MixedFit, fit_glmm, fit_lmm
from analysis.proportions import CLUSTERED
from analysis.results import Result, Scope

Columns = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Regression:
    """The same fixed effects by both methods; `methods` are their names in the result table."""

    mixed: MixedFit
    robust: ClusteredFit
    methods: tuple[str, str]

    def rows(self, scope: Scope, term: str, effect: str, level: float) -> list[Result]:
        """Both estimates of one effect, against no effect."""
        fits = (self.mixed, self.robust)
        return [
            scope.from_estimate(term, method, fit.estimate(effect), level, 0.0)
            for fit, method in zip(fits, self.methods, strict=True)
        ]


def regress(
    outcome: pd.Series,
    columns: Columns,
    factors: dict[str, Codes],
    slopes: Columns | None = None,
    *,
    binary: bool,
) -> Regression:
    """Regress an outcome on named columns, the intercept among them.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,)
    factors : mapping of str to ndarray
        As `factors.crossed` gives them.
    slopes : mapping of str to ndarray, optional
        For a factor, the variable whose effect varies between its levels.
    binary : bool
        A logit model for 0 and 1, else a linear one. The cluster-robust fit is linear.
    """
    y, design = outcome.to_numpy(float), np.column_stack(list(columns.values()))
    fit = fit_glmm if binary else fit_lmm
    return Regression(
        fit(y, design, factors, names=list(columns), slopes=dict(slopes or {})),
        clustered_regression(y, design, factors, names=list(columns)),
        ("glmm" if binary else "lmm", CLUSTERED[len(factors)]),
    )
