"""Signs of inattention and of programs. They become flags, which never drop anybody.

What the browser sees of one response (fast, focus_lost) it flags itself. Here is what takes more
than one response, or the way in.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.core import signing

from analysis import binomial

#: Nobody reads the consent and ticks two boxes faster.
MIN_SECONDS = 4
#: Fewer responses of one kind say nothing about a habit.
ENOUGH = 10
#: A coin leans as far to one side less often than this.
RARELY = 0.001

SALT = "survey.opened"


class Given(NamedTuple):
    """One response as the habits look at it."""

    block_key: str
    task: str
    response: str


def opened_now() -> str:
    """When the consent page was made, signed."""
    return signing.dumps(time.time(), salt=SALT)


def on_entry(*, honeypot: str, opened: str, webdriver: str) -> list[str]:
    """Flags of the way in: what was filled in that nobody can see, how fast, with what."""
    signs = {
        "honeypot": bool(honeypot),
        "too_fast_start": 0 <= _seconds_since(opened) < MIN_SECONDS,
        "webdriver": webdriver == "true",
    }
    return [name for name, seen in signs.items() if seen]


def _seconds_since(opened: str) -> float:
    """How long the page was open; 0 for whoever sends the form without the page.

    Less than 0 where the server's clock was set back meanwhile: that says nothing of anybody.
    """
    try:
        return time.time() - float(signing.loads(opened, salt=SALT))
    except signing.BadSignature:
        return 0.0


def on_completion(given: Sequence[Given]) -> list[str]:
    """Flags of habits over all responses of a participant."""
    signs = {"side_bias": has_side_bias(given), "straight_lining": is_straight_lining(given)}
    return [name for name, seen in signs.items() if seen]


def has_side_bias(given: Iterable[Given]) -> bool:
    """Whether left or right was chosen far more often than a coin would."""
    sides = Counter(one.response for one in given if one.task.endswith("_pair"))
    left, n = sides["left"], sides["left"] + sides["right"]
    return n >= ENOUGH and 2 * binomial.upper_tail(max(left, n - left), n) < RARELY


def is_straight_lining(given: Iterable[Given]) -> bool:
    """Whether all responses of some block are the same."""
    blocks: dict[str, list[str]] = {}
    for one in given:
        blocks.setdefault(one.block_key, []).append(one.response)
    return any(len(all_) >= ENOUGH and len(set(all_)) == 1 for all_ in blocks.values())
