"""Ranking by paired comparisons: Bradley-Terry, and Davidson where ties are allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, sparse, stats
from scipy.sparse.csgraph import connected_components

from analysis.clustered import multiway_meat, number_levels
from analysis.estimate import Estimate
from analysis.mixed.layout import cholesky, invert_cholesky
from analysis.threads import one_thread

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

MOST_STEPS = 100
TOLERANCE = 1e-10  # expected further gain in log-likelihood, a comparison


@dataclass(frozen=True)
class Ranking:
    """Fitted strengths.

    Attributes
    ----------
    names : ndarray, shape (k,)
        What was ranked, sorted.
    scores : ndarray, shape (k,)
        Log-strengths that sum to zero; differences are log-odds of winning (given no tie).
    cov : ndarray, shape (k, k)
        Their covariance, cluster-robust where groups were given.
    tie : float
        Davidson's log ν; minus infinity without ties.
    log_likelihood : float
    df : float
        One less than the smallest factor has levels; infinite without groups.
    subtracted : bool
        As for `analysis.clustered.ClusteredFit`.
    """

    names: NDArray[np.generic]
    scores: FloatArray
    cov: FloatArray
    tie: float
    log_likelihood: float
    df: float
    subtracted: bool

    def estimate(self, name: str, reference: str | None = None) -> Estimate:
        """Log-strength of one, against another or against the mean of all."""
        weights = (self.names == name).astype(float)
        if reference is not None:
            weights -= self.names == reference
        variance = float(weights @ self.cov @ weights)
        return Estimate(float(weights @ self.scores), max(variance, 0.0) ** 0.5, self.df)

    def ranks(self, level: float = 0.95) -> tuple[IntArray, IntArray]:
        """Simultaneous intervals of the ranks, 1 for the strongest: best and worst, shape (k,).

        All pairs are compared at once (Bonferroni). A rank is one more than the number of those
        that are certainly stronger, and at worst k less those that are certainly weaker; all k
        intervals hold together at `level` (Klein, Wright and Wieczorek, 2020,
        doi:10.1111/rssa.12536).
        """
        return simultaneous_ranks(self.scores, self.cov, self.df, level)


def simultaneous_ranks(
    scores: FloatArray, cov: FloatArray, df: float, level: float
) -> tuple[IntArray, IntArray]:
    """As `Ranking.ranks`, of any scores with their covariance."""
    count = len(scores)
    pairs = count * (count - 1) / 2
    critical = stats.t.isf((1 - level) / 2 / pairs, df)
    ahead = scores[:, None] - scores
    reach = critical * np.sqrt(np.maximum(_pair_variances(cov), 0))
    stronger, weaker = (ahead < -reach).sum(axis=1), (ahead > reach).sum(axis=1)
    return 1 + stronger, count - weaker


def equality_test(
    scores: FloatArray, cov: FloatArray, df: float, *, robust: bool = False
) -> float | None:
    """p-value of the test that all scores are the same; None where there is no such test.

    A Wald test (F on `df`). Where `robust`, every element of the covariance was estimated from
    clusters and not from one pooled variance, and Hotelling's F counts what that costs: with q
    differences it is F times (df - q + 1) / df, on q and df - q + 1.

    There is no test where several clusters leave a difference of scores without a positive
    variance, or where there are too few of them.
    """
    size = len(scores)
    differences = np.eye(size)[1:] - np.eye(size)[0]
    effect, spread = differences @ scores, differences @ cov @ differences.T
    if not np.isfinite(spread).all() or np.linalg.eigvalsh(spread)[0] <= 0:
        return None
    statistic = float(effect @ np.linalg.solve(spread, effect)) / (size - 1)
    if not robust or np.isinf(df):
        return float(stats.f.sf(statistic, size - 1, df))
    left = df - size + 2
    if left < 1:
        return None
    return float(stats.f.sf(statistic * left / df, size - 1, left))


@one_thread
def rank(
    first: ArrayLike,
    second: ArrayLike,
    outcome: ArrayLike,
    groups: Mapping[str, ArrayLike] | None = None,
) -> Ranking:
    r"""Fit strengths to paired comparisons by Newton's method on the matrix of wins.

    .. math:: P(i \text{ wins}) = \frac{e^{s_i}}{D}, \quad
              P(\text{tie}) = \frac{\nu e^{(s_i + s_j)/2}}{D}, \quad
              D = e^{s_i} + e^{s_j} + \nu e^{(s_i + s_j)/2}

    Parameters
    ----------
    first, second : array_like, shape (n,)
        Names of the two that were compared.
    outcome : array_like, shape (n,)
        1 where the first won, -1 where the second won, 0 for a tie.
    groups : mapping of str to array_like, shape (n,), optional
        Factors to which the covariance is robust, such as participant and pair. Without them
        every comparison counts as independent.

    Returns
    -------
    Ranking

    Raises
    ------
    ValueError
        If lengths differ, something is compared with itself, an outcome is something else, or
        the wins do not tie everything together, so that no finite strengths exist.

    References
    ----------
    Bradley and Terry (1952), doi:10.2307/2334029; Davidson (1970), doi:10.2307/2283595.
    """
    names, one, two, winner = _numbered(first, second, outcome)
    size = len(names)
    counts = _Counts.of(one, two, winner, size)
    counts.check_connected()
    scores, tie = _maximise(counts)
    terms = _Terms.at(counts, scores, tie)
    cov, df, subtracted = invert_cholesky(cholesky(terms.information)), np.inf, True
    if groups:
        residuals = _score_rows(one, two, winner, scores, tie, size)
        codes = [number_levels(labels) for labels in groups.values()]
        cov, subtracted = _robust(cov, residuals, codes)
        df = min(int(code.max()) for code in codes)
    cov = _centred(cov[:size, :size])
    return Ranking(names, scores, cov, tie, terms.log_likelihood, df, subtracted)


def _numbered(
    first: ArrayLike, second: ArrayLike, outcome: ArrayLike
) -> tuple[NDArray[np.generic], IntArray, IntArray, FloatArray]:
    """The names in order, the numbers of the two compared in each row, and the outcome; checked."""
    winner = np.asarray(outcome, dtype=np.float64)
    labels = np.concatenate([np.asarray(first), np.asarray(second)])
    names, both = np.unique(labels, return_inverse=True)
    if len(both) != 2 * len(winner) or len(np.asarray(first)) != len(winner):
        raise ValueError("first, second and outcome must have the same number of rows")
    one, two = both[: len(winner)].astype(np.intp), both[len(winner) :].astype(np.intp)
    if not np.isin(winner, (-1, 0, 1)).all():
        raise ValueError("an outcome must be 1, 0 or -1")
    if (one == two).any():
        raise ValueError("something is compared with itself")
    return names, one, two, winner


@dataclass(frozen=True)
class _Counts:
    """Every pair that was compared, its lower number first, and how its comparisons ended."""

    size: int
    low: IntArray
    high: IntArray
    wins: FloatArray  # of the lower number
    losses: FloatArray
    ties: FloatArray

    @classmethod
    def of(cls, one: IntArray, two: IntArray, winner: FloatArray, size: int) -> _Counts:
        low, high = np.minimum(one, two), np.maximum(one, two)
        pairs, codes = np.unique(low * size + high, return_inverse=True)
        ahead = np.where(one == low, winner, -winner)
        ended = [
            np.bincount(codes, ahead == result, len(pairs)).astype(float) for result in (1, -1, 0)
        ]
        return cls(size, pairs // size, pairs % size, *ended)

    def check_connected(self) -> None:
        """Finite strengths exist when each can be reached from each by wins or ties."""
        better = np.concatenate([self.low, self.high])
        worse = np.concatenate([self.high, self.low])
        won = np.concatenate([self.wins, self.losses]) + np.tile(self.ties, 2)
        reached = sparse.csr_array((won, (better, worse)), shape=(self.size, self.size))
        reached.eliminate_zeros()
        parts, _ = connected_components(reached, connection="strong")
        if parts > 1:
            raise ValueError(
                f"the comparisons fall into {parts} parts of which none both won and lost "
                "against the rest: no finite strengths exist"
            )

    def spread(self, values: FloatArray) -> FloatArray:
        """Sum of a value a pair over the pairs of each, with a minus for the higher number."""
        sums = np.bincount(self.low, values, self.size) - np.bincount(self.high, values, self.size)
        return np.asarray(sums, dtype=np.float64)

    def laplacian(self, weights: FloatArray) -> FloatArray:
        """The matrix of the sum over pairs of weight times (s_low - s_high) squared."""
        cells = np.bincount(self.low * self.size + self.high, weights, self.size**2)
        matrix = -cells.reshape(self.size, self.size)
        matrix += matrix.T
        matrix[np.diag_indices(self.size)] = -matrix.sum(axis=1)
        return np.asarray(matrix, dtype=np.float64)


@dataclass(frozen=True)
class _Terms:
    """Log-likelihood, gradient and information; the last parameter is the tie's if there are any.

    The information has a constant added along the direction in which all strengths move
    together, which the data say nothing about.
    """

    log_likelihood: float
    gradient: FloatArray
    information: FloatArray

    @classmethod
    def at(cls, counts: _Counts, scores: FloatArray, tie: float) -> _Terms:
        difference = scores[counts.low] - scores[counts.high]
        win, lose, draw, log_total = chances(difference, tie)
        balance, drawn = counts.wins - counts.losses, float(counts.ties.sum())
        compared = counts.wins + counts.losses + counts.ties
        value = float(balance @ difference / 2 - compared @ log_total)
        gradient = counts.spread((balance - compared * (win - lose)) / 2)
        information = counts.laplacian(compared * (win + lose - (win - lose) ** 2) / 4)
        information += 1 / counts.size
        if drawn == 0:
            return cls(value, gradient, information)
        cross = counts.spread(-compared * (win - lose) * draw / 2)[:, None]
        corner = np.array([[float(compared @ (draw * (1 - draw)))]])
        return cls(
            value + tie * drawn,
            np.append(gradient, drawn - float(compared @ draw)),
            np.block([[information, cross], [cross.T, corner]]),
        )


def chances(
    difference: FloatArray, tie: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Chances of win, loss and tie at a difference of scores, and the log of their common sum.

    The sum is that of exp(d/2), exp(-d/2) and ν.
    """
    up, draw = np.exp(difference / 2), np.exp(tie)
    total = up + 1 / up + draw
    return up / total, 1 / (up * total), draw / total, np.log(total)


