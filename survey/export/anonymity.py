"""PURE. k-anonymity by local suppression: which cells must go so that nobody stands out."""

from collections import Counter
from collections.abc import Mapping, Sequence

#: The smallest group that somebody may be found in.
K = 5


def suppressed(
    rows: Mapping[str, Sequence[str]], k: int = K, fixed: int = 0
) -> dict[str, frozenset[int]]:
    """For each row the numbers of the cells to empty, so that every row equals k - 1 others.

    An empty cell is a value like any other. The cells before number `fixed` stay as they are,
    and rows that differ there are never in one group. In the small groups the column goes first
    that tells its rows apart most. Where the empty rows themselves are too few, rows of the largest
    group join them, or all of the smallest one. Fewer than k rows lose all but the fixed cells.
    """
    new = {name: list(row) for name, row in rows.items()}
    for kept in {tuple(row[:fixed]) for row in rows.values()}:
        _suppress([row for row in new.values() if tuple(row[:fixed]) == kept], k, fixed)
    return {
        name: frozenset(i for i, cell in enumerate(row) if cell != new[name][i])
        for name, row in rows.items()
    }


def _suppress(rows: list[list[str]], k: int, fixed: int) -> None:
    if len(rows) < k:
        _empty(rows, fixed)
    while len(rows) >= k and (small := _small_groups(rows, k)):
        column = _most_telling(small, fixed)
        if column is None:
            _empty(_company(rows, k - len(small), k, fixed), fixed)
        else:
            for row in small:
                row[column] = ""


def _empty(rows: list[list[str]], fixed: int) -> None:
    for row in rows:
        row[fixed:] = [""] * (len(row) - fixed)


def _small_groups(rows: list[list[str]], k: int) -> list[list[str]]:
    sizes = Counter(map(tuple, rows))
    return [row for row in rows if sizes[tuple(row)] < k]


def _most_telling(rows: list[list[str]], fixed: int) -> int | None:
    """The column with the most different values among these rows; None when all are empty."""
    values = {i: {row[i] for row in rows} - {""} for i in range(fixed, len(rows[0]))}
    return max((i for i in values if values[i]), key=lambda i: len(values[i]), default=None)


def _company(rows: list[list[str]], missing: int, k: int, fixed: int) -> list[list[str]]:
    """Rows to be emptied so that the empty ones are no small group any more."""
    sizes = Counter(tuple(row) for row in rows if any(row[fixed:]))
    largest, size = sizes.most_common(1)[0]
    if size - missing >= k:
        return [row for row in rows if tuple(row) == largest][:missing]
    smallest = min(sizes, key=lambda group: sizes[group])
    return [row for row in rows if tuple(row) == smallest]
