"""How well a feature of a served image tells AI from real: AUC, interval, false alarms.

A feature's AUC is cross-validated by leaving two out (Airola et al., 2011, Computational
Statistics & Data Analysis 55, 1828-1844): for each AI image and each real one, both are scored by
a kernel mean of the labels of all others, and the AUC is the share of such couples in which the
AI image has the higher score, ties counting half. Where images are matched, the partners of both
are left out too: they are alike in much and have the other label. Other than with leave-one-out
or pooled folds, the expectation for a feature that says nothing is one half. The kernel finds
leaks of any form, also one where AI images lie in the middle; an AUC below one half is chance.

Whether a feature leaks is decided by permutation tests (Westfall and Young, 1993, min-p): the
labels are shuffled, and a feature leaks where at most a share `ALPHA` of the shuffles has *any*
feature that goes with the labels as closely. A number is tested for a trend (rank sum), and every
feature for likeness within an origin (a quadratic form of the kernel). Differences within pairs
are a family of their own, in which labels are swapped within pairs; each family gets half of
ALPHA. So an audit of images that give nothing away raises a false alarm with probability ALPHA at
most, however many features it looks at and however they depend on one another. The price is that
a weak leak is missed in a small set: the intervals show how much could be there.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import rankdata

from .served import Feature

Labels = NDArray[np.bool_]
Matrix = NDArray[np.float64]

ALPHA = 0.001
PERMUTATIONS = 49_999
_AT_ONCE = 5_000
# How far apart (in shares of all images, ordered) two images still inform each other.
_BANDWIDTH = 0.1
# Weight of the overall share of AI images where an image has hardly any like it.
_PRIOR = 0.5
_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Leakage:
    """The AUC of one feature, its 95 % interval and the number of images it rests on."""

    auc: float
    low: float
    high: float
    n: int
    is_vague: bool  # too few images to conclude


@dataclass(frozen=True, slots=True)
class Design:
    """Who is AI (True), and which images belong to a pair: equal numbers, -1 for none."""

    is_ai: Labels
    pair: NDArray[np.int64]

    def mixed_pairs(self) -> list[NDArray[np.intp]]:
        """Return the members of each pair that holds both AI and real images."""
        pairs = [np.flatnonzero(self.pair == pair) for pair in np.unique(self.pair) if pair >= 0]
        return [members for members in pairs if len(set(self.is_ai[members])) == 2]

    def units(self) -> NDArray[np.int64]:
        """Return a number for each image that only the members of its mixed pair share."""
        unit = np.arange(len(self.is_ai), dtype=np.int64)
        for members in self.mixed_pairs():
            unit[members] = members[0]
        return unit

    def shuffled(self, rng: np.random.Generator, count: int) -> Matrix:
        """Return the labels (1 = AI), first as they are, then shuffled ``count`` times."""
        return _permuted(self.is_ai, [np.arange(len(self.is_ai))], rng, count)

    def swapped(self, rng: np.random.Generator, count: int) -> Matrix:
        """Return the same, but shuffled within mixed pairs only."""
        return _permuted(self.is_ai, self.mixed_pairs(), rng, count)


def _permuted(
    is_ai: Labels, groups: list[NDArray[np.intp]], rng: np.random.Generator, count: int
) -> Matrix:
    labels = np.tile(is_ai.astype(np.float64), (count + 1, 1))
    for group in groups:
        labels[1:, group] = rng.permuted(labels[1:, group], axis=1)
    return labels


def _joined(groups: list[NDArray[np.intp]]) -> NDArray[np.intp]:
    return np.concatenate(groups) if groups else np.array([], dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Similarity:
    """A feature as a classifier sees it: how alike the images are, of those that have it."""

    name: str
    group: str
    matrix: Matrix
    rows: NDArray[np.intp]  # the images, as positions in the design
    unit: NDArray[np.int64]  # equal for the images of a matched pair
    places: NDArray[np.float64] | None = None  # of a number, in its order
    is_paired: bool = False

    def auc(self, is_ai: Labels) -> float:
        """Return the cross-validated AUC."""
        return leave_two_out_auc(self.matrix, self.unit, is_ai[self.rows])

    def statistics(self, labels: Matrix) -> list[NDArray[np.float64]]:
        """Return how closely each row of labels goes with the feature, in one or two ways."""
        own = labels[:, self.rows]
        own = own - own.mean(axis=1, keepdims=True)
        found = [np.asarray(np.einsum("ij,ij->i", own @ self.matrix, own))]
        if self.places is not None:
            found.append(np.abs(own @ self.places))
        # Sums in another order must still count as ties.
        return [each.round(9) for each in found]


def similarity(feature: Feature, design: Design) -> Similarity:
    """Return how alike each two images are in one feature, 0 to 1; 0 for partners in a pair."""
    places = None
    if feature.kind == "number":
        places = _places(np.array(feature.values, dtype=np.float64))
        matrix = _closeness(places)
    elif feature.kind == "category":
        codes = np.unique(np.array(feature.values, dtype=str), return_inverse=True)[1].ravel()
        matrix = (codes[:, None] == codes[None, :]).astype(np.float64)
    else:
        matrix = _overlap([value for value in feature.values if isinstance(value, frozenset)])
    unit = design.units()
    matrix[unit[:, None] == unit[None, :]] = 0
    return Similarity(feature.name, feature.group, matrix, np.arange(len(unit)), unit, places)


def similarity_within_pairs(feature: Feature, design: Design) -> Similarity | None:
    """Return the same for the differences within pairs, which a participant sees side by side.

    The size of a file depends on its motif more than on its origin; between a photograph and its
    enhanced version the difference alone remains. None where there are no pairs or differences.
    """
    rows = _joined(design.mixed_pairs())
    if feature.kind != "number" or len(rows) == 0:
        return None
    values = np.array([feature.values[i] for i in rows], dtype=np.float64)
    unit = design.units()[rows]
    means = {pair: values[unit == pair].mean() for pair in np.unique(unit)}
    centred = values - np.array([means[pair] for pair in unit])
    if not centred.any():
        return None
    places = _places(centred)
    matrix = _closeness(places)
    matrix[unit[:, None] == unit[None, :]] = 0
    name = f"{feature.name} within pairs"
    return Similarity(name, feature.group, matrix, rows, unit, places, is_paired=True)


def leave_two_out_auc(matrix: Matrix, unit: NDArray[np.int64], is_ai: Labels) -> float:
    """Return the share of (AI, real) couples that all other images put into the right order.

    `matrix` holds 0 between images of one `unit`. For a couple (i, j) the labels of i's unit and
    j's unit are left out of both scores.
    """
    ai, real = np.flatnonzero(is_ai), np.flatnonzero(~is_ai)
    member = (unit[:, None] == np.unique(unit)[None, :]).astype(np.float64)
    place = np.searchsorted(np.unique(unit), unit)
    to_unit, to_unit_ai = matrix @ member, matrix @ (member * is_ai[:, None])
    weight, weight_ai = matrix.sum(axis=1), matrix[:, ai].sum(axis=1)
    prior = _PRIOR * is_ai.mean()

    def scores(own: NDArray[np.intp], other: NDArray[np.intp]) -> Matrix:
        total = weight[own, None] - to_unit[np.ix_(own, place[other])] + _PRIOR
        total_ai = weight_ai[own, None] - to_unit_ai[np.ix_(own, place[other])] + prior
        return np.asarray(total_ai / total)

    difference = scores(ai, real) - scores(real, ai).T
    return float((difference > _TIE).mean() + (np.abs(difference) <= _TIE).mean() / 2)


def auc_interval(auc: float, n_ai: int, n_real: int, level: float = 0.95) -> tuple[float, float]:
    """Return Newcombe's interval for an AUC, within [0, 1] also where the AUC is 0 or 1.

    The limits are those AUCs from which the observed one differs by z standard errors of Hanley
    and McNeil, whose sample sizes are replaced by their mean in the two shape terms: method 5 of
    Newcombe (2006), Statistics in Medicine 25, 559-573. It takes the images as independent and
    the scores as given.
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    mean_less_one = (n_ai + n_real) / 2 - 1

    def excess(theta: float) -> float:
        shape = (1 - theta) / (2 - theta) + theta / (1 + theta)
        variance = theta * (1 - theta) * (1 + mean_less_one * shape) / (n_ai * n_real)
        return abs(auc - theta) - z * float(np.sqrt(variance))

    # At 0 and 1 the standard error is 0: these ends of the scale are no limits.
    low = 0.0 if auc <= 0 else float(brentq(excess, 1e-12, min(auc, 1 - 1e-12)))
    high = 1.0 if auc >= 1 else float(brentq(excess, max(auc, 1e-12), 1 - 1e-12))
    return low, high


