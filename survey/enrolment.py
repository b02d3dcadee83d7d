"""Who may start, and with which plan: places, conditions, balanced allocation."""

import random
import secrets
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from survey import committing, design, recruitment, studies
from survey.models import Allocation, Participant, Stimulus, Study, Trial
from survey.panels import Arrival
from survey.prepared import insert

_simulation = Signer(salt="survey.simulation")


class NotOpenError(Exception):
    """The study takes nobody at the moment; the message may be shown."""


@committing.shared
@transaction.atomic
def start(
    *,
    study: Study,
    language: str,
    start_key: str,
    consent_version: str = "",
    arrival: Arrival | None = None,
    viewport: str = "",
    is_simulated: bool = False,
    flags: Sequence[str] = (),
) -> Participant:
    """Admit one participant and write the whole plan, in one transaction.

    A second call with the same `start_key` (a double click, a repeated POST) or for the same
    person of a panel returns the participant that the first one made. Raises NotOpenError.
    """
    allocation = lock_allocation(study)
    known = Participant.objects.filter(start_key=start_key).first()
    if known is None and arrival is not None:
        known = recruitment.participant_of(study, arrival)
    if known is not None:
        return known
    study.refresh_from_db(fields=["state", "quota", "opens_at", "closes_at"])
    if not is_simulated:
        _release_places(study, allocation)
    check_open(study, is_simulated=is_simulated)

    seed = secrets.token_hex(16)
    frozen = studies.frozen_now(study)
    number = allocation.started_simulated if is_simulated else allocation.started
    condition, planned = _plan(frozen, allocation, number, seed, is_simulated)
    participant = Participant.objects.create(
        study=study,
        version=frozen.version,
        start_key=start_key,
        number=number,
        planned=len(planned),
        seed=seed,
        condition=condition,
        language=language,
        source=arrival.panel if arrival else "open",
        viewport=viewport[:20],
        is_simulated=is_simulated,
        holds_place=not is_simulated,
        consent_version=consent_version,
        flags=[] if is_simulated else list(flags),  # bots have no clock
    )
    if arrival is not None:
        recruitment.remember(participant, arrival)
    _write_plan(participant, planned)
    _count(allocation, participant, planned)
    return participant


def _plan(
    frozen: studies.Frozen, allocation: Allocation, number: int, seed: str, is_simulated: bool
) -> tuple[str, list[design.PlannedTrial]]:
    """Condition and trials of the next participant; what was shown least so far comes first."""
    rng = random.Random(seed)  # noqa: S311 (a plan, not a secret)
    counts = {} if is_simulated else allocation.conditions
    condition = design.choose_condition(frozen.study, counts, rng)
    if condition:
        number = _number_within(allocation, condition, is_simulated)
    planned = design.plan_trials(
        frozen.study,
        frozen.stimuli,
        number=number,
        condition=condition,
        exposures={} if is_simulated else _unpack(allocation.exposures),
        rng=rng,
    )
    return condition, planned


def _count(
    allocation: Allocation, participant: Participant, planned: list[design.PlannedTrial]
) -> None:
    """Count a participant who has just started; simulated ones only for their running number."""
    if participant.is_simulated:
        allocation.started_simulated += 1
    else:
        allocation.started += 1
        allocation.places += 1
        name = participant.condition
        allocation.numbers[name] = allocation.numbers.get(name, 0) + 1
        _book(allocation, participant, _units_of_plan(planned), sign=1)
    allocation.save()


def _number_within(allocation: Allocation, condition: str, is_simulated: bool) -> int:
    """The running number within a condition, so that orders are balanced in each of them."""
    if is_simulated:
        robots = allocation.study.participants.filter(condition=condition, is_simulated=True)
        return robots.count()
    return int(allocation.numbers.get(condition, 0))


def simulation_pass() -> str:
    """What bots show at the start, so that they are marked from their first row."""
    return _simulation.sign("simulated")


def is_simulation_pass(text: str) -> bool:
    """Whether this server made the pass."""
    try:
        return _simulation.unsign(text) == "simulated"
    except BadSignature:
        return False


def check_open(study: Study, *, is_simulated: bool = False) -> None:
    """Raise NotOpenError, with the reason in words, unless somebody may start now."""
    now = timezone.now()
    if study.state == Study.State.PAUSED:
        raise NotOpenError(_("This study is taking a break. Please come back later."))
    if study.state == Study.State.CLOSED or (study.closes_at and study.closes_at <= now):
        raise NotOpenError(_("This study is closed. Thank you for your interest."))
    if study.state != Study.State.LIVE or (study.opens_at and study.opens_at > now):
        raise NotOpenError(_("This study has not opened yet."))
    if study.quota is not None and not is_simulated and places_taken(study) >= study.quota:
        raise NotOpenError(_("All places in this study are taken. Thank you for your interest."))


