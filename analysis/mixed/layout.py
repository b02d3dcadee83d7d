"""The random effects of a mixed model, and the factor of their curvature matrix.

With spherical effects u ~ N(0, I) and the scaled design Z̃ = Z Λ, both the generalised and the
linear model need H = Z̃' W Z̃ + I. The levels of the factor with the most levels are independent
given the rest, so they are eliminated first; what remains is the Schur complement over the
smaller factors, a dense matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from analysis.mixed.cross import Blocks, Cross, choose_cross, count_sums, keep

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
STRIP = 64
Column = FloatArray | float  # 1.0 stands for a column of ones


@dataclass(frozen=True)
class Factor:
    """A grouping factor: the level of every row, and what varies between levels."""

    name: str
    codes: IntArray
    size: int
    columns: tuple[Column, ...]  # the intercept's 1.0, then the slope's variable

    @property
    def width(self) -> int:
        return len(self.columns)


@dataclass(frozen=True)
class Entry:
    """One free entry of a factor's lower triangular Λ: what row `row` gives to effect `column`."""

    factor: int
    row: int
    column: int

    @property
    def on_diagonal(self) -> bool:
        return self.row == self.column


@dataclass(frozen=True)
class Effect:
    """One column of random effects of one factor, and its place among all effects."""

    factor: int
    column: int
    codes: IntArray
    place: slice


def build_factors(
    groups: Mapping[str, NDArray[np.generic]], slopes: Mapping[str, FloatArray]
) -> tuple[Factor, ...]:
    """Number the levels of each factor; the factor to be eliminated comes first."""
    factors = []
    for name, labels in groups.items():
        levels, codes = np.unique(labels, return_inverse=True)
        columns: tuple[Column, ...] = (1.0, slopes[name]) if name in slopes else (1.0,)
        factors.append(Factor(name, codes.astype(np.intp).ravel(), len(levels), columns))
    return tuple(sorted(factors, key=lambda factor: -factor.size * factor.width))


@dataclass(frozen=True)
class Layout:
    """Rows sorted by the eliminated factor, the effects in order, and where they meet."""

    factors: tuple[Factor, ...]
    entries: tuple[Entry, ...]
    effects: tuple[Effect, ...] = field(init=False)
    starts: IntArray = field(init=False)
    cross: Cross = field(init=False)

    def __post_init__(self) -> None:
        effects, offset = [], 0
        for f, factor in enumerate(self.factors):
            for column in range(factor.width):
                place = slice(offset, offset + factor.size)
                effects.append(Effect(f, column, factor.codes, place))
                offset += factor.size
        first = self.factors[0]
        object.__setattr__(self, "effects", tuple(effects))
        object.__setattr__(self, "starts", np.searchsorted(first.codes, np.arange(first.size)))
        kept = effects[first.width :]
        base = first.size * first.width
        columns = [effect.codes + (effect.place.start - base) for effect in kept]
        cross = choose_cross(first.codes, columns, first.size, offset - base)
        object.__setattr__(self, "cross", cross)

    @property
    def size(self) -> int:
        """The number of random effects."""
        return int(self.effects[-1].place.stop)

    @property
    def eliminated(self) -> tuple[Effect, ...]:
        return self.effects[: self.factors[0].width]

    @property
    def kept(self) -> tuple[Effect, ...]:
        return self.effects[self.factors[0].width :]

    def index(self, entry: Entry) -> int:
        """Which effect an entry of Λ scales."""
        before = sum(factor.width for factor in self.factors[: entry.factor])
        return before + entry.column

    def lower(self, theta: FloatArray, factor: int) -> FloatArray:
        """Λ of one factor."""
        width = self.factors[factor].width
        matrix = np.zeros((width, width))
        for value, entry in zip(theta, self.entries, strict=True):
            if entry.factor == factor:
                matrix[entry.row, entry.column] = value
        return matrix

    def values(self, theta: FloatArray) -> list[Column]:
        """The scaled design Z̃: for every effect, its value in each row (or in all rows)."""
        scaled: list[Column] = []
        for effect in self.effects:
            weights = self.lower(theta, effect.factor)[:, effect.column]
            columns = self.factors[effect.factor].columns
            terms = [w * z for w, z in zip(weights, columns, strict=True) if w != 0]
            scaled.append(sum(terms[1:], start=terms[0]) if terms else 0.0)
        return scaled

    def predict(self, values: Sequence[Column], u: FloatArray) -> FloatArray:
        """Z̃ u."""
        total = np.zeros(len(self.factors[0].codes))
        for effect, value in zip(self.effects, values, strict=True):
            total += value * u[effect.place][effect.codes]
        return total

    def project(self, values: Sequence[Column], rows: FloatArray) -> FloatArray:
        """Z̃' rows."""
        return np.concatenate(
            [
                self.sum_levels(effect, value * rows)
                for effect, value in zip(self.effects, values, strict=True)
            ]
        )

    def sum_levels(self, effect: Effect, rows: FloatArray) -> FloatArray:
        """Sum of a row vector within each level of an effect's factor."""
        if effect.factor == 0:
            return np.add.reduceat(rows, self.starts)
        return count_sums(effect.codes, rows, self.factors[effect.factor].size)


