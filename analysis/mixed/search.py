"""The outer maximisation: free entries of Λ, exact zeros, and the covariance at the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.mixed.layout import Entry, Layout
from analysis.mixed.optimise import (
    MOST_STEPS,
    Maximum,
    RoughInformation,
    ValueAndGradient,
    maximise,
    polish,
)

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SUSPECT = 0.1  # an entry below this may be an exact zero that was approached from above
NO_WORSE = 1e-6  # in log-likelihood
LOOSER = 0.95, float(np.sqrt(1 - 0.95**2))  # a correlation of 0.95, with the slope's variance kept
PATIENCE = 20  # steps; a longer way mostly leads to a bound, so bounds are tried before it


@dataclass(frozen=True)
class Found:
    """The maximum over the parameters that are not fixed at zero."""

    parameters: FloatArray  # all, with zeros at the boundary
    free: BoolArray
    maximum: Maximum

    @property
    def covariance(self) -> FloatArray:
        """Inverse of the information; zero for parameters at the boundary."""
        matrix = np.zeros((len(self.free), len(self.free)))
        matrix[np.ix_(self.free, self.free)] = np.linalg.pinv(
            self.maximum.information, hermitian=True
        )
        return matrix


def search(
    function: ValueAndGradient,
    rough: RoughInformation,
    start: FloatArray,
    layout: Layout,
) -> Found:
    """Maximise; then see whether small standard deviations are exactly zero.

    The likelihood is even in each column of Λ, so its derivative at zero vanishes and a maximum
    at zero can only be told by comparison: a step away from it does not pay, and with the
    column at zero the fit is no worse.
    """
    free = np.ones(len(start), dtype=bool)
    found = _maximise_free(function, rough, start, free, PATIENCE)
    found = _to_bounds(function, rough, found, layout)
    if not found.maximum.converged:
        found = _to_bounds(function, rough, _resumed(function, found), layout)
    maximum = polish(restricted(function, found.free), found.maximum)
    return Found(filled(maximum.x, found.free), found.free, maximum)


def _to_bounds(
    function: ValueAndGradient, rough: RoughInformation, found: Found, layout: Layout
) -> Found:
    """The fit with every small standard deviation at its bound, where that loses nothing."""
    offset = len(found.free) - len(layout.entries)
    for position, entry in enumerate(layout.entries):
        here = offset + position
        if entry.on_diagonal and found.free[here] and abs(found.parameters[here]) < SUSPECT:
            zeros = [offset + i for i, e in enumerate(layout.entries) if _same_column(e, entry)]
            found = _lifted(function, rough, found, here)
            if len(zeros) == 2 and found.free[zeros[1]]:
                found = _tied(function, rough, found, [zeros[1], zeros[1] + 1])
            found = _without(function, rough, found, zeros)
    return found


def _same_column(entry: Entry, other: Entry) -> bool:
    return entry.factor == other.factor and entry.column == other.column


def _maximise_free(
    function: ValueAndGradient,
    rough: RoughInformation,
    start: FloatArray,
    free: BoolArray,
    steps: int = MOST_STEPS,
) -> Found:
    """Maximise over the free parameters, the others zero."""

    def rough_free(x: FloatArray, gradient: FloatArray) -> FloatArray:
        return rough(filled(x, free), filled(gradient, free))[np.ix_(free, free)]

    maximum = maximise(restricted(function, free), start[free], rough_free, steps)
    return Found(filled(maximum.x, free), free, maximum)


def _resumed(function: ValueAndGradient, found: Found) -> Found:
    """The maximisation that was given up half-way, to its end."""
    known = found.maximum
    maximum = maximise(restricted(function, found.free), known.x, lambda *_: known.information)
    return Found(filled(maximum.x, found.free), found.free, maximum)


def _lifted(
    function: ValueAndGradient, rough: RoughInformation, found: Found, position: int
) -> Found:
    """The fit from a larger standard deviation, where the small one is a saddle and no maximum."""
    start = found.parameters.copy()
    start[position] = abs(start[position]) + SUSPECT
    if function(start)[0] <= found.maximum.value + NO_WORSE:
        return found
    other = _maximise_free(function, rough, start, found.free)
    return other if other.maximum.value > found.maximum.value else found


def _tied(
    function: ValueAndGradient, rough: RoughInformation, found: Found, slope: list[int]
) -> Found:
    """The fit with intercept and slope perfectly correlated, if that loses nothing.

    With hardly any variance of the intercept the likelihood is nearly flat in the correlation,
    and the way to its bound is long. Where it was given up half-way, a correlation a little below
    the bound must not do better either.
    """
    cross, own = slope
    start, free = found.parameters.copy(), found.free.copy()
    start[cross] = np.copysign(np.hypot(start[cross], start[own]), start[cross])
    free[own] = False
    tied = _maximise_free(function, rough, start, free)
    if tied.maximum.value < found.maximum.value - NO_WORSE:
        return found
    looser = tied.parameters.copy()
    looser[[cross, own]] = np.multiply(LOOSER, tied.parameters[cross])
    if not found.maximum.converged and function(looser)[0] > tied.maximum.value + NO_WORSE:
        return found
    return tied


def _without(
    function: ValueAndGradient, rough: RoughInformation, found: Found, zeros: list[int]
) -> Found:
    """The fit with some entries at zero, if that loses nothing; the fit must have converged."""
    if not found.maximum.converged:
        return found
    free = found.free.copy()
    free[zeros] = False
    simpler = _maximise_free(function, rough, found.parameters, free)
    return simpler if simpler.maximum.value >= found.maximum.value - NO_WORSE else found


def filled(x: FloatArray, free: BoolArray) -> FloatArray:
    """All parameters, from the free ones; the others are zero."""
    parameters = np.zeros(len(free))
    parameters[free] = x
    return parameters


def restricted(function: ValueAndGradient, free: BoolArray) -> ValueAndGradient:
    """The function of the free parameters alone."""

    def evaluate(x: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = function(filled(x, free))
        return value, gradient[free]

    return evaluate


def positive_diagonals(layout: Layout, theta: FloatArray) -> FloatArray:
    """The same Λ Λ' with no negative diagonal entry: each column's sign is arbitrary."""
    negative = {
        (entry.factor, entry.column)
        for value, entry in zip(theta, layout.entries, strict=True)
        if entry.on_diagonal and value < 0
    }
    flips = [(entry.factor, entry.column) in negative for entry in layout.entries]
    return np.where(flips, -theta, theta)
