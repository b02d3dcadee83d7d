"""A participant's way through the study: next trials, record, finish, withdraw.

The only writer of responses. A response is committed before it is acknowledged, the first one
wins, and a repeated one gets the stored answer back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from analysis import schema
from survey import (
    answers,
    attention,
    committing,
    design,
    enrolment,
    integrity,
    recruitment,
    studies,
    trail,
    visits,
)
from survey.models import Erasure, Participant, Response, Study, Trial
from survey.prepared import insert_where


class Step(StrEnum):
    """Where a participant stands."""

    TRIALS = "trials"
    BACKGROUND = "background"
    DEBRIEF = "debrief"
    WITHDRAWN = "withdrawn"
    CLOSED = "closed"


class FlowError(Exception):
    """A request that cannot be followed: a code for programs, a message for people."""

    def __init__(self, code: str, message: str, status: int = 409) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True)
class Recorded:
    """The stored response, the trial it answers, whether it had been there, and what comes next."""

    response: Response
    trial: visits.Planned
    replayed: bool
    ahead: visits.Ahead


def step_of(participant: Participant, done: int | None = None) -> Step:
    """Where the participant stands; nothing but the database decides it.

    `done` is the number of responses, where the caller has counted them already.
    """
    if participant.withdrawn_at is not None:
        return Step.WITHDRAWN
    if participant.completed_at is not None:
        return Step.DEBRIEF
    if participant.study.state == Study.State.CLOSED:
        return Step.CLOSED
    done = visits.responses_of(participant) if done is None else done
    return Step.TRIALS if done < participant.planned else Step.BACKGROUND


def record(visit: visits.Visit, payload: Mapping[str, Any]) -> Recorded:
    """Store one response. Raises FlowError when the token, the order or a value is wrong.

    It is one INSERT that does nothing where the trial is answered or the participant has
    withdrawn; then a second look says which of the two it was.
    """
    participant, near = visit.participant, visit.near
    trial = next((one for one in near if one.pk == visit.pk), None)
    if trial is None:
        raise FlowError("bad_token", _("This answer does not belong here."), 400)
    if trial.chain is not None:
        return _replayed(participant, trial)
    if participant.withdrawn_at is not None:
        raise FlowError("withdrawn", _("You have withdrawn; nothing more is stored."))
    before = next((one for one in near if one.index == trial.index - 1), None)
    if before is not None and before.chain is None:
        raise FlowError("out_of_order", _("An earlier image is still open."))
    response = _response(visit, trial, payload)
    previous = before.chain if before and before.chain else integrity.first_link(participant)
    integrity.seal_response(response, participant, trial, previous)
    if not _stored(response, participant):
        again = visits.look(participant.token, trial.pk) or visits.Visit(participant)
        return record(again, payload)
    return Recorded(response, trial, replayed=False, ahead=visits.ahead_of(trial.index + 1, near))


def _stored(response: Response, participant: Participant) -> bool:
    """Insert a response, unless there is one or the participant withdraws at this moment."""
    lock = "FOR KEY SHARE" if connection.vendor == "postgresql" else ""
    still_there = f"FROM survey_participant WHERE id = %s AND withdrawn_at IS NULL {lock}"
    return insert_where(response, still_there, [participant.pk])


def _replayed(participant: Participant, trial: visits.Planned) -> Recorded:
    """The answer to a response that is here already: the stored one, and where they stand now."""
    return Recorded(Response.objects.get(pk=trial.pk), trial, True, visits.ahead(participant))


def _response(visit: visits.Visit, trial: visits.Planned, payload: Mapping[str, Any]) -> Response:
    """The response with when it arrived; more time in the browser than here is flagged."""
    participant = visit.participant
    try:
        values = answers.checked(_block_of(participant, trial), payload)
    except answers.AnswerError:
        text = _("This answer is not among the choices.")
        raise FlowError("bad_response", text, 400) from None
    response = Response(trial_id=trial.pk, language=participant.language, **values)
    response.answered_at = timezone.now()
    elapsed = _elapsed_ms(response.answered_at, visits.delivered_at(trial, visit.near))
    response.server_elapsed_ms = elapsed
    too_long = elapsed is not None and (response.rt_ms or 0) > elapsed
    if too_long and not participant.is_simulated:  # bots have no clock
        response.flags.append("rt_exceeds_server")
    return response


def _elapsed_ms(answered: datetime, delivered: datetime | None) -> float | None:
    """Time on the server; unknown where its clock was set back meanwhile."""
    if delivered is None or answered < delivered:
        return None
    return (answered - delivered).total_seconds() * 1000


def _block_of(participant: Participant, trial: visits.Planned) -> design.Block:
    return studies.block_of(participant.version, trial.block_key)


def feedback(participant: Participant, trial: visits.Planned, response: Response) -> bool | None:
    """Whether a locked response was right, if its block tells; else nothing."""
    tells = _block_of(participant, trial).feedback
    if tells == "each" or (tells == "practice" and trial.kind == "practice"):
        return is_correct(trial, response)
    return None


def is_correct(trial: Trial | visits.Planned, response: Response) -> bool | None:
    """Derived in one place for both halves of the project: `analysis.schema`."""
    return schema.correct(
        task=trial.task,
        response=response.response,
        left_origin=trial.left.origin if trial.left else "",
        right_origin=trial.right.origin if trial.right else "",
        origin=trial.stimulus.origin if trial.stimulus else "",
    )


@committing.shared
@transaction.atomic
def finish(participant: Participant, background: Mapping[str, Any]) -> None:
    """Store the background answers and complete the participant. Does nothing the second time."""
    allocation = enrolment.lock_allocation(participant.study)
    participant = Participant.objects.select_for_update().get(pk=participant.pk)
    if participant.completed_at is not None:
        return
    if step_of(participant) != Step.BACKGROUND:
        raise FlowError("too_early", _("Some images are still waiting for you."))
    participant.background = dict(background)
    participant.completed_at = timezone.now()
    participant.flags = [*participant.flags, *attention.on_completion(_given(participant))]
    integrity.seal_participant(participant, _last_link(participant))
    participant.save(update_fields=["background", "completed_at", "flags", "salt", "seal"])
    enrolment.take_place_back(participant, allocation)


def _last_link(participant: Participant) -> str:
    """The end of the participant's chain."""
    answered = Response.objects.filter(trial__participant=participant)
    last = answered.order_by("-trial__index").values_list("chain", flat=True).first()
    return last or integrity.first_link(participant)


