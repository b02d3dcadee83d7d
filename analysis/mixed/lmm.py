"""Linear mixed models with crossed random effects, for ratings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.mixed.laplace import entry_information
from analysis.mixed.layout import Curvature, Layout
from analysis.mixed.result import MixedFit, describe_sds, modes_by_factor
from analysis.mixed.rows import prepare, sort_rows
from analysis.mixed.search import Found, positive_diagonals, search
from analysis.threads import one_thread

FloatArray = NDArray[np.float64]
ROUNDING = 1e-12  # of the sum of squares: what is left below is no residual


class PerfectFit(ValueError):
    """The model leaves nothing to chance, so that its likelihood has no maximum."""


@one_thread
def fit_lmm(
    y: ArrayLike,
    X: ArrayLike,
    groups: Mapping[str, ArrayLike],
    *,
    names: Sequence[str] | None = None,
    slopes: Mapping[str, ArrayLike] | None = None,
    correlated: bool = True,
) -> MixedFit:
    r"""Fit a linear mixed model with crossed random effects by restricted maximum likelihood.

    .. math:: y_i = x_i'\beta + \sum_f z_{fi}' u_{f, g_f(i)} + \epsilon_i

    Parameters
    ----------
    y : array_like, shape (n,)
    X, groups, names, slopes, correlated
        As for :func:`analysis.mixed.fit_glmm`.

    Returns
    -------
    MixedFit
        With `log_likelihood` the restricted one, as lme4's ``logLik(fit, REML = TRUE)``.

    Raises
    ------
    ValueError
        On unusable input, as :func:`analysis.mixed.fit_glmm`; also where `y` is constant.
    PerfectFit
        Where the effects fit `y` exactly.

    Notes
    -----
    Bates, Mächler, Bolker and Walker (2015), doi:10.18637/jss.v067.i01, section 3: the residual
    variance and the fixed effects are profiled out, Λ is relative to the residual's standard
    deviation.
    """
    given = prepare(y, X, groups, names=names, counts=None, slopes=slopes, correlated=correlated)
    if (given.response == given.response[0]).all():
        raise ValueError("y is constant")
    rows = sort_rows(given, aggregate=False)
    layout = Layout(rows.factors, rows.entries)
    likelihood = Restricted(layout, rows.response, rows.design)
    found = search(likelihood, likelihood.rough_information, _start(layout), layout)
    likelihood(found.parameters)
    return _result(likelihood, found, rows.names)


@dataclass
class Restricted:
    """The profiled restricted log-likelihood as a function of the entries of Λ."""

    layout: Layout
    response: FloatArray
    design: FloatArray
    fixed: FloatArray = field(init=False)
    fixed_covariance: FloatArray = field(init=False)  # relative to the residual variance
    residual_variance: float = field(init=False)
    modes: FloatArray = field(init=False)
    variances: FloatArray = field(init=False)

    def __call__(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """The restricted log-likelihood and its gradient."""
        layout, values = self.layout, self.layout.values(theta)
        factor = Curvature(layout, values, np.ones(len(self.response)))
        whitened = np.column_stack(
            [self._whiten(factor, column) for column in (*self.design.T, self.response)]
        )
        designs, response = whitened[:, :-1], whitened[:, -1]
        information = self.design.T @ designs
        self.fixed_covariance = np.asarray(np.linalg.inv(information), dtype=np.float64)
        self.fixed = self.fixed_covariance @ (self.design.T @ response)
        residuals = response - designs @ self.fixed
        freedom = len(self.response) - self.design.shape[1]
        squares = float(self.response @ residuals)
        if squares <= ROUNDING * float(self.response @ self.response):
            raise PerfectFit("y is fitted exactly: there is no residual variance to estimate")
        self.residual_variance = squares / freedom
        self.modes = layout.project(values, residuals)
        value = -0.5 * (
            factor.log_determinant
            + float(np.linalg.slogdet(information)[1])
            + freedom * (1 + np.log(2 * np.pi * self.residual_variance))
        )
        return value, self._gradient(factor, residuals, designs)

    def _whiten(self, factor: Curvature, column: FloatArray) -> FloatArray:
        """V⁻¹ column, with V the covariance of the response relative to the residual variance."""
        layout, values = self.layout, factor.values
        return column - layout.predict(values, factor.solve(layout.project(values, column)))

    def _gradient(
        self, factor: Curvature, residuals: FloatArray, designs: FloatArray
    ) -> FloatArray:
        layout, values = self.layout, factor.values
        inverse = factor.invert()
        self.variances = inverse.diagonal()
        shares = list(inverse.rows())
        projected = np.column_stack([layout.project(values, column) for column in designs.T])
        weighted = designs @ self.fixed_covariance
        gradient = []
        for entry in layout.entries:
            index = layout.index(entry)
            effect, column = layout.effects[index], layout.factors[entry.factor].columns[entry.row]
            modes, across = self.modes[effect.place], projected[effect.place]
            by_row = residuals * modes[effect.codes] / self.residual_variance - shares[index]
            by_row += (weighted * across[effect.codes]).sum(axis=1)
            gradient.append(float(np.sum(column * by_row)))
        return np.array(gradient)

    def rough_information(self, theta: FloatArray, gradient: FloatArray) -> FloatArray:
        """An approximate information matrix where the function was last evaluated."""
        spread = entry_information(self.layout, theta, self.variances)
        steep = 2 * np.abs(gradient) / np.maximum(np.abs(theta), 0.1)
        return np.diag(np.maximum(spread, steep))


def _start(layout: Layout) -> FloatArray:
    return np.array([0.5 if entry.on_diagonal else 0.0 for entry in layout.entries])


def _result(likelihood: Restricted, found: Found, names: tuple[str, ...]) -> MixedFit:
    layout, variance = likelihood.layout, likelihood.residual_variance
    theta = positive_diagonals(layout, found.parameters)
    sd, correlation, boundary = describe_sds(layout, theta, variance**0.5)
    cov = variance * likelihood.fixed_covariance
    joint = np.zeros((len(cov) + len(theta), len(cov) + len(theta)))
    joint[: len(cov), : len(cov)] = cov
    joint[len(cov) :, len(cov) :] = found.covariance
    return MixedFit(
        names=names,
        coef=likelihood.fixed,
        cov=cov,
        sd=sd,
        correlation=correlation,
        boundary=boundary,
        residual_sd=variance**0.5,
        log_likelihood=found.maximum.value,
        n=len(likelihood.response),
        levels={factor.name: factor.size for factor in layout.factors},
        modes=modes_by_factor(layout, found.parameters, likelihood.modes),
        link="identity",
        converged=found.maximum.converged,
        layout=layout,
        theta=theta,
        joint_cov=joint,
    )
