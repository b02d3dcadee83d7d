"""A Bayes factor for an estimate that already allows for participants and items."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from scipy import integrate, stats

from analysis.estimate import Estimate


@dataclass(frozen=True, slots=True)
class BayesFactor:
    """How much likelier the data are under no effect than under the named prior.

    Attributes
    ----------
    bf01 : float
        Above 1 speaks for no effect, below 1 for an effect.
    prior : {"cauchy", "normal"}
    scale : float
        Of the prior, in the estimate's unit (on its scale of testing).
    """

    bf01: float
    prior: str
    scale: float

    def __str__(self) -> str:
        return f"BF01 = {self.bf01:.3g} with a {self.prior} prior of scale {self.scale:g}"


def bayes_factor_01(
    estimate: Estimate,
    scale: float,
    null: float = 0.0,
    prior: Literal["cauchy", "normal"] = "cauchy",
) -> BayesFactor:
    r"""Bayes factor of "no effect" against an effect with a prior centred on no effect.

    .. math:: BF_{01} = \frac{t_\nu(t)}{\int t_\nu(t \mid \delta / se)\, p(\delta)\, d\delta}

    Parameters
    ----------
    estimate : Estimate
        The clustered or mixed-model estimate; its standard error allows for the design, which a
        binomial Bayes factor would not.
    scale : float
        Scale of the prior: half of its mass lies within it for a Cauchy, two thirds for a normal.
        The smallest effect of interest is a natural choice. On the logit for an estimate whose
        scale is the logit.
    null : float
    prior : {"cauchy", "normal"}

    Returns
    -------
    BayesFactor

    Raises
    ------
    ValueError
        If `scale` or the standard error is not positive, or the prior is unknown.

    Notes
    -----
    With a Cauchy prior this is the Bayes factor of Rouder et al. (2009),
    doi:10.3758/PBR.16.2.225, as ``BayesFactor::ttestBF`` gives it for a one-sample t test when
    `scale` is ``rscale`` times the standard deviation.
    """
    if scale <= 0 or estimate.se <= 0:
        raise ValueError("the prior's scale and the standard error must be positive")
    if prior not in ("cauchy", "normal"):
        raise ValueError(f"prior must be cauchy or normal, not {prior!r}")
    statistic = estimate.statistic(null)
    centre = np.clip(statistic * estimate.se / scale, -1e6, 1e6)
    quantile = {"cauchy": stats.cauchy, "normal": stats.norm}[prior]

    def density(share: float) -> float:
        effect = quantile.ppf(share) * scale / estimate.se
        return _density(statistic, effect, estimate.df)

    peak = float(quantile.cdf(centre))
    alternative = sum(
        integrate.quad(density, *part, limit=200, epsabs=1e-12)[0] for part in _parts(peak)
    )
    return BayesFactor(_density(statistic, 0.0, estimate.df) / alternative, prior, scale)


def _density(statistic: float, effect: float, df: float) -> float:
    """Density of a t statistic whose expectation is `effect` standard errors."""
    if np.isinf(df):
        return float(stats.norm.pdf(statistic - effect))
    return float(stats.nct.pdf(statistic, df, effect))


def _parts(peak: float) -> list[tuple[float, float]]:
    """The prior's quantiles from 0 to 1, split where the likelihood peaks."""
    width = min(peak, 1 - peak)
    edges = [0.0, peak - width / 2, peak, peak + width / 2, 1.0]
    return [(low, high) for low, high in pairwise(edges) if high > low]
