"""The naive binomial: independent responses, nothing else varying. Standard library only.

For one person's score this is right. For a whole study it is shown only to show how wrong
it is there: responses of one participant, or to one stimulus, are not independent.
"""

from math import exp, fsum, lgamma, log, sqrt
from statistics import NormalDist


def wilson_interval(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a proportion.

    Parameters
    ----------
    successes, n : int
        Number of successes out of n independent trials, n at least 1.
    level : float
        Confidence level, strictly between 0 and 1.

    Returns
    -------
    tuple of float
        Lower and upper limit, within [0, 1].

    References
    ----------
    Wilson, E. B. (1927). JASA 22, 209-212.
    """
    _check_counts(successes, n)
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, found {level}")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / n
    centre = share + z * z / (2 * n)
    spread = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if successes == 0 else (centre - spread) / scale
    high = 1.0 if successes == n else (centre + spread) / scale
    return low, high


def upper_tail(successes: int, n: int, p: float = 0.5) -> float:
    """Probability of at least `successes` out of `n` when each succeeds with probability `p`."""
    _check_counts(successes, n)
    if not 0 < p < 1:
        raise ValueError(f"p must lie between 0 and 1, found {p}")
    whole = lgamma(n + 1)  # logarithms, because the coefficients outgrow a double
    terms = (
        exp(whole - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log(1 - p))
        for k in range(successes, n + 1)
    )
    return min(1.0, fsum(terms))


def _check_counts(successes: int, n: int) -> None:
    if n < 1:
        raise ValueError(f"n must be at least 1, found {n}")
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie between 0 and n = {n}, found {successes}")