def _given(participant: Participant) -> list[attention.Given]:
    answered = participant.trials.filter(answer__isnull=False).order_by("index")
    rows = answered.values_list("block_key", "task", "answer__response")
    return [attention.Given(*row) for row in rows]


@committing.shared
@transaction.atomic
def withdraw(participant: Participant) -> None:
    """Erase what the participant gave: responses, background and times. The row stays, empty."""
    allocation = enrolment.lock_allocation(participant.study)
    participant = Participant.objects.select_for_update().get(pk=participant.pk)
    if participant.withdrawn_at is not None:
        return
    enrolment.give_place_back(participant, allocation)
    recruitment.forget(participant)
    erasure = Erasure.objects.create(participant=participant)
    Response.objects.filter(trial__participant=participant).update(**_EMPTY)
    participant.trials.update(delivered_at=None)
    erasure.sealed = True
    erasure.save()
    for name in ("viewport", "salt", "seal", "seed"):
        setattr(participant, name, "")
    participant.start_key = f"erased-{participant.code}"
    participant.background = participant.completed_at = None
    participant.flags = []
    participant.withdrawn_at = timezone.now()
    participant.save()
    trail.note(participant.study, "withdrawal")  # that somebody did, and not who


#: A response without content. Digest and link stay, so that the chain can be verified.
_EMPTY: dict[str, Any] = {
    "response": "",
    "confidence": None,
    "reason": "",
    **dict.fromkeys(answers.MEASURES),
    "input_device": "",
    "layout": "",
    "language": "",
    "flags": [],
    "server_elapsed_ms": None,
    "answered_at": None,
    "salt": "",
}
