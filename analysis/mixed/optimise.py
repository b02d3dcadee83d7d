"""A quasi-Newton maximiser for likelihoods whose curvature is roughly known from the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ValueAndGradient = Callable[[FloatArray], tuple[float, FloatArray]]
RoughInformation = Callable[[FloatArray, FloatArray], FloatArray]

MOST_STEPS = 100
TOLERANCE = 1e-6  # expected further gain in log-likelihood; `polish` takes it
DIFFERENCE_STEP = 1e-3  # of a standard error


@dataclass(frozen=True)
class Maximum:
    x: FloatArray
    value: float
    gradient: FloatArray
    information: FloatArray
    converged: bool


def maximise(
    function: ValueAndGradient,
    start: FloatArray,
    rough: RoughInformation,
    steps: int = MOST_STEPS,
) -> Maximum:
    """Maximise by BFGS; `rough` gives an information matrix (minus the Hessian) to start with."""
    x = start
    value, gradient = function(x)
    info = rough(x, gradient)
    for _ in range(steps):
        try:
            step = np.asarray(np.linalg.solve(info, gradient), dtype=np.float64)
        except np.linalg.LinAlgError:  # estimates that run off leave no information
            return Maximum(x, value, gradient, info, False)
        gain = float(gradient @ step) / 2
        if gain < TOLERANCE:
            return Maximum(x, value, gradient, info, True)
        new = _step_back(function, x, value, step, gain)
        if new is None:
            return Maximum(x, value, gradient, info, gain < 1e2 * TOLERANCE)
        moved, change = new[0] - x, gradient - new[2]
        x, value, gradient = new
        info = _updated(info, moved, change)
    return Maximum(x, value, gradient, info, False)


def _step_back(
    function: ValueAndGradient, x: FloatArray, value: float, step: FloatArray, gain: float
) -> tuple[FloatArray, float, FloatArray] | None:
    """The first of ever shorter steps that raises the function enough."""
    for halving in range(25):
        share = 0.5**halving
        new_value, gradient = function(x + share * step)
        if new_value > value + 1e-4 * share * gain - 1e-12 * abs(value):
            return x + share * step, new_value, gradient
    return None


def _updated(info: FloatArray, moved: FloatArray, change: FloatArray) -> FloatArray:
    """The BFGS update; left out where the curvature along the step is not positive."""
    along = float(moved @ change)
    through = info @ moved
    if along <= 1e-3 * float(moved @ through):
        return info
    return np.asarray(
        info
        + np.outer(change, change) / along
        - np.outer(through, through) / float(moved @ through)
    )


def polish(function: ValueAndGradient, maximum: Maximum) -> Maximum:
    """Take the last step with the observed information, which the result then holds.

    The information is minus the Hessian, from differences of the exact gradient. Where it is not
    positive definite the likelihood has no maximum here, as when a predictor separates the
    responses: the maximum is left as it is and marked as not converged.
    """
    information = _observed_information(function, maximum)
    if len(information) and np.linalg.eigvalsh(information)[0] <= 0:
        return replace(maximum, converged=False)
    step = np.linalg.solve(information, maximum.gradient)
    gain = float(maximum.gradient @ step) / 2
    return Maximum(
        maximum.x + step,
        maximum.value + gain,
        np.zeros_like(step),
        information,
        maximum.converged,
    )


def _observed_information(function: ValueAndGradient, maximum: Maximum) -> FloatArray:
    steps = DIFFERENCE_STEP / np.sqrt(np.diagonal(maximum.information))
    columns = []
    for i, step in enumerate(steps):
        moved = maximum.x.copy()
        moved[i] += step
        columns.append((maximum.gradient - function(moved)[1]) / step)
    matrix = np.array(columns).reshape(len(steps), len(steps))
    return np.asarray((matrix + matrix.T) / 2)
