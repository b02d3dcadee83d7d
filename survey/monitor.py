"""What researchers watch while a study runs: who came, how it goes, and what may be peeked at.

Each participant who completes is looked at once and remembered, so that a look costs the same
whether a hundred or a hundred thousand have completed.
"""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from statistics import fmean, median
from typing import Any, NamedTuple

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import Mod, RowNumber, TruncDate

from analysis import schema, sequential
from survey import studies
from survey.design.selection import group, without_catch
from survey.models import Allocation, Participant, Response, Study, Trial

#: From so many participants on the asymptotic confidence sequences are shown.
FIRST_LOOK = 30
#: So many participants are newly looked at in one look; the rest follow in the next ones.
AT_ONCE = 200
#: So many points are enough for a curve.
POINTS = 300
#: Response times and durations are those of the last so many who completed.
RECENT = 100

CHANCE = 0.5


# --- who came ------------------------------------------------------------------------------------


class Reached(NamedTuple):
    """When there were so many."""

    number: int
    at: datetime


@dataclass(frozen=True)
class Enrolment:
    """Where participants stand, counted in participants."""

    entered: int
    started: int
    completed: int
    withdrawn: int
    places: int
    quota: int | None
    over_quota: int
    entered_at: list[Reached]
    completed_at: list[Reached]
    days: list[tuple[date, int, int]]  # how many entered and completed on each
    median_minutes: float | None


def enrolment(study: Study, simulated: bool = False) -> Enrolment:
    """Counts and times of those who entered; entering is consenting.

    The database counts, so that little has to be fetched however many there are.
    """
    people = study.participants.filter(is_simulated=simulated).order_by()
    done = people.filter(completed_at__isnull=False)
    counts = people.aggregate(
        entered=Count("pk"),
        completed=Count("completed_at"),
        withdrawn=Count("withdrawn_at"),
        places=Count("pk", filter=Q(holds_place=True)),
        over_quota=Count("pk", filter=Q(over_quota=True)),
    )
    return Enrolment(
        **counts,
        started=counts["completed"] + _unfinished(people),
        quota=None if simulated else study.quota,  # they take no places
        entered_at=_reached(people, "consented_at", counts["entered"]),
        completed_at=_reached(done, "completed_at", counts["completed"]),
        days=_days(people),
        median_minutes=_median_minutes(done),
    )


def _unfinished(people: QuerySet[Participant]) -> int:
    """Those who responded and have not completed, or not any more."""
    answered = Response.objects.filter(trial__participant=OuterRef("pk"))
    return people.filter(Exists(answered), completed_at__isnull=True).count()


