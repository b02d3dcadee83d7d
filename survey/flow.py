"""A participant's way through the study: next trials, record, finish, withdraw.

The only writer of responses. A response is committed before it is acknowledged, the first one
wins, and a repeated one gets the stored answer back.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _

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
    """A request that cannot be followed: a code for programs, a message for people.

    The message is said in the language of who reads it.
    """

    def __init__(self, code: str, message: Any, status: int = 409) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class Sent(NamedTuple):
    """A response as it arrives: the private link by which it comes, and what it says."""

    link: str
    payload: Mapping[str, Any]


class Recorded(NamedTuple):
    """The stored response, who gave it to which trial, whether it had been there, what is next."""

    response: Response
    participant: Participant
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


def record(sent: Sequence[Sent]) -> list[Recorded | FlowError]:
    """Store responses that arrive together; an error says that token, order or value is wrong.

    However many they are, with PostgreSQL one statement reads and one inserts. What was not
    inserted is looked at once more, and so is a further response of the same participant.
    """
    first = {one.link: number for number, one in reversed([*enumerate(sent)])}
    numbers = sorted(first.values())
    outcomes = dict(zip(numbers, _recorded([sent[number] for number in numbers]), strict=True))
    rest = [number for number in range(len(sent)) if outcomes.get(number) is None]
    again = iter(record([sent[number] for number in rest]) if rest else ())
    return [outcomes.get(number) or next(again) for number in range(len(sent))]


def _recorded(sent: Sequence[Sent]) -> list[Recorded | FlowError | None]:
    """The outcomes of responses of as many participants; None where it was not inserted.

    That is so where the trial is answered or the participant withdraws at this moment.
    """
    keys = [visits.trial_of(one.payload.get("token")) for one in sent]
    found = visits.around({key for key in keys if key is not None})
    outcomes = [
        _outcome(one, key, found.get(key or 0)) for one, key in zip(sent, keys, strict=True)
    ]
    made = [one for one in outcomes if isinstance(one, Recorded) and not one.replayed]
    lost = {one.response.pk for one in made} - _insert([one.response for one in made])
    return [
        None if isinstance(one, Recorded) and one.response.pk in lost else one for one in outcomes
    ]


def _insert(responses: Sequence[Response]) -> set[int]:
    """Insert responses but those of who withdraws at this moment; the keys of the inserted.

    The order is the same in every process, so that none waits for another in a circle.
    """
    ordered = sorted(responses, key=attrgetter("pk"))
    return insert_where(ordered, STILL_THERE[connection.vendor]) if ordered else set()


_THERE = """WHERE EXISTS (
    SELECT 1 FROM survey_trial
    JOIN survey_participant ON survey_participant.id = survey_trial.participant_id
    WHERE survey_trial.id = new.trial_id AND survey_participant.withdrawn_at IS NULL"""
#: Who has not withdrawn; with PostgreSQL they cannot either until the response is stored.
STILL_THERE = {
    "sqlite": f"{_THERE})",
    "postgresql": f"{_THERE} FOR KEY SHARE OF survey_participant)",
}


def _outcome(one: Sent, key: int | None, visit: visits.Visit | None) -> Recorded | FlowError:
    """What becomes of a response, complete but for its being stored."""
    try:
        if visit is None or not constant_time_compare(visit.participant.token, one.link):
            raise FlowError("bad_token", _("This answer does not belong here."), 400)
        trial = next(trial for trial in visit.near if trial.pk == key)
        if trial.chain is not None:
            return _replayed(visit.participant, trial)
        return _answered(visit, trial, one.payload)
    except FlowError as error:
        return error


def _answered(visit: visits.Visit, trial: visits.Planned, payload: Mapping[str, Any]) -> Recorded:
    """An answer to an open trial. Raises FlowError where it may not be given."""
    participant, near = visit
    if participant.withdrawn_at is not None:
        raise FlowError("withdrawn", _("You have withdrawn; nothing more is stored."))
    before = next((one for one in near if one.index == trial.index - 1), None)
    if before is not None and before.chain is None:
        raise FlowError("out_of_order", _("An earlier image is still open."))
    response = _response(visit, trial, payload)
    previous = before.chain if before and before.chain else integrity.first_link(participant)
    integrity.seal_response(response, participant, trial, previous)
    return Recorded(response, participant, trial, False, visits.ahead_of(trial.index + 1, near))


def _replayed(participant: Participant, trial: visits.Planned) -> Recorded:
    """The answer to a response that is here already: the stored one, and where they stand now."""
    stored = Response.objects.get(pk=trial.pk)
    return Recorded(stored, participant, trial, True, visits.ahead(participant))


def _response(visit: visits.Visit, trial: visits.Planned, payload: Mapping[str, Any]) -> Response:
    """The response as of now; more time in the browser than here is flagged.

    Its language is the one in which the trial was handed out.
    """
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
