"""From a binary mixed model to probabilities of the population."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from analysis.estimate import Estimate
from analysis.mixed.result import MixedFit

FloatArray = NDArray[np.float64]

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
STEP = 1e-5


def marginal_probability(
    fit: MixedFit, x: ArrayLike, slopes: Mapping[str, ArrayLike] | None = None
) -> Estimate:
    """Probability of a response of one, averaged over participants and items.

    Parameters
    ----------
    fit : MixedFit
        A binary model.
    x : array_like, shape (p,) or (m, p)
        Values of the fixed effects. With several rows the m probabilities are averaged, as for
        an accuracy that weighs real and AI stimuli alike.
    slopes : mapping of str to float or to array_like of shape (m,), optional
        For each factor with a random slope, the value of its variable; required there.

    Returns
    -------
    Estimate
        On the logit scale, with a delta-method standard error that includes the uncertainty of
        the standard deviations, and `fit.df` degrees of freedom. The standard error is infinite
        where the fit did not converge.

    Raises
    ------
    ValueError
        If the model is not binary or a slope's value is missing.

    Notes
    -----
    Exact for the probit link; 40-point Gauss-Hermite quadrature for the logit. At a typical
    participant and item the probability would be the inverse link of x'β; averaged over them it
    lies nearer to one half, and that is what the share of correct responses estimates.
    """
    if fit.link not in ("logit", "probit"):
        raise ValueError("only a binary model has probabilities")
    rows = np.atleast_2d(np.asarray(x, dtype=np.float64))
    values = {
        name: np.broadcast_to(np.asarray(value, dtype=np.float64), len(rows))
        for name, value in (slopes or {}).items()
    }
    for factor in fit.layout.factors:
        if factor.width == 2 and factor.name not in values:
            raise ValueError(f"the slope's value for {factor.name!r} is missing")
    parameters = np.concatenate([fit.coef, fit.theta])

    def probability(at: FloatArray) -> float:
        width = len(fit.coef)
        variance = _variance(fit, at[width:], values, len(rows))
        return float(_average(fit.link, rows @ at[:width], variance).mean())

    value = probability(parameters)
    if not fit.converged:
        return Estimate(value, np.inf, fit.df, "logit")
    gradient = _differences(probability, parameters) / (value * (1 - value))
    se = float(np.sqrt(gradient @ fit.joint_cov @ gradient))
    return Estimate(value, se, fit.df, "logit")


def _variance(
    fit: MixedFit, theta: FloatArray, slopes: Mapping[str, FloatArray], size: int
) -> FloatArray:
    """Variance of the linear predictor between participants and items, in each row."""
    total = np.zeros(size)
    for f, factor in enumerate(fit.layout.factors):
        columns = [np.ones(size), slopes[factor.name]] if factor.width == 2 else [np.ones(size)]
        total += ((np.column_stack(columns) @ fit.layout.lower(theta, f)) ** 2).sum(axis=1)
    return total


def _average(link: str, centre: FloatArray, variance: FloatArray) -> FloatArray:
    if link == "probit":
        return np.asarray(special.ndtr(centre / np.sqrt(1 + variance)))
    points = centre[:, None] + np.sqrt(variance)[:, None] * NODES
    return np.asarray(special.expit(points) @ WEIGHTS)


def _differences(function: Callable[[FloatArray], float], at: FloatArray) -> FloatArray:
    """Central differences."""
    steps = np.eye(len(at)) * STEP
    return np.array([(function(at + step) - function(at - step)) / (2 * STEP) for step in steps])