def _reached(people: QuerySet[Participant], name: str, how_many: int) -> list[Reached]:
    """When each so-manieth of them came, and the last one: enough to draw how the number grew."""
    numbered = people.annotate(nth=Window(RowNumber(), order_by=F(name).asc()), at=F(name))
    step = max(1, how_many // POINTS)
    kept = numbered.annotate(rest=Mod("nth", step)).filter(Q(rest=1 % step) | Q(nth=how_many))
    return [Reached(*row) for row in kept.order_by("nth").values_list("nth", "at")]


def _days(people: QuerySet[Participant]) -> list[tuple[date, int, int]]:
    entered, completed = (
        dict(people.values_list(TruncDate(name)).annotate(n=Count(name)).filter(n__gt=0))
        for name in ("consented_at", "completed_at")
    )
    days = sorted(entered | completed)
    return [(day, entered.get(day, 0), completed.get(day, 0)) for day in days]


def _median_minutes(done: QuerySet[Participant]) -> float | None:
    """Half of the last ones were faster."""
    recent = done.order_by("-completed_at").values_list("consented_at", "completed_at")[:RECENT]
    minutes = [(end - begin).total_seconds() / 60 for begin, end in recent if end]
    return median(minutes) if minutes else None


def exposures(study: Study, simulated: bool = False) -> dict[str, dict[str, int]]:
    """How often each pair, or each single stimulus, was given out: block -> name -> times."""
    shown = _units(study)
    if simulated:
        return _counted_exposures(study, shown)
    allocation = Allocation.objects.filter(study=study).first()
    counts = allocation.exposures if allocation else {}
    return {
        block: {unit: counts.get(block, {}).get(unit, 0) for unit in units}
        for block, units in shown.items()
    }


def _units(study: Study) -> dict[str, list[str]]:
    """What the trials of each block of the running version show: its pairs or its stimuli."""
    version = study.versions.last()
    if version is None:
        return {}
    frozen = studies.frozen(version)
    stimuli = without_catch(frozen.stimuli)
    named = group((stimulus for stimulus in stimuli if stimulus.pair_id), lambda s: s.pair_id)
    pairs = sorted(name for name, members in named.items() if len(members) > 1)
    singles = sorted(stimulus.id for stimulus in stimuli)
    return {b.key: pairs if b.is_pair_task else singles for b in frozen.study.blocks}


def _counted_exposures(study: Study, shown: dict[str, list[str]]) -> dict[str, dict[str, int]]:
    trials = Trial.objects.filter(
        participant__study=study, participant__is_simulated=True, kind="main"
    ).order_by()
    counts = {block: dict.fromkeys(units, 0) for block, units in shown.items()}
    rows = trials.values_list("block_key", "pair_code", "stimulus__code").annotate(n=Count("pk"))
    for block, pair, single, n in rows:
        if (unit := single or pair) in counts.get(block, {}):
            counts[block][unit] += n
    return counts


class Key(NamedTuple):
    """What an estimate is of. Contrasts, tasks and questions are never pooled."""

    measure: str  # accuracy, ai_choice_share or left
    task: str = ""
    question: str = ""
    contrast: str = ""


# --- what they did -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Person:
    """What one participant who completed adds to the estimates and checks."""

    values: dict[Key, float]  # the participant's own shares
    chose_left: float | None
    ai_left: int
    pairs: int
    flags: Counter[str]


@dataclass(frozen=True)
class Running:
    """A running estimate with its confidence sequence; the bounds are NaN before FIRST_LOOK."""

    key: Key
    level: float
    mean: list[float]
    low: list[float]
    high: list[float]

    @property
    def n(self) -> int:
        return len(self.mean)

    @property
    def is_open(self) -> bool:
        """Whether there are participants enough for an interval."""
        return self.n >= FIRST_LOOK


@dataclass
class Conduct:
    """How those who completed answered."""

    looked_at: int = 0
    waiting: int = 0
    flagged: int = 0
    flags: Counter[str] = field(default_factory=Counter)
    flagged_people: Counter[str] = field(default_factory=Counter)
    pairs: int = 0
    ai_left: int = 0
    left: Running | None = None
    estimates: list[Running] = field(default_factory=list)


_known: OrderedDict[int, dict[str, Person]] = OrderedDict()
STUDIES_KEPT = 20


def conduct(study: Study, simulated: bool = False) -> Conduct:
    """Estimates, sides and flags over everybody who completed, in the order of completing."""
    people, waiting = _people(study, simulated)
    found = Conduct(looked_at=len(people), waiting=waiting)
    series: dict[Key, list[float]] = defaultdict(list)
    for person in people:
        found.flags += person.flags
        found.flagged += bool(person.flags)
        found.flagged_people.update(person.flags.keys())
        found.pairs += person.pairs
        found.ai_left += person.ai_left
        for key, value in person.values.items():
            series[key].append(value)
    level = 1 - _alpha(study)
    left = [p.chose_left for p in people if p.chose_left is not None]
    found.left = _running(Key("left"), left, level) if left else None
    found.estimates = [_running(key, series[key], level) for key in sorted(series)]
    return found


def _alpha(study: Study) -> float:
    version = study.versions.last()
    return studies.frozen(version).study.analysis_plan.alpha if version else 0.05


def _running(key: Key, values: Sequence[float], level: float) -> Running:
    found = sequential.asymptotic_sequence(values, alpha=1 - level, first=FIRST_LOOK)
    low, high = found.low.clip(0, 1), found.high.clip(0, 1)
    return Running(key, level, found.mean.tolist(), low.tolist(), high.tolist())


def _people(study: Study, simulated: bool) -> tuple[list[Person], int]:
    """Who completed, in that order, and how many are still to be looked at."""
    completed = study.participants.filter(is_simulated=simulated, completed_at__isnull=False)
    codes = dict(completed.order_by("completed_at", "pk").values_list("code", "pk"))
    known = _known.setdefault(2 * study.pk + simulated, {})
    _known.move_to_end(2 * study.pk + simulated)
    while len(_known) > STUDIES_KEPT:
        _known.popitem(last=False)
    for code in known.keys() - codes.keys():  # withdrawn, and so forgotten
        del known[code]
    missing = [code for code in codes if code not in known]
    if missing:
        known |= _look_at(study, {code: codes[code] for code in missing[:AT_ONCE]})
    return [known[code] for code in codes if code in known], len(missing[AT_ONCE:])


def _look_at(study: Study, codes: dict[str, int]) -> dict[str, Person]:
    origins, partners = _truth(study)
    answers: dict[int, list[tuple[Any, ...]]] = {pk: [] for pk in codes.values()}
    rows = Response.objects.filter(trial__participant__in=codes.values()).values_list(
        "trial__participant",
        "trial__kind",
        "trial__task",
        "trial__question",
        "response",
        "trial__left",
        "trial__right",
        "trial__stimulus",
        "flags",
    )
    for pk, kind, task, question, response, left, right, single, flags in rows.iterator(
        chunk_size=5000
    ):
        shown = (origins.get(left, ""), origins.get(right, ""), origins.get(single, ""))
        judged = _judge(task, response, *shown, partners.get(single, ""))
        answers[pk].append((kind, task, question, response, shown, judged, flags))
    return {code: _person(answers[pk]) for code, pk in codes.items()}


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
    hits: dict[tuple[Key, str], list[bool]] = defaultdict(list)
    sides, ai_left, pairs, flags = [], 0, 0, Counter[str]()
    for kind, task, question, response, shown, judged, noticed in answers:
        contrast, correct, chose_ai = judged
        flags.update(noticed)
        if kind != "main":
            continue
        if correct is not None:
            hits[Key("accuracy", task, question, contrast), shown[2]].append(correct)
        if chose_ai is not None:
            hits[Key("ai_choice_share", task, question, contrast), ""].append(chose_ai)
        if response in ("left", "right"):
            sides.append(response == "left")
        if task in schema.PAIR_TASKS and (shown[0] == "real") != (shown[1] == "real"):
            pairs, ai_left = pairs + 1, ai_left + (shown[0] != "real")
    return Person(_shares(hits), fmean(sides) if sides else None, ai_left, pairs, flags)


def _shares(hits: dict[tuple[Key, str], list[bool]]) -> dict[Key, float]:
    """Share of hits; in single tasks the mean of the shares for photographs and for AI images."""
    parts: dict[Key, list[float]] = defaultdict(list)
    for (key, _origin), values in hits.items():
        parts[key].append(fmean(values))
    return {key: fmean(shares) for key, shares in parts.items()}


def response_times(study: Study, simulated: bool = False) -> dict[str, list[float]]:
    """Response times by task, of the last participants who completed."""
    completed = study.participants.filter(is_simulated=simulated, completed_at__isnull=False)
    recent = list(completed.order_by("-completed_at").values_list("pk", flat=True)[:RECENT])
    rows = Response.objects.filter(
        trial__participant__in=recent, trial__kind="main", rt_ms__isnull=False
    ).values_list("trial__task", "rt_ms")
    times: dict[str, list[float]] = {}
    for task, rt_ms in rows:
        times.setdefault(task, []).append(rt_ms)
    return dict(sorted(times.items()))
