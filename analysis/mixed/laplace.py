"""The Laplace approximation of a binary mixed model's likelihood, and its exact gradient."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analysis.mixed.layout import Column, Curvature, Layout
from analysis.mixed.links import LINKS, Terms

FloatArray = NDArray[np.float64]

MODE_TOLERANCE = 1e-14  # squared Newton decrement; the gradient needs the mode this exactly
MOST_STEPS = 200
ROUNDING = 1e-10  # of the objective: a smaller loss is no loss
TINY = np.finfo(float).tiny
REFACTOR = 0.2  # a step with an old factor must shrink the score to this share of itself


@dataclass
class Laplace:
    """Log-likelihood as a function of (fixed effects, entries of Λ).

    The modes of the last evaluation and their factor are kept as the next start: a factor that is
    a little out of date still contracts fast, and factors are what costs.
    """

    layout: Layout
    link: str
    sign: FloatArray  # +1 for a response of one, -1 for zero, shape (rows,)
    counts: FloatArray  # how often each row occurs
    design: FloatArray  # shape (rows, fixed effects)
    modes: FloatArray = field(init=False)
    factor: Curvature | None = field(init=False, default=None)
    variances: FloatArray = field(init=False)  # of the effects given the data, relative to prior

    def __post_init__(self) -> None:
        self.modes = np.zeros(self.layout.size)

    def __call__(self, parameters: FloatArray) -> tuple[float, FloatArray]:
        """The approximate log-likelihood and its gradient."""
        width = self.design.shape[1]
        values = self.layout.values(parameters[width:])
        fixed = self.design @ parameters[:width]
        terms = self._find_modes(fixed, values)
        self.factor = None  # freed before its successor is built
        self.factor = factor = self._curvature(terms, values)
        likelihood = float(self.counts @ terms.log_likelihood) - float(self.modes @ self.modes) / 2
        value = likelihood - factor.log_determinant / 2
        return value, self._gradient(terms, factor, values)

    def find_modes(self, parameters: FloatArray) -> FloatArray:
        """The most likely spherical effects given the parameters, shape (effects,)."""
        width = self.design.shape[1]
        self._find_modes(self.design @ parameters[:width], self.layout.values(parameters[width:]))
        return self.modes

    def _find_modes(self, fixed: FloatArray, values: list[Column]) -> Terms:
        """Move `modes` to the maximum of the joint likelihood; return the rows' terms there.

        Newton's method, with the last factor for as long as it makes the score shrink quickly.
        """
        terms, objective, score = self._joint(self.modes, fixed, values)
        fresh = False
        for _ in range(MOST_STEPS):
            if self.factor is None:
                self.factor, fresh = self._curvature(terms, values), True
            step = self.factor.solve(score)
            moved = self._joint(self.modes + step, fixed, values)
            if moved[1] < objective - ROUNDING * (1 + abs(objective)):
                if not fresh:
                    self.factor = None
                    continue
                step, moved = self._shorten(step, objective, fixed, values)
                if moved[1] < objective:  # no step gains: this is the mode, as far as rounding goes
                    break
            shrinkage = float(np.abs(moved[2]).max()) / max(float(np.abs(score).max()), TINY)
            decrement = float(score @ step) * min(shrinkage, 1.0) ** 2
            self.modes = self.modes + step
            terms, objective, score = moved
            if decrement < MODE_TOLERANCE:
                break
            if shrinkage > REFACTOR:
                self.factor = None
            fresh = False
        return terms

    def _shorten(
        self, step: FloatArray, objective: float, fixed: FloatArray, values: list[Column]
    ) -> tuple[FloatArray, tuple[Terms, float, FloatArray]]:
        for _ in range(30):
            step = step / 2
            moved = self._joint(self.modes + step, fixed, values)
            if moved[1] >= objective:
                break
        return step, moved

    def _joint(
        self, u: FloatArray, fixed: FloatArray, values: list[Column]
    ) -> tuple[Terms, float, FloatArray]:
        """The terms of each row, the joint log-likelihood and its derivative in u."""
        terms = LINKS[self.link](fixed + self.layout.predict(values, u), self.sign)
        objective = float(self.counts @ terms.log_likelihood) - float(u @ u) / 2
        return terms, objective, self.layout.project(values, self.counts * terms.score) - u

    def _curvature(self, terms: Terms, values: list[Column]) -> Curvature:
        return Curvature(self.layout, values, self.counts * terms.weight)

    def _gradient(self, terms: Terms, factor: Curvature, values: list[Column]) -> FloatArray:
        """Derivatives by the implicit function theorem: the modes move with the parameters.

        With v the leverages z̃'H⁻¹z̃ and q = ½ v dw/dη, the modes' movement costs
        s = H⁻¹ Z̃'q, and everything else is a sum over rows.
        """
        layout = self.layout
        score, weight = self.counts * terms.score, self.counts * terms.weight
        inverse = factor.invert()
        self.variances = inverse.diagonal()
        shares = list(inverse.rows())
        del inverse
        leverage = sum(value * share for value, share in zip(values, shares, strict=True))
        bend = leverage * (self.counts * terms.weight_slope) / 2
        pull = factor.solve(layout.project(values, bend))
        along = score - bend + weight * layout.predict(values, pull)
        entries = []
        for entry in layout.entries:
            index = layout.index(entry)
            effect, column = layout.effects[index], layout.factors[entry.factor].columns[entry.row]
            by_level = self.modes[effect.place][effect.codes] * along
            by_level -= weight * shares[index] + score * pull[effect.place][effect.codes]
            entries.append(float(np.sum(column * by_level)))
        return np.concatenate([self.design.T @ along, entries])

    def rough_information(self, parameters: FloatArray, gradient: FloatArray) -> FloatArray:
        """An approximate information matrix where the function was last evaluated.

        The fixed effects' part is that of the weighted least squares problem; the part of Λ is
        the expected information of a balanced design, but steep enough that a first step towards
        zero covers half of the way at most.
        """
        width = self.design.shape[1]
        theta, slope = parameters[width:], gradient[width:]
        matrix = np.zeros((len(parameters), len(parameters)))
        matrix[:width, :width] = self._fixed_information(theta)
        spread = entry_information(self.layout, theta, self.variances)
        spread = np.maximum(spread, 2 * np.abs(slope) / np.maximum(np.abs(theta), 0.1))
        matrix[range(width, len(parameters)), range(width, len(parameters))] = spread
        return matrix

    def _fixed_information(self, theta: FloatArray) -> FloatArray:
        factor, values = self._current(), self.layout.values(theta)
        weighted = self.design * factor.weights[:, None]
        across = [self.layout.project(values, column) for column in weighted.T]
        solved = np.array([factor.solve(column) for column in across])
        return np.asarray(self.design.T @ weighted - solved @ np.array(across).T)

    def _current(self) -> Curvature:
        if self.factor is None:
            raise RuntimeError("the likelihood has not been evaluated yet")
        return self.factor


def entry_information(layout: Layout, theta: FloatArray, variances: FloatArray) -> FloatArray:
    """Approximate information on each entry of Λ.

    `variances` are the effects' given the data, relative to the prior; one minus them is how
    reliably each level is known, and for a standard deviation σ the information is 2 Σ r² / σ².
    """
    reliability = 1 - variances
    information = []
    for entry in layout.entries:
        scale = layout.lower(theta, entry.factor)[entry.row, entry.row]
        own = reliability[layout.effects[layout.index(entry)].place]
        share = float(own @ own) * (2 if entry.on_diagonal else 1)
        information.append(share / max(scale**2, 1e-4))
    return np.maximum(information, 1e-3)
