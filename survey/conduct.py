"""How those who completed answered: estimates that may be peeked at, sides, flags, times.

Each of them is looked at once and remembered, as are the sums: a look costs what came since.
"""

import json
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import fmean
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from django.db.models import Count, TextField
from django.db.models.functions import Cast
from numpy.typing import NDArray

from analysis import schema, sequential
from survey import studies
from survey.kept import Kept
from survey.models import Response, Study

#: From so many participants on the asymptotic confidence sequences are shown.
FIRST_LOOK = 30
#: So many participants are newly looked at in one look; the rest follow in the next ones.
AT_ONCE = 200
#: Response times are those of the last so many who completed.
RECENT = 100
STUDIES_KEPT = 20

CHANCE = 0.5


class Key(NamedTuple):
    """What an estimate is of. Contrasts, tasks and questions are never pooled."""

    measure: str  # accuracy, ai_choice_share or left
    task: str = ""
    question: str = ""
    contrast: str = ""


LEFT = Key("left")


@dataclass(frozen=True, slots=True)
class Person:
    """What one participant who completed adds to the estimates and checks."""

    values: dict[Key, float]  # the participant's own shares
    ai_left: int
    pairs: int
    flags: dict[str, int]


@dataclass(frozen=True)
class Running:
    """A running estimate with its confidence sequence; the bounds are NaN before FIRST_LOOK."""

    key: Key
    level: float
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def n(self) -> int:
        return len(self.mean)

    @property
    def is_open(self) -> bool:
        """Whether there are participants enough for an interval."""
        return self.n >= FIRST_LOOK


@dataclass
class Sums:
    """What participants add up to, in the order in which they completed."""

    flagged: int = 0
    flags: Counter[str] = field(default_factory=Counter)
    flagged_people: Counter[str] = field(default_factory=Counter)
    pairs: int = 0
    ai_left: int = 0

    def add(self, person: Person) -> None:
        if person.flags:
            self.flagged += 1
            self.flags.update(person.flags)
            self.flagged_people.update(person.flags.keys())
        self.pairs += person.pairs
        self.ai_left += person.ai_left


@dataclass
class Conduct:
    """How those who completed answered."""

    looked_at: int
    waiting: int
    sums: Sums
    left: Running | None
    estimates: list[Running]


@dataclass
class _Memory:
    """The participants of a study who were looked at, and what those of `order` add up to."""

    people: dict[int, Person] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    sums: Sums = field(default_factory=Sums)
    series: dict[Key, "array[float]"] = field(default_factory=dict)

    def follow(self, order: list[int]) -> None:
        """Add those who are new; begin anew where anybody before them went or came."""
        if order[: len(self.order)] != self.order:
            self.people = {pk: self.people[pk] for pk in order}
            self.order, self.sums, self.series = [], Sums(), {}
        for pk in order[len(self.order) :]:
            person = self.people[pk]
            self.sums.add(person)
            for key, value in person.values.items():
                self.series.setdefault(key, array("d")).append(value)
        self.order = order


_memories: Kept[tuple[Any, ...], _Memory] = Kept(STUDIES_KEPT)
_lock = Lock()


def of(study: Study, done: Sequence[int], simulated: bool = False) -> Conduct:
    """Estimates, sides and flags over everybody who completed, given in the order of that."""
    level = 1 - _alpha(study)
    order = [*done]
    with _lock:
        memory = _memory(study, simulated)
        missing = [pk for pk in order if pk not in memory.people]
        if missing:
            memory.people |= _look_at(study, missing[:AT_ONCE])
            order = [pk for pk in order if pk in memory.people]
        memory.follow(order)
        sums = deepcopy(memory.sums)
        series = {key: np.array(values) for key, values in memory.series.items()}
    running = {key: _running(key, values, level) for key, values in sorted(series.items())}
    left = running.pop(LEFT, None)
    return Conduct(len(order), len(missing[AT_ONCE:]), sums, left, [*running.values()])


def _memory(study: Study, simulated: bool) -> _Memory:
    key = (study.pk, study.created_at, simulated)
    memory = _memories.get(key) or _Memory()
    _memories.keep(key, memory)
    return memory


def _alpha(study: Study) -> float:
    version = study.versions.last()
    return studies.frozen(version).study.analysis_plan.alpha if version else 0.05


def _running(key: Key, values: NDArray[np.float64], level: float) -> Running:
    found = sequential.asymptotic_sequence(values, alpha=1 - level, first=FIRST_LOOK)
    return Running(key, level, found.mean, found.low.clip(0, 1), found.high.clip(0, 1))


# --- one participant -----------------------------------------------------------------------------


