"""From the caller's arrays to checked, aggregated rows sorted for the computation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.mixed.cross import count_sums
from analysis.mixed.layout import Entry, Factor, build_factors

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class Rows:
    """The data of a fit: rows sorted by the first factor, and how often each occurs."""

    response: FloatArray
    design: FloatArray
    counts: FloatArray
    factors: tuple[Factor, ...]
    names: tuple[str, ...]
    entries: tuple[Entry, ...]


def prepare(
    y: ArrayLike,
    X: ArrayLike,
    groups: Mapping[str, ArrayLike],
    *,
    names: Sequence[str] | None,
    counts: ArrayLike | None,
    slopes: Mapping[str, ArrayLike] | None,
    correlated: bool,
) -> Rows:
    """Check the input, number the levels and sort the rows; raises ValueError on unusable input."""
    response = _finite("y", y, 1)
    design = _finite("X", X, 2)
    times = np.ones(len(response)) if counts is None else _finite("counts", counts, 1)
    labels = {name: np.asarray(codes) for name, codes in groups.items()}
    varying = {name: _finite(f"slopes[{name!r}]", x, 1) for name, x in (slopes or {}).items()}
    _check_lengths(len(response), {"X": design, "counts": times, **labels, **varying})
    if not labels or len(response) == 0:
        raise ValueError("a mixed model needs rows and at least one grouping factor")
    if unknown := set(varying) - set(labels):
        raise ValueError(f"slopes for unknown groups: {sorted(unknown)}")
    if (times <= 0).any():
        raise ValueError("counts must be positive")
    _check_rank(design)
    factors = build_factors(labels, varying)
    for factor in factors:
        if factor.size < 2:
            raise ValueError(f"the factor {factor.name!r} has a single level")
    titles = tuple(names) if names is not None else tuple(f"x{i}" for i in range(design.shape[1]))
    if len(titles) != design.shape[1]:
        raise ValueError(f"{len(titles)} names for {design.shape[1]} columns of X")
    entries = tuple(_entries(factors, correlated))
    return Rows(response, design, times, factors, titles, entries)


def _finite(name: str, values: ArrayLike, dimensions: int) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != dimensions:
        raise ValueError(f"{name} must have {dimensions} dimension(s), not {array.ndim}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds missing or infinite values")
    return array


def _check_lengths(length: int, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    for name, array in arrays.items():
        if len(array) != length:
            raise ValueError(f"{name} has {len(array)} rows, y has {length}")


def _check_rank(design: FloatArray) -> None:
    norms = np.sqrt((design**2).sum(axis=0))
    scaled = design / np.where(norms > 0, norms, 1)
    if np.linalg.matrix_rank(scaled.T @ scaled, hermitian=True) < design.shape[1]:
        raise ValueError("the columns of X are linearly dependent")


def _entries(factors: Sequence[Factor], correlated: bool) -> list[Entry]:
    return [
        Entry(f, row, column)
        for f, factor in enumerate(factors)
        for column in range(factor.width)
        for row in range(column, factor.width)
        if correlated or row == column
    ]


def sort_rows(rows: Rows, *, aggregate: bool) -> Rows:
    """Sort by the first factor; with `aggregate`, merge identical rows and add their counts."""
    codes = [factor.codes for factor in rows.factors]
    if not aggregate:
        order = np.lexsort(codes[::-1])
        return _take(rows, order, rows.counts[order])
    key = codes[0]
    for column in (*codes[1:], *_numbered(rows)):
        key = _combine(key, column)
    first, inverse = np.unique(key, return_index=True, return_inverse=True)[1:]
    return _take(rows, first, count_sums(inverse, rows.counts, len(first)))


def _numbered(rows: Rows) -> list[IntArray]:
    """Every column in which rows can differ, as numbers from zero."""
    columns = [*_slope_columns(rows.factors), *rows.design.T, rows.response]
    varying = [column for column in columns if (column != column[0]).any()]
    return [np.unique(column, return_inverse=True)[1] for column in varying]


def _combine(key: IntArray, column: IntArray) -> IntArray:
    """One number a row for two columns, in the order of the first, small enough for 64 bits."""
    width = int(column.max()) + 1
    if int(key.max()) > np.iinfo(np.int64).max // width - 1:
        key = np.unique(key, return_inverse=True)[1]
    return np.asarray(key * width + column)


def _slope_columns(factors: Sequence[Factor]) -> list[FloatArray]:
    columns = [column for factor in factors for column in factor.columns]
    return [column for column in columns if not isinstance(column, float)]


def _take(rows: Rows, order: IntArray, counts: FloatArray) -> Rows:
    factors = tuple(
        Factor(
            factor.name,
            factor.codes[order],
            factor.size,
            tuple(z if isinstance(z, float) else z[order] for z in factor.columns),
        )
        for factor in rows.factors
    )
    return Rows(rows.response[order], rows.design[order], counts, factors, rows.names, rows.entries)
