"""An estimate with its uncertainty: what tests, intervals and verdicts are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, its standard error and the degrees of freedom of its t distribution.

    Attributes
    ----------
    value : float
        The estimate, always on the scale that people read (a probability stays a probability).
    se : float
        Standard error on the scale named by `scale`.
    df : float
        Degrees of freedom; ``numpy.inf`` for a normal interval.
    scale : {"identity", "logit"}
        Scale on which the estimate is close to normal. Intervals and tests are made there and,
        for ``"logit"``, carried back, so that they never leave 0 to 1.
    """

    value: float
    se: float
    df: float = np.inf
    scale: Literal["identity", "logit"] = "identity"

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Two-sided interval at `level`, on the scale of `value`."""
        reach = stats.t.ppf(0.5 + level / 2, self.df) * self.se
        centre = self._transformed(self.value)
        return self._back(centre - reach), self._back(centre + reach)

    def statistic(self, null: float = 0.0) -> float:
        """Distance from `null` in standard errors; infinite where there is no variance."""
        difference = self._transformed(self.value) - self._transformed(null)
        if self.se == 0:
            return float(np.sign(difference) * np.inf) if difference else 0.0
        return float(difference / self.se)

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided p-value of the hypothesis that the estimand is `null`."""
        return float(2 * stats.t.sf(abs(self.statistic(null)), self.df))

    def p_greater(self, null: float = 0.0) -> float:
        """One-sided p-value of the hypothesis that the estimand is `null` or less."""
        return float(stats.t.sf(self.statistic(null), self.df))

    def p_less(self, null: float = 0.0) -> float:
        """One-sided p-value of the hypothesis that the estimand is `null` or more."""
        return float(stats.t.cdf(self.statistic(null), self.df))

    def _transformed(self, value: float) -> float:
        return float(special.logit(value)) if self.scale == "logit" else value

    def _back(self, value: float) -> float:
        return float(special.expit(value)) if self.scale == "logit" else float(value)


class Coefficients:
    """Named coefficients with their covariance: what the regressions of this package share.

    Attributes
    ----------
    names : tuple of str
    coef, se, cov : ndarray, shapes (p,), (p,), (p, p)
    df : int
        Degrees of freedom of t intervals: one less than the smallest factor has levels.
    """

    names: tuple[str, ...]
    coef: FloatArray
    cov: FloatArray

    @property
    def df(self) -> int:
        raise NotImplementedError

    @property
    def se(self) -> FloatArray:
        return np.asarray(np.sqrt(np.diagonal(self.cov)))

    def estimate(self, name: str) -> Estimate:
        """One coefficient as an estimate with its standard error and degrees of freedom."""
        index = self.names.index(name)
        return Estimate(float(self.coef[index]), float(self.se[index]), self.df)

    def contrast(self, weights: ArrayLike) -> Estimate:
        """A linear combination of the coefficients; `weights` has shape (p,)."""
        vector = np.asarray(weights, dtype=np.float64)
        variance = float(vector @ self.cov @ vector)
        return Estimate(float(vector @ self.coef), variance**0.5, self.df)

    def joint_test(self, names: Sequence[str]) -> tuple[float, int, int, float]:
        """Wald test that all the named coefficients are zero.

        Returns F, its two degrees of freedom (the second is `df`) and the p-value.
        """
        index = [self.names.index(name) for name in names]
        effects, cov = self.coef[index], self.cov[np.ix_(index, index)]
        statistic = float(effects @ np.linalg.solve(cov, effects)) / len(index)
        return statistic, len(index), self.df, float(stats.f.sf(statistic, len(index), self.df))
