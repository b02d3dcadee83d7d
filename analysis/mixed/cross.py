"""The block of H where the eliminated factor meets the others: dense, or only where they meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
Spread = Callable[[FloatArray], FloatArray]

# Below this many entries, or where at least one entry in twelve is filled, dense BLAS is faster.
DENSE_ENTRIES = 200_000
DENSE_FILL = 12
CHUNK_ENTRIES = 250_000  # of the inverse, gathered at once: they should stay in the cache


def keep(values: FloatArray) -> FloatArray:
    """The spread of a value a level over vectors that have one entry a level."""
    return values


def count_sums(codes: IntArray, rows: FloatArray, size: int) -> FloatArray:
    """Sum of a row vector for each code."""
    return np.bincount(codes, rows, size).astype(np.float64, copy=False)


class Blocks:
    """Cholesky factors of many small matrices, one a level of the eliminated factor.

    Arrays have shape (width, width, levels); `spread` carries a value per level to the shape of
    what it is multiplied with.
    """

    def __init__(self, matrices: FloatArray) -> None:
        self.width = len(matrices)
        self.lower = np.zeros_like(matrices)
        for r in range(self.width):
            for s in range(r + 1):
                rest = matrices[r, s] - (self.lower[r, :s] * self.lower[s, :s]).sum(axis=0)
                self.lower[r, s] = np.sqrt(rest) if r == s else rest / self.lower[s, s]

    @property
    def log_determinant(self) -> float:
        return 2 * sum(float(np.log(self.lower[r, r]).sum()) for r in range(self.width))

    def forward(self, right: FloatArray, spread: Spread) -> FloatArray:
        """L⁻¹ right."""
        solved = np.empty_like(right)
        for r in range(self.width):
            rest = right[r]
            for s in range(r):
                rest = rest - spread(self.lower[r, s]) * solved[s]
            np.divide(rest, spread(self.lower[r, r]), out=solved[r])
        return solved

    def backward(self, right: FloatArray, spread: Spread) -> FloatArray:
        """L'⁻¹ right."""
        solved = np.empty_like(right)
        for r in reversed(range(self.width)):
            rest = right[r]
            for s in range(r + 1, self.width):
                rest = rest - spread(self.lower[s, r]) * solved[s]
            np.divide(rest, spread(self.lower[r, r]), out=solved[r])
        return solved

    def invert(self) -> FloatArray:
        """The inverses of the matrices themselves, shape (width, width, levels)."""
        levels = self.lower.shape[2]
        inverse = np.empty_like(self.lower)
        for s in range(self.width):
            unit = np.zeros((self.width, levels))
            unit[s] = 1
            inverse[:, s] = self.backward(self.forward(unit, keep), keep)
        return inverse


class DenseCross:
    """Every level of the eliminated factor against every other effect."""

    def __init__(self, rows: IntArray, columns: Sequence[IntArray], height: int, width: int):
        self.height, self.width = height, width
        self.columns = list(columns)
        self.cells = [rows * width + column for column in columns]

    def fill(self, own: Sequence[FloatArray], other: Sequence[FloatArray | float]) -> FloatArray:
        """Sums over rows of own times other, shape (width of own, height, width)."""
        size = self.height * self.width
        filled = np.zeros((len(own), size))
        for r, weighted in enumerate(own):
            for value, cell in zip(other, self.cells, strict=True):
                filled[r] += count_sums(cell, weighted * value, size)
        return filled.reshape(len(own), self.height, self.width)

    def spread(self, level: FloatArray) -> FloatArray:
        return level[:, None]

    def subtract_gram(self, matrix: FloatArray, block: FloatArray) -> None:
        """Take block' block from the upper triangle, summed over the eliminated effects."""
        flat = block.reshape(len(block) * self.height, self.width)
        matrix -= flat.T @ flat

    def times(self, block: FloatArray, right: FloatArray) -> FloatArray:
        return np.asarray(block @ right)

    def transposed_times(self, block: FloatArray, left: FloatArray) -> FloatArray:
        return np.asarray(left.ravel() @ block.reshape(left.size, self.width))

    def times_at_cells(self, block: FloatArray, right: FloatArray) -> FloatArray:
        """block right, for a symmetric matrix `right`, where it is needed."""
        return np.asarray(block @ right)

    def row_products(self, block: FloatArray, other: FloatArray) -> FloatArray:
        """The sum of block times other in each row."""
        return np.asarray(np.einsum("ij,ij->i", block, other))


