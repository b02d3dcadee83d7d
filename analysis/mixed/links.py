"""The two links: log-likelihood of a binary response and its derivatives, row by row.

Both are written in t = s η, where s is +1 for a response of one and -1 for zero. Each class gives
the log-likelihood log F(t), its derivative in η (`score`), minus its second derivative (`weight`)
and the derivative of that weight in η (`weight_slope`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx

FloatArray = NDArray[np.float64]


class LogitTerms:
    """F is the logistic function."""

    LIMIT = 500.0  # beyond it the exponential overflows

    def __init__(self, eta: FloatArray, sign: FloatArray) -> None:
        small = np.exp(-np.clip(sign * eta, -self.LIMIT, self.LIMIT))
        self.sign = sign
        self.upper = 1 / (1 + small)
        self.log_likelihood = np.log(self.upper)
        lower = small * self.upper
        self.score = sign * lower
        self.weight = lower * self.upper

    @property
    def weight_slope(self) -> FloatArray:
        return self.sign * self.weight * (1 - 2 * self.upper)


class ProbitTerms:
    """F is the normal distribution function, exact in both tails through the scaled erfc."""

    LIMIT = 36.0

    def __init__(self, eta: FloatArray, sign: FloatArray) -> None:
        t = np.clip(sign * eta, -self.LIMIT, self.LIMIT)
        scaled = erfcx(t * -np.sqrt(0.5))
        self.sign = sign
        self.ratio = np.sqrt(2 / np.pi) / scaled  # φ(t) / Φ(t)
        self.shifted = t + self.ratio
        self.log_likelihood = np.log(scaled / 2) - t * t / 2
        self.score = sign * self.ratio
        self.weight = self.ratio * self.shifted

    @property
    def weight_slope(self) -> FloatArray:
        in_t = self.ratio * (1 - self.weight) - self.weight * self.shifted
        return np.asarray(self.sign * in_t)


Terms = LogitTerms | ProbitTerms
LINKS: dict[str, type[Terms]] = {"logit": LogitTerms, "probit": ProbitTerms}
