"""Published counts of a single-image study again, where no single responses were published.

How far accuracy varies between participants and between images cannot be seen in counts. So the
standard deviations are assumed, and the interval follows from them in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from analysis.binomial import wilson_interval
from analysis.estimate import Estimate

FloatArray = NDArray[np.float64]

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(100)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
CHANCE = 0.5
ROUNDING = 0.005  # how far published shares may be apart for rounding
LARGEST_SD = 10.0  # log-odds; almost every response is then certain beforehand


@dataclass(frozen=True, slots=True)
class Counts:
    """What an article tells of a study in which every participant judged every image.

    Attributes
    ----------
    participants, real_images, ai_images : int
    overall, real, ai : float
        Shares of correct judgements, of all images, of the photographs and of the AI images.
    """

    participants: int
    real_images: int
    ai_images: int
    overall: float
    real: float
    ai: float

    def __post_init__(self) -> None:
        if min(self.participants, self.real_images, self.ai_images) < 2:
            raise ValueError("at least 2 participants, 2 real and 2 AI images are needed")
        if not all(0 < share < 1 for share in (self.overall, self.real, self.ai)):
            raise ValueError("shares must lie between 0 and 1")
        weighted = (self.real * self.real_images + self.ai * self.ai_images) / self.images
        if abs(weighted - self.overall) > ROUNDING:
            raise ValueError(
                f"the shares of real and AI images make {weighted:.4f} overall, "
                f"which is not {self.overall}"
            )

    @property
    def images(self) -> int:
        """All of them."""
        return self.real_images + self.ai_images

    @property
    def accuracy(self) -> float:
        """The headline: the mean of real and AI accuracy, so that base rates don't matter."""
        return (self.real + self.ai) / 2


def estimate(counts: Counts, sd_participants: float, sd_images: float) -> Estimate:
    """Accuracy averaged over participants and images, both of them random.

    Parameters
    ----------
    counts : Counts
    sd_participants, sd_images : float
        Standard deviations of the random intercepts, in log-odds.

    Returns
    -------
    Estimate
        On the logit scale, with min(participants, images) - 1 degrees of freedom.

    Notes
    -----
    The variance is that between participants over their number, plus that between images over
    theirs, plus what is left over the number of responses (Westfall, Kenny and Judd, 2014,
    doi:10.1037/xge0000014, for a share). That a participant leans to "everything is AI" raises
    one accuracy and lowers the other; leaving it out makes the interval slightly wider, not
    narrower.
    """
    for sd in (sd_participants, sd_images):
        if not 0 <= sd <= LARGEST_SD:
            raise ValueError(f"standard deviations must lie between 0 and {LARGEST_SD:g}")
    value, df = counts.accuracy, min(counts.participants, counts.images) - 1
    se = np.sqrt(_variance(counts, sd_participants, sd_images))
    return Estimate(value, float(se / (value * (1 - value))), df, "logit")


def _variance(counts: Counts, sd_participants: float, sd_images: float) -> float:
    by_participant, rest = np.zeros(len(NODES)), 0.0
    for share, images in ((counts.real, counts.real_images), (counts.ai, counts.ai_images)):
        chance = _chances(share, sd_participants, sd_images)
        participant, image = chance @ WEIGHTS, WEIGHTS @ chance
        by_participant += participant / 2  # the same people judged both
        between = float(WEIGHTS @ (participant - share) ** 2)
        between_images = float(WEIGHTS @ (image - share) ** 2)
        left = share * (1 - share) - between - between_images
        rest += (between_images / images + left / (counts.participants * images)) / 4
    spread = float(WEIGHTS @ (by_participant - counts.accuracy) ** 2)
    return spread / counts.participants + rest


def _chances(share: float, sd_participants: float, sd_images: float) -> FloatArray:
    """Chance of a correct judgement for each participant (rows) and image (columns)."""
    effects = sd_participants * NODES[:, None] + sd_images * NODES
    weights = np.outer(WEIGHTS, WEIGHTS)

    def excess(intercept: float) -> float:
        return float((special.expit(intercept + effects) * weights).sum()) - share

    return np.asarray(special.expit(optimize.brentq(excess, -60, 60) + effects))


def naive(counts: Counts, level: float) -> tuple[float, float, float]:
    """The overall share with Wilson's interval, as if all responses were independent."""
    n = counts.participants * counts.images
    successes = round(counts.overall * n)
    return successes / n, *wilson_interval(successes, n, level)


def smallest_sd(
    counts: Counts,
    level: float,
    *,
    sd_participants: float | None = None,
    sd_images: float | None = None,
) -> float | None:
    """The smallest standard deviation with which the interval holds chance, the other one given.

    Returns
    -------
    float or None
        None where no standard deviation up to `LARGEST_SD` does.

    Raises
    ------
    ValueError
        Unless exactly one of the two is given.
    """
    if (sd_participants is None) == (sd_images is None):
        raise ValueError("give the standard deviation of the participants or of the images")

    def room(sd: float) -> float:
        """Distance from chance to the interval; below 0 where chance lies within."""
        people = sd if sd_participants is None else sd_participants
        images = sd if sd_images is None else sd_images
        low, high = estimate(counts, people, images).interval(level)
        return max(low - CHANCE, CHANCE - high)

    if room(0.0) <= 0:
        return 0.0
    if room(LARGEST_SD) > 0:
        return None
    return float(optimize.brentq(room, 0.0, LARGEST_SD, xtol=1e-3))
