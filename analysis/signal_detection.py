"""Signal detection: sensitivity and bias apart.

A signal is an AI image; "yes" is the answer AI. NumPy and SciPy only, as the participants'
pages use it for feedback on a whole study.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from analysis.estimate import Estimate
from analysis.mixed import MixedFit, fit_glmm
from analysis.resampling import Bootstrap, bootstrap_participants

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """d-prime and criterion; scalars or arrays of one shape.

    A positive criterion is a bias to say "real" (for pairs: to choose the right side).
    """

    d_prime: FloatArray
    criterion: FloatArray


def yes_no(
    hits: ArrayLike, signals: ArrayLike, false_alarms: ArrayLike, noises: ArrayLike
) -> Sensitivity:
    """d-prime and criterion of a yes/no task from counts, one or many participants.

    Parameters
    ----------
    hits, signals : array_like
        AI images called AI, and AI images shown.
    false_alarms, noises : array_like
        Real images called AI, and real images shown.

    Returns
    -------
    Sensitivity

    Raises
    ------
    ValueError
        If a count is negative, exceeds its total, or a total is zero.

    Notes
    -----
    With the log-linear correction of Hautus (1995), doi:10.3758/BF03203619, for everyone: half
    a count is added to each cell, so perfect scores stay finite.
    """
    hit_z = _corrected_z(hits, signals)
    false_z = _corrected_z(false_alarms, noises)
    return Sensitivity(hit_z - false_z, -(hit_z + false_z) / 2)


def pairs(
    left_when_left: ArrayLike, ai_left: ArrayLike, left_when_right: ArrayLike, ai_right: ArrayLike
) -> Sensitivity:
    """d-prime and side bias of a two-alternative forced choice from counts.

    Parameters
    ----------
    left_when_left, ai_left : array_like
        Choices of the left side where the AI image was on the left, and such trials.
    left_when_right, ai_right : array_like
        Choices of the left side where it was on the right, and such trials.

    Returns
    -------
    Sensitivity
        d-prime is (z(hit) - z(false alarm)) / sqrt 2, so that a preference for one side does not
        count against the participant.

    Raises
    ------
    ValueError
        As `yes_no`.
    """
    sides = yes_no(left_when_left, ai_left, left_when_right, ai_right)
    return Sensitivity(sides.d_prime / np.sqrt(2), sides.criterion)


@dataclass(frozen=True, slots=True)
class MixedSensitivity:
    """d-prime and criterion of the average participant, from a probit mixed model."""

    d_prime: Estimate
    criterion: Estimate
    fit: MixedFit


def mixed_yes_no(
    says_ai: ArrayLike,
    is_ai: ArrayLike,
    groups: Mapping[str, ArrayLike],
    slope_of: str = "participant",
) -> MixedSensitivity:
    """d-prime and criterion of a yes/no task when participants and items both vary.

    Parameters
    ----------
    says_ai, is_ai : array_like of bool, shape (n,)
    groups : mapping of str to array_like, shape (n,)
        As for `analysis.mixed.fit_glmm`.
    slope_of : str
        The factor whose levels differ in d-prime as well as in criterion.

    Returns
    -------
    MixedSensitivity

    Raises
    ------
    ValueError
        As `analysis.mixed.fit_glmm`.

    Notes
    -----
    The probit model ``says_ai ~ x + (1 + x | participant) + (1 | item)`` with x of plus and
    minus one half: its slope is d-prime, minus its intercept the criterion (DeCarlo, 1998,
    doi:10.1037/1082-989X.3.2.186).
    """
    x = np.where(np.asarray(is_ai, dtype=bool), 0.5, -0.5)
    design = np.column_stack([np.ones(len(x)), x])
    says = np.asarray(says_ai, dtype=np.float64)
    fit = fit_glmm(says, design, groups, slopes={slope_of: x}, link="probit")
    return MixedSensitivity(fit.contrast([0, 1]), fit.contrast([-1, 0]), fit)


def mixed_pairs(
    chose_left: ArrayLike,
    ai_left: ArrayLike,
    groups: Mapping[str, ArrayLike],
    slope_of: str = "participant",
) -> MixedSensitivity:
    """d-prime and side bias in pairs when participants and items both vary.

    As `mixed_yes_no`, with the left side for "AI" and d-prime divided by sqrt 2.
    """
    sides = mixed_yes_no(chose_left, ai_left, groups, slope_of)
    return MixedSensitivity(sides.fit.contrast([0, np.sqrt(0.5)]), sides.criterion, sides.fit)


def d_prime_of_share(correct: ArrayLike) -> FloatArray:
    """d-prime of an unbiased observer with this share of correct choices in pairs: sqrt 2 z."""
    share = np.asarray(correct, dtype=np.float64)
    if not ((share > 0) & (share < 1)).all():
        raise ValueError("shares must lie between 0 and 1")
    return np.asarray(np.sqrt(2) * special.ndtri(share))


@dataclass(frozen=True, slots=True)
class Roc:
    """The operating characteristic: rates at each criterion, from strict to lax, and its area."""

    false_alarm_rate: FloatArray
    hit_rate: FloatArray
    auc: float


def roc(evidence: ArrayLike, is_signal: ArrayLike) -> Roc:
    """ROC of graded evidence, such as confidence that an image is AI.

    Parameters
    ----------
    evidence : array_like, shape (n,)
        The larger, the surer that the trial held a signal.
    is_signal : array_like of bool, shape (n,)

    Returns
    -------
    Roc
        The area counts ties as one half: the chance that a signal gets more evidence than a
        noise, as the Mann-Whitney statistic.

    Raises
    ------
    ValueError
        If lengths differ, evidence is missing, or only signals or only noises are there.
    """
    strength = np.asarray(evidence, dtype=np.float64)
    signal = np.asarray(is_signal, dtype=bool)
    if strength.shape != signal.shape or strength.ndim != 1:
        raise ValueError("evidence and is_signal must be vectors of one length")
    if not np.isfinite(strength).all():
        raise ValueError("evidence must not be missing")
    if signal.all() or not signal.any():
        raise ValueError("both signals and noises are needed")
    levels, codes = np.unique(strength, return_inverse=True)
    kinds = (codes[~signal], codes[signal])
    counts = np.stack([np.bincount(kind, minlength=len(levels)) for kind in kinds])
    rates = np.cumsum(counts[:, ::-1], axis=1) / counts.sum(axis=1, keepdims=True)
    false_rate, hit_rate = np.concatenate([np.zeros((2, 1)), rates], axis=1)
    return Roc(false_rate, hit_rate, float(np.trapezoid(hit_rate, false_rate)))


def evidence_of_ai(says_ai: ArrayLike, confidence: ArrayLike) -> FloatArray:
    """Evidence from -1 (surely real) to 1 (surely AI) from a choice and its confidence, 0 to 1."""
    sure = np.asarray(confidence, dtype=np.float64)
    if not ((sure >= 0) & (sure <= 1)).all():
        raise ValueError("confidence must lie between 0 and 1")
    return np.where(np.asarray(says_ai, dtype=bool), sure, -sure)


def bootstrap_mean(
    per_participant: ArrayLike, rng: np.random.Generator, resamples: int = 10_000
) -> Bootstrap:
    """The mean of a participant-level measure, such as d-prime, with participants resampled.

    Parameters
    ----------
    per_participant : array_like, shape (participants,)
    rng : numpy.random.Generator
    resamples : int

    Returns
    -------
    Bootstrap
    """
    values = np.asarray(per_participant, dtype=np.float64)
    totals = np.column_stack([values, np.ones(len(values))])
    return bootstrap_participants(totals, _ratio, rng, resamples)


def bootstrap_auc(
    evidence: ArrayLike,
    is_signal: ArrayLike,
    participants: ArrayLike,
    rng: np.random.Generator,
    resamples: int = 2_000,
) -> Bootstrap:
    """Area under the pooled ROC, with participants resampled.

    Parameters
    ----------
    evidence, is_signal : array_like, shape (n,)
        As for `roc`.
    participants : array_like, shape (n,)
    rng : numpy.random.Generator
    resamples : int

    Returns
    -------
    Bootstrap
        Resamples that hold only signals or only noises are NaN.

    Raises
    ------
    ValueError
        As `roc`, or with fewer than two participants.
    """
    roc(evidence, is_signal)
    signal = np.asarray(is_signal, dtype=bool)
    levels, codes = np.unique(np.asarray(evidence, dtype=np.float64), return_inverse=True)
    people, person = np.unique(np.asarray(participants), return_inverse=True)
    width = 2 * len(levels)
    cells = person * width + signal * len(levels) + codes
    totals = np.bincount(cells, minlength=len(people) * width).reshape(len(people), width)
    return bootstrap_participants(totals, _auc_of_counts(len(levels)), rng, resamples)


def _corrected_z(counts: ArrayLike, totals: ArrayLike) -> FloatArray:
    count, total = np.asarray(counts, dtype=np.float64), np.asarray(totals, dtype=np.float64)
    if not ((count >= 0) & (count <= total) & (total > 0)).all():
        raise ValueError("counts must lie between 0 and their totals, and totals above 0")
    return np.asarray(special.ndtri((count + 0.5) / (total + 1)))


def _ratio(sums: FloatArray) -> FloatArray:
    return np.asarray(sums[:, 0] / sums[:, 1])


def _auc_of_counts(levels: int) -> Callable[[FloatArray], FloatArray]:
    """The area from counts by level, noises first, then signals, for many samples at once."""

    def auc(counts: FloatArray) -> FloatArray:
        noise, signal = counts[:, :levels], counts[:, levels:]
        below = np.cumsum(noise, axis=1) - noise / 2
        pairs_won = (signal * below).sum(axis=1)
        with np.errstate(invalid="ignore"):
            return np.asarray(pairs_won / (signal.sum(axis=1) * noise.sum(axis=1)))

    return auc
