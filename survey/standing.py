"""How the others did who took part in the same version: nothing before enough have completed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Max, QuerySet
from django.utils.translation import gettext as _

from analysis import schema
from survey.models import Participant, Trial, Version

#: So many others must have completed before anybody hears of them.
ENOUGH = 20
CACHE_SECONDS = 3600

#: What decides whether a response was right, in the words of the database.
TRUTH = {
    "task": "task",
    "response": "answer__response",
    "left_origin": "left__origin",
    "right_origin": "right__origin",
    "origin": "stimulus__origin",
}


@dataclass(frozen=True)
class Others:
    """The scores of the others: how many they are, the median and the middle half."""

    n: int
    low: float
    median: float
    high: float
    sentence: str


def others(participant: Participant, correct: int, n: int) -> Others | None:
    """Where a score lies among those of the others who judged as many; None while they are few."""
    scores = [
        hits
        for pk, (hits, judged) in _counts(participant.version, "participant_id").items()
        if judged == n and pk != participant.pk
    ]
    if len(scores) < ENOUGH:
        return None
    low, middle, high = quantiles(scores, n=4, method="inclusive")
    return Others(len(scores), low, middle, high, _in_words(scores, correct))


def _in_words(scores: list[int], correct: int) -> str:
    """The others in one sentence, and the own place in another."""
    low, _middle, high = quantiles(scores, n=4, method="inclusive")
    values = {"n": len(scores), "median": f"{median(scores):g}"}
    told = _("The middle score of the %(n)s others is %(median)s.") % values
    if correct > high:
        place = _("You found more than most of them.")
    elif correct < low:
        place = _("Most of them found more than you.")
    else:
        place = _("You are where most of them are.")
    return _("%(told)s %(place)s") % {"told": told, "place": place}


def misses(version: Version) -> dict[str, tuple[int, int]]:
    """For each pair that enough people judged: how many missed its AI side, and how many judged."""
    return {
        code: (judged - hits, judged)
        for code, (hits, judged) in _counts(version, "pair_code").items()
        if code and judged >= ENOUGH
    }


def _completed(version: Version) -> QuerySet[Participant]:
    """Those who completed, people only; whoever withdrew is completed no more."""
    return version.participants.filter(completed_at__isnull=False, is_simulated=False)


def _counts(version: Version, by: str) -> dict[Any, tuple[int, int]]:
    """Hits and judged trials by participant or by pair, kept until somebody else completes."""
    people = _completed(version)
    seen = people.aggregate(n=Count("pk"), last=Max("completed_at"))
    if seen["n"] < ENOUGH:
        return {}
    key = f"standing/{version.pk}/{by}/{seen['n']}/{seen['last']:%Y%m%d%H%M%S%f}"
    return cache.get_or_set(key, lambda: _count(_judged(people, by), by), CACHE_SECONDS)


def _judged(people: QuerySet[Participant], by: str) -> Iterable[dict[str, Any]]:
    """The responses of detection, counted in the database by all that decides about them."""
    tasks = ["detect_pair"] if by == "pair_code" else ["detect_pair", "detect_single"]
    trials = Trial.objects.filter(participant__in=people, kind="main", task__in=tasks)
    return trials.order_by().values(by, *TRUTH.values()).annotate(times=Count("pk"))


def _count(rows: Iterable[dict[str, Any]], by: str) -> dict[Any, tuple[int, int]]:
    hits: Counter[Any] = Counter()
    judged: Counter[Any] = Counter()
    for row in rows:
        correct = schema.correct(**{name: row[column] or "" for name, column in TRUTH.items()})
        if correct is not None:
            hits[row[by]] += row["times"] * correct
            judged[row[by]] += row["times"]
    return {key: (hits[key], judged[key]) for key in judged}