def _look_at(study: Study, people: list[int]) -> dict[int, Person]:
    """What each of them did; the database puts responses together that count the same."""
    origins, partners = _truth(study)
    answers: dict[int, list[tuple[Any, ...]]] = {pk: [] for pk in people}
    rows = (
        Response.objects.filter(trial__participant_id__in=people)
        .order_by()
        .values_list(
            "trial__participant_id",
            "trial__kind",
            "trial__task",
            "trial__question",
            "response",
            "trial__left__origin",
            "trial__right__origin",
            "trial__stimulus_id",
            Cast("flags", TextField()),
        )
    )
    for pk, kind, task, question, response, left, right, single, flags, n in rows.annotate(
        n=Count("pk")
    ):
        shown = (left or "", right or "", origins.get(single, ""))
        judged = _judge(task, response, *shown, partners.get(single, ""))
        answers[pk].append((kind, task, question, response, shown, judged, _names(flags), n))
    return {pk: _person(rows) for pk, rows in answers.items()}


@lru_cache(maxsize=1000)
def _names(flags: str) -> list[str]:
    """The names of the flags from the column's JSON, which is nearly always the same."""
    names: list[str] = json.loads(flags)
    return names


def _truth(study: Study) -> tuple[dict[int, str], dict[int, str]]:
    """Origin of every stimulus, and for photographs the one other origin in the pair."""
    rows = list(study.stimuli.values_list("pk", "pair", "origin"))
    others: dict[int, set[str]] = defaultdict(set)
    for _pk, pair, origin in rows:
        if origin != "real":
            others[pair].add(origin)
    partners = {
        pk: next(iter(others[pair]))
        for pk, pair, origin in rows
        if origin == "real" and pair and len(others[pair]) == 1
    }
    return {pk: origin for pk, _pair, origin in rows}, partners


@lru_cache(maxsize=10_000)
def _judge(
    task: str, response: str, left: str, right: str, single: str, partner: str
) -> tuple[str, bool | None, bool | None]:
    """Contrast, whether the response is correct, and whether the AI was chosen."""
    row = {
        "task": task,
        "response": response,
        "left_origin": left,
        "right_origin": right,
        "origin": single,
        "compared_with": partner,
    }
    derived = schema.derive(row)
    truth = {"true": True, "false": False, None: None}
    return derived["contrast"] or "", truth[derived["correct"]], truth[derived["chose_ai"]]


def _person(answers: Iterable[tuple[Any, ...]]) -> Person:
    hits: dict[tuple[Key, str], list[int]] = defaultdict(lambda: [0, 0])
    ai_left, pairs, flags = 0, 0, Counter[str]()

    def count(key: Key, is_hit: bool, n: int, origin: str = "") -> None:
        counts = hits[key, origin]
        counts[0] += n * is_hit
        counts[1] += n

    for kind, task, question, response, shown, judged, noticed, n in answers:
        contrast, correct, chose_ai = judged
        for name in noticed:
            flags[name] += n
        if kind != "main":
            continue
        if correct is not None:
            count(Key("accuracy", task, question, contrast), correct, n, shown[2])
        if chose_ai is not None:
            count(Key("ai_choice_share", task, question, contrast), chose_ai, n)
        if response in ("left", "right"):
            count(LEFT, response == "left", n)
        if task in schema.PAIR_TASKS and (shown[0] == "real") != (shown[1] == "real"):
            pairs, ai_left = pairs + n, ai_left + n * (shown[0] != "real")
    return Person(_shares(hits), ai_left, pairs, dict(flags))


def _shares(hits: dict[tuple[Key, str], list[int]]) -> dict[Key, float]:
    """Share of hits; in single tasks the mean of the shares for photographs and for AI images."""
    parts: dict[Key, list[float]] = defaultdict(list)
    for (key, _origin), (hit, n) in hits.items():
        parts[key].append(hit / n)
    return {key: fmean(shares) for key, shares in parts.items()}


# --- response times ------------------------------------------------------------------------------

_times: Kept[tuple[Any, ...], dict[int, dict[str, list[float]]]] = Kept(STUDIES_KEPT)


def response_times(
    study: Study, done: Sequence[int], simulated: bool = False
) -> dict[str, list[float]]:
    """Response times by task, of the last participants who completed."""
    key = (study.pk, study.created_at, simulated)
    known, recent = _times.get(key) or {}, done[-RECENT:]
    missing = [pk for pk in recent if pk not in known]
    known = {pk: known[pk] for pk in recent if pk in known} | _times_of(missing)
    _times.keep(key, known)
    times: dict[str, list[float]] = {}
    for pk in recent:
        for task, values in known[pk].items():
            times.setdefault(task, []).extend(values)
    return dict(sorted(times.items()))


def _times_of(people: list[int]) -> dict[int, dict[str, list[float]]]:
    times: dict[int, dict[str, list[float]]] = {pk: {} for pk in people}
    rows = Response.objects.filter(
        trial__participant_id__in=people, trial__kind="main", rt_ms__isnull=False
    ).values_list("trial__participant_id", "trial__task", "rt_ms")
    for pk, task, rt_ms in rows if people else ():
        times[pk].setdefault(task, []).append(rt_ms)
    return times