class SparseCross:
    """Only the cells in which a level of the eliminated factor meets another effect."""

    def __init__(self, rows: IntArray, columns: Sequence[IntArray], height: int, width: int):
        self.height, self.width = height, width
        self.columns = list(columns)
        flat = np.concatenate([rows * width + column for column in columns])
        met, inverse = np.unique(flat, return_inverse=True)
        self.cells = np.split(inverse.astype(np.intp), len(columns))
        self.row: IntArray = met // width
        self.column: IntArray = met % width
        self.pointers = np.searchsorted(self.row, np.arange(height + 1))

    def fill(self, own: Sequence[FloatArray], other: Sequence[FloatArray | float]) -> FloatArray:
        size = len(self.row)
        filled = np.zeros((len(own), size))
        for r, weighted in enumerate(own):
            for value, cell in zip(other, self.cells, strict=True):
                filled[r] += count_sums(cell, weighted * value, size)
        return filled

    def spread(self, level: FloatArray) -> FloatArray:
        return level[self.row]

    def subtract_gram(self, matrix: FloatArray, block: FloatArray) -> None:
        """As many products as a sparse one has, half of them, without its search for the cells."""
        flat = matrix.reshape(-1, copy=False)
        for positions, real in self._chunks():
            first, second = np.triu_indices(positions.shape[1])
            columns = self.column[positions]
            cells = (columns[:, first] * self.width + columns[:, second]).ravel()
            for values in block:
                padded = np.where(real, values[positions], 0.0)
                np.subtract.at(flat, cells, (padded[:, first] * padded[:, second]).ravel())

    def times(self, block: FloatArray, right: FloatArray) -> FloatArray:
        return np.asarray(self._stacked(block) @ right).reshape(len(block), self.height)

    def transposed_times(self, block: FloatArray, left: FloatArray) -> FloatArray:
        return np.asarray(left.ravel() @ self._stacked(block))

    def times_at_cells(self, block: FloatArray, right: FloatArray) -> FloatArray:
        met, flat = np.empty_like(block), right.ravel()
        for positions, real in self._chunks():
            columns = self.column[positions]
            table = flat.take(columns[:, :, None] * self.width + columns[:, None, :])
            for r, values in enumerate(block):
                padded = np.where(real, values[positions], 0.0)
                products = (padded[:, None, :] @ table)[:, 0]
                met[r][positions[real]] = products[real]
        return met

    def row_products(self, block: FloatArray, other: FloatArray) -> FloatArray:
        return np.add.reduceat(block * other, self.pointers[:-1])

    def _stacked(self, block: FloatArray) -> sparse.csr_array:
        """The block's effects below one another, as one sparse matrix."""
        copies = len(block)
        rows = [self.pointers[:-1] + r * len(self.row) for r in range(copies)]
        pointers = np.concatenate([*rows, [copies * len(self.row)]])
        shape = (copies * self.height, self.width)
        return sparse.csr_array(
            (block.ravel(), np.tile(self.column, copies), pointers), shape=shape
        )

    def _chunks(self) -> list[tuple[IntArray, NDArray[np.bool_]]]:
        """Cell positions of similarly long rows, padded to one length, and which are real."""
        lengths = np.diff(self.pointers)
        order = np.argsort(-lengths, kind="stable")
        chunks, start = [], 0
        while start < len(order):
            longest = int(lengths[order[start]])
            stop = start + max(1, CHUNK_ENTRIES // longest**2)
            levels = order[start:stop]
            steps = np.arange(longest)
            real = steps < lengths[levels][:, None]
            positions = np.where(real, self.pointers[levels][:, None] + steps, 0)
            chunks.append((positions, real))
            start = stop
        return chunks


Cross = DenseCross | SparseCross


def choose_cross(rows: IntArray, columns: Sequence[IntArray], height: int, width: int) -> Cross:
    """The representation that is faster for this many levels and rows."""
    entries, meetings = height * width, len(rows) * len(columns)
    if entries <= max(DENSE_ENTRIES, DENSE_FILL * meetings):
        return DenseCross(rows, columns, height, width)
    return SparseCross(rows, columns, height, width)