class Curvature:
    """The Cholesky factor of H = Z̃' W Z̃ + I and what is computed with it."""

    def __init__(self, layout: Layout, values: Sequence[Column], weights: FloatArray) -> None:
        self.layout = layout
        self.values = values
        self.weights = weights
        width = layout.factors[0].width
        first, rest = values[:width], values[width:]
        self.blocks = Blocks(self._own_blocks(first, weights))
        cross = layout.cross.fill([value * weights for value in first], rest)
        self.reduced = self.blocks.forward(cross, layout.cross.spread)
        schur = self._kept_matrix(rest, weights)
        layout.cross.subtract_gram(schur, self.reduced)
        self.factor = cholesky(schur)
        self.log_determinant = self.blocks.log_determinant + 2 * float(
            np.log(np.diagonal(self.factor)).sum()
        )

    def _own_blocks(self, first: Sequence[Column], weights: FloatArray) -> FloatArray:
        layout = self.layout
        width, size = len(first), layout.factors[0].size
        blocks = np.zeros((width, width, size))
        for r in range(width):
            for s in range(r + 1):
                rows = first[r] * (first[s] * weights)
                blocks[r, s] = np.add.reduceat(rows, layout.starts)
            blocks[r, r] += 1
        return blocks

    def _kept_matrix(self, rest: Sequence[Column], weights: FloatArray) -> FloatArray:
        """The upper triangle of what the kept effects have among themselves."""
        layout = self.layout
        size = layout.cross.width
        base = layout.size - size
        matrix = np.zeros((size, size))
        for i, effect in enumerate(layout.kept):
            for j, other in enumerate(layout.kept[: i + 1]):
                rows = rest[i] * (rest[j] * weights)
                here = slice(effect.place.start - base, effect.place.stop - base)
                there = slice(other.place.start - base, other.place.stop - base)
                if effect.factor == other.factor:
                    sums = count_sums(effect.codes, rows, layout.factors[effect.factor].size)
                    np.fill_diagonal(matrix[there, here], sums)
                else:
                    matrix[there, here] = joint_sums(other, effect, rows)
        matrix[np.diag_indices(size)] += 1
        return matrix

    def solve(self, right: FloatArray) -> FloatArray:
        """H⁻¹ right."""
        cross = self.layout.cross
        split = len(right) - cross.width
        own = right[:split].reshape(self.blocks.width, -1)
        lowered = self.blocks.forward(own, keep)
        kept = right[split:] - cross.transposed_times(self.reduced, lowered)
        if len(kept):
            kept = lapack.dpotrs(self.factor, kept, lower=1)[0]
        own = self.blocks.backward(lowered - cross.times(self.reduced, kept), keep)
        return np.concatenate([own.ravel(), kept])

    def invert(self) -> Inverse:
        """Those entries of H⁻¹ that the rows of the data touch."""
        return Inverse(self)


class Inverse:
    """The entries of H⁻¹ at pairs of levels that meet in a row."""

    def __init__(self, curvature: Curvature) -> None:
        layout, blocks = curvature.layout, curvature.blocks
        self.layout, self.values = layout, curvature.values
        self.kept = invert_cholesky(curvature.factor)
        raised = blocks.backward(curvature.reduced, layout.cross.spread)
        met = layout.cross.times_at_cells(raised, self.kept)
        self.own = blocks.invert()
        for r in range(blocks.width):
            for s in range(blocks.width):
                self.own[r, s] += layout.cross.row_products(met[r], raised[s])
        np.negative(met, out=met)
        self.met = met.reshape(blocks.width, met[0].size)

    def rows(self) -> Iterator[FloatArray]:
        """For each effect, its component of H⁻¹ z̃ in every row's own level."""
        width = self.layout.factors[0].width
        codes = self.layout.factors[0].codes
        first, rest = self.values[:width], self.values[width:]
        for r in range(width):
            total = sum_rows(first[s] * self.own[r, s][codes] for s in range(width))
            for value, cell in zip(rest, self.layout.cross.cells, strict=True):
                total += value * self.met[r][cell]
            yield total
        for i in range(len(rest)):
            cell = self.layout.cross.cells[i]
            total = sum_rows(first[r] * self.met[r][cell] for r in range(width))
            for j, value in enumerate(rest):
                total += value * self._kept_at(i, j)
            yield total

    def _kept_at(self, i: int, j: int) -> FloatArray:
        columns = self.layout.cross.columns
        if i == j:
            return np.diagonal(self.kept)[columns[i]]
        return self.kept[columns[i], columns[j]]

    def diagonal(self) -> FloatArray:
        """The diagonal of H⁻¹: the effects' variances given the data, relative to the prior's."""
        own = [self.own[r, r] for r in range(len(self.own))]
        return np.concatenate([*own, np.diagonal(self.kept)])


def sum_rows(terms: Iterator[FloatArray]) -> FloatArray:
    total = next(terms)
    for term in terms:
        total = total + term
    return total


def joint_sums(effect: Effect, other: Effect, rows: FloatArray) -> FloatArray:
    """Sum of a row vector at each pair of levels of two effects of different factors."""
    m = effect.place.stop - effect.place.start
    n = other.place.stop - other.place.start
    return count_sums(effect.codes * n + other.codes, rows, m * n).reshape(m, n)


def cholesky(matrix: FloatArray) -> FloatArray:
    """Lower Cholesky factor in the place of the matrix, whose upper triangle is read.

    An empty matrix stays empty.
    """
    if not len(matrix):
        return matrix
    factor, info = lapack.dpotrf(matrix.T, lower=1, clean=1, overwrite_a=1)
    if info:
        raise np.linalg.LinAlgError("the curvature of the random effects is not positive definite")
    return np.asarray(factor)


def invert_cholesky(factor: FloatArray) -> FloatArray:
    """The inverse of the matrix that has this lower Cholesky factor."""
    if not len(factor):
        return factor
    inverse = lapack.dpotri(factor, lower=1)[0]
    for start in range(0, len(inverse), STRIP):  # narrow strips stay in the cache
        stop = start + STRIP
        inverse[start:stop, stop:] = inverse[stop:, start:stop].T
        corner = inverse[start:stop, start:stop]
        corner += np.tril(corner, -1).T
    return np.asarray(inverse.T)  # symmetric, in the order of C