def _maximise(counts: _Counts) -> tuple[FloatArray, float]:
    """Newton's method with halved steps; the log-likelihood is concave."""
    size, drawn = counts.size, float(counts.ties.sum())
    decided = float(counts.wins.sum() + counts.losses.sum())
    share = drawn / max(decided, 0.5)
    parameters = np.append(np.zeros(size), np.log(2 * share)) if drawn else np.zeros(size)
    total = drawn + decided

    def terms_at(point: FloatArray) -> _Terms:
        return _Terms.at(counts, point[:size], float(point[size]) if drawn else -np.inf)

    terms = terms_at(parameters)
    for _ in range(MOST_STEPS):
        step = linalg.cho_solve((cholesky(terms.information), True), terms.gradient)
        gain = float(terms.gradient @ step)
        moved = terms_at(parameters + step)
        while moved.log_likelihood < terms.log_likelihood and gain > TOLERANCE * total:
            step = step / 2
            gain = gain / 2
            moved = terms_at(parameters + step)
        parameters, terms = parameters + step, moved
        if gain <= TOLERANCE * total:
            break
    return parameters[:size], float(parameters[size]) if drawn else -np.inf


def _score_rows(
    one: IntArray, two: IntArray, winner: FloatArray, scores: FloatArray, tie: float, size: int
) -> sparse.csr_array:
    """Each comparison's contribution to the gradient, one row each."""
    win, lose, draw, _ = chances(scores[one] - scores[two], tie)
    lead = (winner - (win - lose)) / 2
    rows = np.arange(len(one))
    columns, values, row = [one, two], [lead, -lead], [rows, rows]
    if np.isfinite(tie):
        columns.append(np.full(len(one), size, dtype=np.intp))
        values.append((winner == 0) - draw)
        row.append(rows)
    cells = (np.concatenate(values), (np.concatenate(row), np.concatenate(columns)))
    return sparse.csr_array(cells, shape=(len(one), size + bool(np.isfinite(tie))))


def _robust(
    bread: FloatArray, rows: sparse.csr_array, codes: list[IntArray]
) -> tuple[FloatArray, bool]:
    meat, single = multiway_meat(rows, codes)
    cov = bread @ meat @ bread
    variances = _pair_variances(cov)
    if variances[np.triu_indices(len(cov), 1)].min() > 0:
        return cov, True
    return bread @ single @ bread, False


def _pair_variances(cov: FloatArray) -> FloatArray:
    """Variance of every difference of two scores."""
    own = np.diagonal(cov)
    return np.asarray(own[:, None] + own - 2 * cov)


def _centred(cov: FloatArray) -> FloatArray:
    """The covariance of scores from which their mean is taken away."""
    return np.asarray(cov - cov.mean(axis=0) - cov.mean(axis=1)[:, None] + cov.mean())
