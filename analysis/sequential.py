"""Confidence sequences: intervals that hold however often one looks and whenever one stops.

For the dashboard and for stopping rules. The unit is the participant, in the order of arrival,
with one value each, such as the share correct. Participants are exchangeable, images are not
drawn anew for each: so these intervals hold for the set of images that was shown, not for images
in general.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

GRID = 1_000
CHUNK = 256
CAP = 0.75  # of the largest bet that cannot lose everything


@dataclass(frozen=True)
class ConfidenceSequence:
    """The interval after each participant, shapes (n,); bounds are NaN before the first is valid.

    `mean` is the running mean; the bounds are running intersections, so they never widen.
    """

    mean: FloatArray
    low: FloatArray
    high: FloatArray

    @property
    def latest(self) -> tuple[float, float]:
        return float(self.low[-1]), float(self.high[-1])

    def first_excluding(self, value: float) -> int | None:
        """How many participants it took until the interval excluded a value, if it did."""
        excluded = np.flatnonzero((self.low > value) | (self.high < value))
        return int(excluded[0]) + 1 if len(excluded) else None


def betting_sequence(values: ArrayLike, alpha: float = 0.05) -> ConfidenceSequence:
    r"""Confidence sequence for the mean of bounded values, valid from the first participant on.

    A gambler bets against each possible mean m; a mean against which the wealth

    .. math:: K_t^{\pm}(m) = \prod_{i \le t} \left(1 \pm \lambda_i^{\pm}(m) (x_i - m)\right)

    exceeds :math:`2 / \alpha` on either side is excluded.

    Parameters
    ----------
    values : array_like, shape (n,)
        One value between 0 and 1 a participant, in order of arrival.
    alpha : float

    Returns
    -------
    ConfidenceSequence
        Bounds are rounded outwards to a grid of 1/1000.

    Raises
    ------
    ValueError
        If there are no values, or some lie outside 0 to 1.

    References
    ----------
    Waudby-Smith and Ramdas (2024), doi:10.1093/jrsssb/qkad009: the hedged capital process with
    predictable plug-in bets.
    """
    x = _checked(values, alpha)
    if ((x < 0) | (x > 1)).any():
        raise ValueError("values must lie between 0 and 1")
    means = np.linspace(0, 1, GRID + 1)
    bets = _bets(x, alpha)
    with np.errstate(divide="ignore"):
        highest_up, highest_down = CAP / means, CAP / (1 - means)
    wealth_up, wealth_down = np.zeros(GRID + 1), np.zeros(GRID + 1)
    excluded = np.zeros(GRID + 1, dtype=bool)
    low, high = np.empty(len(x)), np.empty(len(x))
    for start in range(0, len(x), CHUNK):
        part = slice(start, start + CHUNK)
        gains, bet = x[part, None] - means, bets[part, None]
        up = wealth_up + np.cumsum(np.log1p(np.minimum(bet, highest_up) * gains), axis=0)
        down = wealth_down + np.cumsum(np.log1p(-np.minimum(bet, highest_down) * gains), axis=0)
        wealth_up, wealth_down = up[-1], down[-1]
        rich = np.maximum(up, down) >= np.log(2 / alpha)
        gone = np.logical_or.accumulate(np.vstack([excluded, rich]), axis=0)[1:]
        low[part], high[part] = _hull(gone)
        excluded = gone[-1]
    return ConfidenceSequence(_running_mean(x), low, high)


def asymptotic_sequence(
    values: ArrayLike, alpha: float = 0.05, first: int = 50, sharpest_at: int = 200
) -> ConfidenceSequence:
    r"""Confidence sequence for the mean of any values with a variance, for larger samples.

    .. math:: \hat\mu_t \pm \hat\sigma_t \sqrt{\frac{2 (t \rho^2 + 1)}{t^2 \rho^2}
              \log \frac{\sqrt{t \rho^2 + 1}}{\alpha}}

    Parameters
    ----------
    values : array_like, shape (n,)
        One value a participant, in order of arrival.
    alpha : float
    first : int
        Looks begin after this many participants; the guarantee is for large samples only.
    sharpest_at : int
        The number of participants at which the interval should be narrowest.

    Returns
    -------
    ConfidenceSequence

    Raises
    ------
    ValueError
        If there are no values, some are missing, or `first` is below 2.

    References
    ----------
    Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), doi:10.1214/24-AOS2408.
    """
    x = _checked(values, alpha)
    if first < 2 or sharpest_at < 1:
        raise ValueError("first must be at least 2 and sharpest_at at least 1")
    t = np.arange(1, len(x) + 1)
    mean = _running_mean(x)
    centred = x - x[0]
    variance = np.cumsum(centred**2) / t - (np.cumsum(centred) / t) ** 2
    squared = (-2 * np.log(alpha) + np.log(1 - 2 * np.log(alpha))) / sharpest_at
    scale = 2 * (t * squared + 1) / (t**2 * squared) * np.log(np.sqrt(t * squared + 1) / alpha)
    reach = np.sqrt(np.maximum(variance, 0) * scale)
    reach[: first - 1] = np.inf
    low, high = np.maximum.accumulate(mean - reach), np.minimum.accumulate(mean + reach)
    early = t < first
    return ConfidenceSequence(mean, np.where(early, np.nan, low), np.where(early, np.nan, high))


def _checked(values: ArrayLike, alpha: float) -> FloatArray:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or len(x) == 0 or not np.isfinite(x).all():
        raise ValueError("values must be a vector without missing values, at least one")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not at {alpha}")
    return x


def _running_mean(x: FloatArray) -> FloatArray:
    return np.asarray(np.cumsum(x) / np.arange(1, len(x) + 1))


def _bets(x: FloatArray, alpha: float) -> FloatArray:
    """Each participant's bet, made from the values before: large when they vary little."""
    t = np.arange(1, len(x) + 1)
    mean = (0.5 + np.cumsum(x)) / (t + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (t + 1)
    before = np.concatenate([[0.25], variance[:-1]])
    return np.asarray(np.sqrt(2 * np.log(2 / alpha) / (before * t * np.log(t + 1))))


def _hull(excluded: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """The interval around the means that are left, a grid step wider on both sides."""
    left = ~excluded
    some = left.any(axis=1)
    lowest = np.where(some, left.argmax(axis=1), 0)
    highest = np.where(some, GRID - left[:, ::-1].argmax(axis=1), GRID)
    return np.maximum(lowest - 1, 0) / GRID, np.minimum(highest + 1, GRID) / GRID
