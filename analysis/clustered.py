"""Cluster-robust means, differences and regressions where participants and items both vary.

The fast default beside the mixed model. The covariance sums the one-way cluster-robust
covariances of every factor and takes away what was counted twice (Cameron, Gelbach and Miller,
2011, doi:10.1198/jbes.2010.07136); intervals are t on one degree of freedom less than the
smallest factor has levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from analysis.estimate import Coefficients, Estimate

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

DENSE_SHARE = 0.05  # of filled cells above which a dense product is faster


@dataclass(frozen=True)
class ClusteredFit(Coefficients):
    """Least-squares coefficients with a cluster-robust covariance.

    `levels` holds the number of levels of each factor; `subtracted` is False where taking away
    what was counted twice would have left a negative variance, so that the larger sum stands.
    """

    names: tuple[str, ...]
    coef: FloatArray
    cov: FloatArray
    levels: dict[str, int]
    subtracted: bool

    @property
    def df(self) -> int:
        return min(self.levels.values()) - 1


def clustered_mean(values: ArrayLike, groups: Mapping[str, ArrayLike]) -> Estimate:
    """Mean of all rows, with a standard error that is robust to every factor in `groups`.

    Parameters
    ----------
    values : array_like, shape (n,)
    groups : mapping of str to array_like, shape (n,)
        The level of every row for each factor.

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        If lengths differ, values are missing or a factor has a single level.
    """
    ones = np.ones((len(np.asarray(values)), 1))
    return clustered_regression(values, ones, groups, names=["mean"]).estimate("mean")


def clustered_difference(
    values: ArrayLike, second: ArrayLike, groups: Mapping[str, ArrayLike]
) -> Estimate:
    """Mean of the rows where `second` is true minus the mean of the others.

    Parameters and errors are those of `clustered_mean`; `second` has shape (n,) and must hold
    both values.
    """
    marked = np.asarray(second, dtype=bool)
    design = np.column_stack([np.ones(len(marked)), marked])
    fit = clustered_regression(values, design, groups, names=["first", "difference"])
    return fit.estimate("difference")


def clustered_regression(
    y: ArrayLike,
    X: ArrayLike,
    groups: Mapping[str, ArrayLike],
    *,
    names: Sequence[str] | None = None,
) -> ClusteredFit:
    """Least squares with a covariance robust to clustering by one, two or three factors.

    Parameters
    ----------
    y : array_like, shape (n,)
    X : array_like, shape (n, p)
        With a column of ones for the intercept.
    groups : mapping of str to array_like, shape (n,)
    names : sequence of str, optional
        Names of the columns of `X`.

    Returns
    -------
    ClusteredFit

    Raises
    ------
    ValueError
        If lengths differ, values are missing, the columns of `X` are dependent or a factor has
        a single level.

    Notes
    -----
    Equal to ``sandwich::vcovCL(lm(y ~ X), cluster = ~ a + b, type = "HC1")`` in R: each part is
    multiplied by G / (G - 1) and by (n - 1) / (n - p). A linear probability model, so also for
    binary responses.
    """
    response, design = np.asarray(y, dtype=np.float64), np.asarray(X, dtype=np.float64)
    codes = {name: number_levels(labels) for name, labels in groups.items()}
    _check(response, design, codes)
    titles = tuple(names) if names is not None else tuple(f"x{i}" for i in range(design.shape[1]))
    bread = np.linalg.inv(design.T @ design)
    coef = bread @ (design.T @ response)
    scores = design * (response - design @ coef)[:, None]
    meat, single = multiway_meat(scores, list(codes.values()))
    subtracted = float(np.linalg.eigvalsh(meat)[0]) > 1e-12 * float(np.trace(single))
    correction = (len(response) - 1) / (len(response) - design.shape[1])
    levels = {name: int(code.max()) + 1 for name, code in codes.items()}
    cov = correction * bread @ (meat if subtracted else single) @ bread
    return ClusteredFit(titles, coef, cov, levels, subtracted)


def number_levels(labels: ArrayLike) -> IntArray:
    """Each row's level as a number from zero, in the order of the sorted labels."""
    return np.unique(np.asarray(labels), return_inverse=True)[1].ravel().astype(np.intp)


def _check(response: FloatArray, design: FloatArray, codes: Mapping[str, IntArray]) -> None:
    if design.ndim != 2 or any(len(a) != len(response) for a in (design, *codes.values())):
        raise ValueError("y, X and the groups must have the same number of rows")
    if not (np.isfinite(response).all() and np.isfinite(design).all()):
        raise ValueError("y and X must not hold missing or infinite values")
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise ValueError("the columns of X are linearly dependent")
    if not codes:
        raise ValueError("at least one grouping factor is needed")
    for name, code in codes.items():
        if code.max() < 1:
            raise ValueError(f"the factor {name!r} has a single level")


def multiway_meat(
    scores: FloatArray | sparse.csr_array, codes: Sequence[IntArray]
) -> tuple[FloatArray, FloatArray]:
    """The middle of the sandwich for several crossed factors, shape (p, p).

    Parameters
    ----------
    scores : ndarray or sparse array, shape (n, p)
        Each row's contribution to the estimating equations.
    codes : sequence of ndarray, shape (n,)
        Each factor's levels, numbered from zero.

    Returns
    -------
    total : ndarray
        The sum over every combination of factors, those of even size with a minus.
    single : ndarray
        The sum over single factors: never smaller, for where `total` is no covariance.
    """
    size = scores.shape[1]
    single = sum((_one_way(scores, code) for code in codes), np.zeros((size, size)))
    total = single
    for count in range(2, len(codes) + 1):
        for chosen in combinations(codes, count):
            total = total + (-1) ** (count + 1) * _one_way(scores, _intersection(chosen))
    return total, single


def _one_way(scores: FloatArray | sparse.csr_array, codes: IntArray) -> FloatArray:
    """Outer products of the scores' sums within levels, times G / (G - 1)."""
    levels = int(codes.max()) + 1
    cells = (np.ones(len(codes)), (codes, np.arange(len(codes))))
    sums: Any = sparse.csr_array(cells, shape=(levels, len(codes))) @ scores
    return _gram(sums) * levels / (levels - 1)


def _gram(sums: FloatArray | sparse.csr_array) -> FloatArray:
    if not isinstance(sums, sparse.csr_array):
        return np.asarray(sums.T @ sums)
    if sums.nnz > DENSE_SHARE * sums.shape[0] * sums.shape[1]:
        return _gram(sums.toarray())
    return np.asarray((sums.T @ sums).toarray())


def _intersection(codes: Sequence[IntArray]) -> IntArray:
    combined = codes[0]
    for code in codes[1:]:
        combined = number_levels(combined * (int(code.max()) + 1) + code)
    return combined
