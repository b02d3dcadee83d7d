"""The crossed random factors of a set of trials: who responded, and to what."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.schema import PAIR_TASKS
from analysis.texts import Message

FEW_ITEMS = 30
Codes = NDArray[np.int64]


def crossed(rows: pd.DataFrame) -> dict[str, Codes]:
    """Level numbers of participant and item, from 0, for each row.

    Matched pairs are one item. Where photographs and AI images were paired at random, both are
    crossed with the participants. Where any row lacks its item, or there is a single one, only
    the participants are there.
    """
    factors = {"participant": numbered(rows["participant_id"])}
    items = {name: numbered(column) for name, column in _items(rows).items()}
    known = all((codes >= 0).all() and codes.max(initial=0) > 0 for codes in items.values())
    return {**factors, **items} if known else factors


def has_items(factors: Mapping[str, Codes]) -> bool:
    """Whether more than the participants could be modelled."""
    return len(factors) > 1


def n_items(factors: Mapping[str, Codes]) -> int:
    """The fewest levels among the item factors; 0 without any."""
    return min(
        (int(codes.max()) + 1 for name, codes in factors.items() if name != "participant"),
        default=0,
    )


def limits(factors: Mapping[str, Codes], what: Message) -> list[Message]:
    """What the reader has to know about few or nameless items."""
    if not has_items(factors):
        return [
            Message(
                "{what}: not every trial names its image, or there is only one, so only the "
                "participants could be modelled. No verdict goes beyond undecided.",
                {"what": what},
            )
        ]
    count = n_items(factors)
    if count < FEW_ITEMS:
        return [
            Message(
                "{what}: there are only {count} images or pairs. Below {enough} the results may "
                "not carry over to other images, and the intervals are wide.",
                {"what": what, "count": count, "enough": FEW_ITEMS},
            )
        ]
    return []


def _items(rows: pd.DataFrame) -> dict[str, pd.Series]:
    if not rows["task"].isin(PAIR_TASKS).all():
        return {"item": rows["item"]}
    if "pair_id" in rows and rows["pair_id"].notna().all():
        return {"item": rows["item"]}
    sides = _by_origin(rows)
    if sides is None or len(sides.drop_duplicates()) == sides.nunique().max():
        return {"item": rows["item"]}  # each real one always beside the same other one
    return {"real_item": sides["real"], "ai_item": sides["ai"]}


def _by_origin(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Stimuli of a pair by what they are instead of by side."""
    if not {"left_stimulus_id", "right_stimulus_id"} <= set(rows.columns):
        return None
    real_left = rows["left_origin"] == "real"
    left = rows["left_stimulus_id"].astype(object)
    right = rows["right_stimulus_id"].astype(object)
    return pd.DataFrame({"real": left.where(real_left, right), "ai": right.where(real_left, left)})


def numbered(column: pd.Series) -> Codes:
    """Numbers from 0 without gaps, -1 where a value is missing."""
    codes: Codes = pd.factorize(column)[0].astype(np.int64)
    return codes
