"""Who came to a study that runs: counts, curves, and how often each image was given out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from statistics import median
from typing import NamedTuple

from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import TruncDate

from survey import studies
from survey.arrivals import in_order
from survey.design.selection import group, without_catch
from survey.models import Allocation, Participant, Response, Study, Trial

#: So many points are enough for a curve.
POINTS = 300
#: Durations are those of the last so many who completed.
RECENT = 100


@dataclass
class Census:
    """How many participants there are, people or simulated ones, of each kind."""

    entered: int = 0
    completed: int = 0
    withdrawn: int = 0
    places: int = 0
    over_quota: int = 0
    entered_on: Counter[date] = field(default_factory=Counter)
    completed_on: Counter[date] = field(default_factory=Counter)


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
    done: list[int]  # everybody who completed, in that order


def census(study: Study) -> dict[bool, Census]:
    """Who came, by whether they are simulated, from one pass over the participants."""
    days = (TruncDate("consented_at"), TruncDate("completed_at"))
    groups = study.participants.order_by().values_list("is_simulated", *days)
    counted = groups.annotate(
        n=Count("pk"),
        withdrawn=Count("withdrawn_at"),
        places=Count("pk", filter=Q(holds_place=True)),
        over_quota=Count("pk", filter=Q(over_quota=True)),
    )
    found = {False: Census(), True: Census()}
    for is_simulated, came, finished, n, withdrawn, places, over_quota in counted:
        kind = found[is_simulated]
        kind.entered += n
        kind.withdrawn += withdrawn
        kind.places += places
        kind.over_quota += over_quota
        kind.entered_on[came] += n
        if finished:
            kind.completed += n
            kind.completed_on[finished] += n
    return found


def enrolment(study: Study, counted: dict[bool, Census], simulated: bool = False) -> Enrolment:
    """Counts and times of those who entered; entering is consenting."""
    counts = counted[simulated]
    came = in_order(study, simulated, "consented_at", counts.entered)
    done = in_order(study, simulated, "completed_at", counts.completed)
    return Enrolment(
        entered=counts.entered,
        started=counts.completed + _unfinished(study, simulated),
        completed=counts.completed,
        withdrawn=counts.withdrawn,
        places=counts.places,
        quota=None if simulated else study.quota,  # they take no places
        over_quota=counts.over_quota,
        entered_at=_reached(came, "consented_at"),
        completed_at=_reached(done, "completed_at"),
        days=_days(counts),
        median_minutes=_median_minutes(done),
        done=done,
    )


def _unfinished(study: Study, simulated: bool) -> int:
    """Those who responded and have not completed, or not any more."""
    people = study.participants.filter(is_simulated=simulated, completed_at__isnull=True)
    answered = Response.objects.filter(trial__participant=OuterRef("pk"))
    return people.filter(Exists(answered)).count()


def _reached(order: Sequence[int], time: str) -> list[Reached]:
    """When each so-manieth of them came, and the last one: enough to draw how the number grew."""
    last = len(order)
    numbers = sorted({*range(1, last + 1, max(1, last // POINTS)), *filter(None, [last])})
    drawn = Participant.objects.filter(pk__in=[order[number - 1] for number in numbers])
    times = dict(drawn.values_list("pk", time))
    reached = ((number, times.get(order[number - 1])) for number in numbers)
    return [Reached(number, at) for number, at in reached if at]  # none: withdrew just now


def _days(counts: Census) -> list[tuple[date, int, int]]:
    days = sorted(counts.entered_on.keys() | counts.completed_on.keys())
    return [(day, counts.entered_on[day], counts.completed_on[day]) for day in days]


def _median_minutes(done: Sequence[int]) -> float | None:
    """Half of the last ones were faster."""
    recent = Participant.objects.filter(pk__in=done[-RECENT:], completed_at__isnull=False)
    times = recent.values_list("consented_at", "completed_at")
    minutes = [(end - begin).total_seconds() / 60 for begin, end in times if end]
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
