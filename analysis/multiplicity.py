"""Corrections for several tests: Holm for the confirmatory family, Benjamini-Hochberg else."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def holm(p_values: ArrayLike) -> FloatArray:
    """P-values adjusted by Holm's step-down method, in the order given, shape (m,).

    Controls the chance of any false alarm in the family. Holm (1979), Scandinavian Journal of
    Statistics 6, 65-70; ``p.adjust(p, "holm")`` in R.

    Raises
    ------
    ValueError
        If a p-value is missing or outside 0 to 1.
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")
    steps = p[order] * (len(p) - np.arange(len(p)))
    return _restored(np.minimum(np.maximum.accumulate(steps), 1), order)


def benjamini_hochberg(p_values: ArrayLike) -> FloatArray:
    """P-values adjusted for the false discovery rate, in the order given, shape (m,).

    Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x;
    ``p.adjust(p, "BH")`` in R.

    Raises
    ------
    ValueError
        If a p-value is missing or outside 0 to 1.
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")
    steps = p[order] * len(p) / np.arange(1, len(p) + 1)
    smallest_after = np.minimum.accumulate(steps[::-1])[::-1]
    return _restored(np.minimum(smallest_after, 1), order)


def _checked(p_values: ArrayLike) -> FloatArray:
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p-values must lie between 0 and 1")
    return p


def _restored(values: FloatArray, order: NDArray[np.intp]) -> FloatArray:
    restored = np.empty_like(values)
    restored[order] = values
    return restored
