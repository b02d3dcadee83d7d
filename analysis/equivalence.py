"""Equivalence: whether an effect is certainly smaller than the smallest effect of interest."""

from __future__ import annotations

from analysis.estimate import Estimate


def tost(estimate: Estimate, low: float, high: float) -> float:
    """P-value of two one-sided tests that the estimand lies outside ``low`` to ``high``.

    Schuirmann (1987), doi:10.1007/BF01068419: the larger of the two one-sided p-values; below
    alpha exactly when the 1 - 2 alpha interval lies inside the region.

    Parameters
    ----------
    estimate : Estimate
    low, high : float
        The region in which an effect would be too small to matter, in the estimate's unit.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If `low` is not below `high`.
    """
    if not low < high:
        raise ValueError(f"the region from {low} to {high} is empty")
    return max(estimate.p_greater(low), estimate.p_less(high))