def too_few(n_ai: int, n_real: int) -> bool:
    """Return whether the interval of a feature that says nothing is wider than 0.5."""
    low, high = auc_interval(0.5, n_ai, n_real)
    return high - low > 0.5


def leakage(seen: Similarity, is_ai: Labels) -> Leakage:
    """Return AUC, interval and n of one feature."""
    auc = seen.auc(is_ai)
    n_ai = int(is_ai[seen.rows].sum())
    n_real = len(seen.rows) - n_ai
    return Leakage(auc, *auc_interval(auc, n_ai, n_real), n_ai + n_real, too_few(n_ai, n_real))


def adjusted_p(features: Sequence[Similarity], labels: Matrix) -> list[float]:
    """Return the p-value of each feature, adjusted for all of the family.

    `labels` holds the true labels in its first row, which counts as one of the shuffles: so the
    test is exact.
    """
    smallest = np.array([_own_p(feature, labels) for feature in features])
    any_feature = np.sort(smallest.min(axis=0))
    counts = np.searchsorted(any_feature, smallest[:, 0], side="right")
    return [float(count) / len(labels) for count in counts]


def _own_p(feature: Similarity, labels: Matrix) -> NDArray[np.float64]:
    """Return the smaller p-value of a feature's statistics, for each row of labels."""
    parts = [
        feature.statistics(labels[start : start + _AT_ONCE])
        for start in range(0, len(labels), _AT_ONCE)
    ]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    shares = [rankdata(-column, method="max") / len(labels) for column in columns]
    return np.asarray(np.min(shares, axis=0))


def _places(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rankdata(values) / len(values))


def _closeness(places: NDArray[np.float64]) -> Matrix:
    return np.asarray(np.exp(-0.5 * ((places[:, None] - places[None, :]) / _BANDWIDTH) ** 2))


def _overlap(sets: list[frozenset[str]]) -> Matrix:
    """Return the squared share of common elements, those of most images counting little.

    What only one image has says nothing of others: random filling holds many such words.
    """
    counts = Counter(element for elements in sets for element in elements)
    shared = sorted(element for element, count in counts.items() if count > 1)
    present = np.array([[element in elements for element in shared] for elements in sets], float)
    rarity = np.log(len(sets) / np.array([counts[element] for element in shared]))
    common = (present * rarity) @ present.T
    own = np.diag(common)
    union = own[:, None] + own[None, :] - common
    return np.asarray(np.where(union > _TIE, common / np.maximum(union, _TIE), 0) ** 2)