def places_taken(study: Study) -> int:
    """Participants who have completed or started not long ago; simulated ones hold no place."""
    allocation = Allocation.objects.filter(study=study).only("places").first()
    return allocation.places if allocation else 0


def give_place_back(participant: Participant, allocation: Allocation) -> None:
    """A participant withdraws: the place and the exposures are free again."""
    if participant.is_simulated:
        return
    if participant.holds_place or participant.completed_at is not None:
        _release(participant, allocation)
        allocation.save()


def take_place_back(participant: Participant, allocation: Allocation) -> None:
    """A participant who lost the place finishes late: it counts again, over quota if need be."""
    if participant.holds_place or participant.is_simulated:
        return
    study = participant.study
    participant.over_quota = study.quota is not None and allocation.places >= study.quota
    participant.holds_place = not participant.over_quota
    allocation.places += participant.holds_place
    participant.save(update_fields=["over_quota", "holds_place"])
    _book(allocation, participant, _units_of_participant(participant), sign=1)
    allocation.save()


def lock_allocation(study: Study) -> Allocation:
    """The study's allocation, locked until the transaction ends.

    Row lock on PostgreSQL; on SQLite the transaction itself is exclusive (IMMEDIATE). Whoever
    needs a participant's row too takes this lock first: two orders would be a deadlock.
    """
    Allocation.objects.get_or_create(study=study)
    return Allocation.objects.select_for_update().get(study=study)


def _release_places(study: Study, allocation: Allocation) -> None:
    """Take the places of those who started too long ago and have not finished."""
    limit = timezone.now() - timedelta(minutes=study.slot_minutes)
    late = study.participants.filter(
        holds_place=True, completed_at__isnull=True, entered_at__lt=limit
    )
    for participant in late:
        _release(participant, allocation)
    if late:
        allocation.save()


def _release(participant: Participant, allocation: Allocation) -> None:
    allocation.places -= participant.holds_place
    participant.holds_place = False
    participant.save(update_fields=["holds_place"])
    _book(allocation, participant, _units_of_participant(participant), sign=-1)


def _book(
    allocation: Allocation, participant: Participant, units: Counter[tuple[str, str]], sign: int
) -> None:
    """Add (or take off) one participant's exposures and condition."""
    for (block_key, unit), times in units.items():
        block = allocation.exposures.setdefault(block_key, {})
        block[unit] = block.get(unit, 0) + sign * times
    name = participant.condition
    allocation.conditions[name] = allocation.conditions.get(name, 0) + sign


def _unpack(exposures: dict[str, dict[str, int]]) -> dict[tuple[str, str], int]:
    return {(key, unit): n for key, block in exposures.items() for unit, n in block.items()}


def _units_of_plan(planned: list[design.PlannedTrial]) -> Counter[tuple[str, str]]:
    """What a plan shows, counted by block and by pair (or stimulus, where there is no pair)."""
    return Counter(
        (trial.block_key, unit)
        for trial in planned
        if trial.kind == "main"
        for unit in design.exposure_units(trial)
    )


def _units_of_participant(participant: Participant) -> Counter[tuple[str, str]]:
    return _units_of_plan([plan_of(trial) for trial in _full_trials(participant)])


def _full_trials(participant: Participant) -> list[Trial]:
    return list(participant.trials.select_related("left", "right", "stimulus"))


def plan_of(trial: Trial) -> design.PlannedTrial:
    """The planned trial that a row was written from."""
    return design.PlannedTrial(
        block=trial.block,
        block_key=trial.block_key,
        index=trial.index,
        kind=trial.kind,
        repeat_of=trial.repeat_of,
        task=trial.task,
        question=trial.question,
        pair_id=trial.pair_code,
        left_id=trial.left.code if trial.left else "",
        right_id=trial.right.code if trial.right else "",
        stimulus_id=trial.stimulus.code if trial.stimulus else "",
        exposure_ms=trial.exposure_ms,
        disclosure=trial.disclosure,
    )


def _write_plan(participant: Participant, planned: list[design.PlannedTrial]) -> None:
    ids = dict(Stimulus.objects.filter(study=participant.study).values_list("code", "pk"))
    trials = [
        Trial(
            participant=participant,
            index=trial.index,
            block=trial.block,
            block_key=trial.block_key,
            kind=trial.kind,
            repeat_of=trial.repeat_of,
            task=trial.task,
            question=trial.question,
            pair_code=trial.pair_id,
            left_id=ids.get(trial.left_id),
            right_id=ids.get(trial.right_id),
            stimulus_id=ids.get(trial.stimulus_id),
            exposure_ms=trial.exposure_ms,
            disclosure=trial.disclosure,
        )
        for trial in planned
    ]
    insert(*trials)
