"""Binary mixed models with crossed random effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.mixed.laplace import Laplace
from analysis.mixed.layout import Layout
from analysis.mixed.links import LINKS, Terms
from analysis.mixed.result import MixedFit, describe_sds, modes_by_factor
from analysis.mixed.rows import prepare, sort_rows
from analysis.mixed.search import Found, positive_diagonals, search
from analysis.threads import one_thread

FloatArray = NDArray[np.float64]

SMALLEST_START = 0.1
LARGEST_ERROR = 10.0  # of a linear predictor: far beyond what any finite estimate has
LONGEST_STEP = 2.0  # of the linear predictor: separated responses would send it to infinity


@one_thread
def fit_glmm(
    y: ArrayLike,
    X: ArrayLike,
    groups: Mapping[str, ArrayLike],
    *,
    names: Sequence[str] | None = None,
    counts: ArrayLike | None = None,
    slopes: Mapping[str, ArrayLike] | None = None,
    correlated: bool = True,
    link: str = "logit",
) -> MixedFit:
    r"""Fit a binary mixed model with crossed random effects by the Laplace approximation.

    .. math:: F^{-1}(P(y_i = 1)) = x_i'\beta + \sum_f z_{fi}' u_{f, g_f(i)},
              \quad u_f \sim N(0, \Lambda_f \Lambda_f')

    Parameters
    ----------
    y : array_like of 0 and 1, shape (n,)
    X : array_like, shape (n, p)
        Fixed effects, with a column of ones for the intercept.
    groups : mapping of str to array_like, shape (n,)
        The level of every row for each crossed random factor, such as participant and item.
    names : sequence of str, optional
        Names of the columns of `X`.
    counts : array_like, shape (n,), optional
        How often each row occurs, for data that are counts already.
    slopes : mapping of str to array_like, shape (n,), optional
        For a factor, the variable whose effect varies between its levels, as
        ``(1 + x | participant)`` in lme4.
    correlated : bool
        Whether slopes may correlate with intercepts; False is lme4's ``(1 + x || participant)``.
    link : {"logit", "probit"}

    Returns
    -------
    MixedFit

    Raises
    ------
    ValueError
        If lengths differ, values are missing, `y` holds anything but both 0 and 1, the columns
        of `X` are dependent or a factor has a single level.

    Notes
    -----
    The gradient is exact (Kristensen et al., 2016, doi:10.18637/jss.v070.i05); the observed
    information is used for both links, as in glmmTMB. Standard errors come from the joint
    information of fixed effects and standard deviations, as in lme4's glmer.
    """
    if link not in LINKS:
        raise ValueError(f"link must be one of {sorted(LINKS)}, not {link!r}")
    given = prepare(y, X, groups, names=names, counts=counts, slopes=slopes, correlated=correlated)
    if set(np.unique(given.response)) != {0.0, 1.0}:
        raise ValueError("y must hold both 0 and 1 and nothing else")
    rows = sort_rows(given, aggregate=True)
    layout = Layout(rows.factors, rows.entries)
    likelihood = Laplace(layout, link, 2 * rows.response - 1, rows.counts, rows.design)
    found = search(likelihood, likelihood.rough_information, _start(likelihood), layout)
    modes = likelihood.find_modes(found.parameters)
    return _result(likelihood, found, modes, rows.names)


def _result(
    likelihood: Laplace, found: Found, spherical: FloatArray, names: tuple[str, ...]
) -> MixedFit:
    layout, width = likelihood.layout, likelihood.design.shape[1]
    raw = found.parameters[width:]
    theta = positive_diagonals(layout, raw)
    flips = np.concatenate([np.ones(width), np.where(theta == raw, 1.0, -1.0)])
    sd, correlation, boundary = describe_sds(layout, theta)
    return MixedFit(
        names=names,
        coef=found.parameters[:width],
        cov=found.covariance[:width, :width],
        sd=sd,
        correlation=correlation,
        boundary=boundary,
        residual_sd=np.nan,
        log_likelihood=found.maximum.value,
        n=int(likelihood.counts.sum()),
        levels={factor.name: factor.size for factor in layout.factors},
        modes=modes_by_factor(layout, raw, spherical),
        link=likelihood.link,
        converged=found.maximum.converged and _is_known(likelihood.design, found.covariance),
        layout=layout,
        theta=theta,
        joint_cov=found.covariance * np.outer(flips, flips),
    )


def _is_known(design: FloatArray, covariance: FloatArray) -> bool:
    """Whether the data say anything of every row's linear predictor.

    Where a predictor separates the responses, estimates run off until the likelihood is flat.
    """
    cov = covariance[: design.shape[1], : design.shape[1]]
    return bool(np.einsum("ij,jk,ik->i", design, cov, design).max() < LARGEST_ERROR**2)


def _start(likelihood: Laplace) -> FloatArray:
    """The model without random effects, and moment estimates of the standard deviations.

    Within a level the scores sum to S with variance W + W² σ², where W is the sum of weights.
    """
    terms, fixed = _fit_fixed(likelihood)
    score, weight = likelihood.counts * terms.score, likelihood.counts * terms.weight
    layout = likelihood.layout
    theta = np.zeros(len(layout.entries))
    for position, entry in enumerate(layout.entries):
        if entry.on_diagonal:
            effect = layout.effects[layout.index(entry)]
            column = layout.factors[entry.factor].columns[entry.row]
            sums = layout.sum_levels(effect, column * score)
            weights = layout.sum_levels(effect, column * (column * weight))
            variance = float((sums @ sums - weights.sum()) / (weights @ weights))
            theta[position] = np.sqrt(max(variance, SMALLEST_START**2))
    return np.concatenate([fixed, theta])


def _fit_fixed(likelihood: Laplace) -> tuple[Terms, FloatArray]:
    """Fisher scoring for the fixed effects alone; a start need not have converged."""
    design, counts = likelihood.design, likelihood.counts
    fixed = np.zeros(design.shape[1])
    for _ in range(4):
        terms = LINKS[likelihood.link](design @ fixed, likelihood.sign)
        information = design.T @ (design * (counts * terms.weight)[:, None])
        step = np.linalg.solve(information, design.T @ (counts * terms.score))
        fixed = fixed + step * LONGEST_STEP / max(LONGEST_STEP, np.abs(design @ step).max())
    return LINKS[likelihood.link](design @ fixed, likelihood.sign), fixed
