"""What a mixed model's fit holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.estimate import Coefficients
from analysis.mixed.layout import Layout

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class MixedFit(Coefficients):
    """A fitted mixed model.

    Attributes
    ----------
    names : tuple of str
        Names of the fixed effects.
    coef, se, cov : ndarray, shapes (p,), (p,), (p, p)
        Fixed effects on the link's scale, with their standard errors and covariance.
    sd : dict of str to float
        Standard deviation of each factor's intercepts, and of its slopes as ``"NAME:slope"``.
    correlation : dict of str to float
        Correlation of intercept and slope, for factors that have a correlated slope.
    boundary : tuple of str
        The keys of `sd` that are exactly zero, and ``"NAME:correlation"`` where it is exactly
        plus or minus one.
    residual_sd : float
        Of the linear model; NaN for binary responses.
    log_likelihood : float
        Laplace approximation (binary) or restricted likelihood (linear).
    n : int
        Responses, counted before identical rows were merged.
    levels : dict of str to int
        The number of levels of each factor.
    modes : dict of str to ndarray, shape (levels, 1 or 2)
        Each level's most likely intercept (and slope) on the link's scale, in the order of
        ``numpy.unique`` of its labels.
    link : {"logit", "probit", "identity"}
    converged : bool
        False where no maximum was found, as when a predictor separates the responses perfectly;
        then neither estimates nor standard errors mean anything.
    """

    names: tuple[str, ...]
    coef: FloatArray
    cov: FloatArray
    sd: dict[str, float]
    correlation: dict[str, float]
    boundary: tuple[str, ...]
    residual_sd: float
    log_likelihood: float
    n: int
    levels: dict[str, int]
    modes: dict[str, FloatArray]
    link: str
    converged: bool
    layout: Layout
    theta: FloatArray  # entries of Λ; relative to the residual's sd in the linear model
    joint_cov: FloatArray  # of the fixed effects and all entries of Λ; zero at a boundary

    @property
    def df(self) -> int:
        return min(self.levels.values()) - 1


def describe_sds(
    layout: Layout, theta: FloatArray, scale: float = 1.0
) -> tuple[dict[str, float], dict[str, float], tuple[str, ...]]:
    """Standard deviations, correlations and what lies on the boundary."""
    sd: dict[str, float] = {}
    correlation: dict[str, float] = {}
    boundary: list[str] = []
    for f, factor in enumerate(layout.factors):
        lower = layout.lower(theta, f) * scale
        spread = np.sqrt((lower**2).sum(axis=1))
        for column in range(factor.width):
            key = factor.name if column == 0 else f"{factor.name}:slope"
            sd[key] = float(spread[column])
            if spread[column] == 0:
                boundary.append(key)
        if factor.width == 2 and any(e.factor == f and not e.on_diagonal for e in layout.entries):
            product = spread[0] * spread[1]
            correlation[factor.name] = float(lower[0] @ lower[1] / product) if product else np.nan
            if product and lower[1, 1] == 0:
                boundary.append(f"{factor.name}:correlation")
    return sd, correlation, tuple(boundary)


def modes_by_factor(
    layout: Layout, theta: FloatArray, spherical: FloatArray
) -> dict[str, FloatArray]:
    """Λ u for each factor: the levels' effects on the link's scale."""
    modes = {}
    for f, factor in enumerate(layout.factors):
        own = [spherical[effect.place] for effect in layout.effects if effect.factor == f]
        modes[factor.name] = np.stack(own, axis=1) @ layout.lower(theta, f).T
    return modes
