"""A participant's way through the study: next trials, record, finish, withdraw.

The only writer of responses. A response is committed before it is acknowledged, the first one
wins, and a repeated one gets the stored answer back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from django.core import signing
from django.db import connection, transaction
from django.db.models import F, QuerySet, Subquery
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
)
from survey.models import Erasure, Participant, Response, Study, Trial
from survey.prepared import Prepared, insert_where, moment

#: So many trials are handed out ahead, so that the next pair is there before it is needed.
AHEAD = 3

_signer = signing.Signer(salt="survey.trial")


class Picture(NamedTuple):
    """What is needed of a stimulus while it is shown."""

    key: str
    code: str
    origin: str


def _picture(columns: tuple[Any, ...]) -> Picture | None:
    return Picture._make(columns) if columns[0] else None


class Planned(NamedTuple):
    """A trial as the hot endpoints read it: the plan, what is shown, and the seal of its answer."""

    pk: int
    index: int  # type: ignore[assignment]  # nobody looks for a value in this tuple
    block: int
    block_key: str
    kind: str
    repeat_of: int | None
    task: str
    question: str
    pair_code: str
    exposure_ms: int | None
    disclosure: str
    delivered_at: datetime | None  # times as the database gives them, see `prepared.moment`
    left_key: str | None
    left_code: str
    left_origin: str
    right_key: str | None
    right_code: str
    right_origin: str
    single_key: str | None
    single_code: str
    single_origin: str
    chain: str | None
    answered_at: datetime | None

    @property
    def left(self) -> Picture | None:
        return _picture(self[12:15])

    @property
    def right(self) -> Picture | None:
        return _picture(self[15:18])

    @property
    def stimulus(self) -> Picture | None:
        return _picture(self[18:21])

    def shown(self) -> list[Picture]:
        """What is shown, in its order: left, right; or the single one."""
        return [one for one in (self.left, self.right, self.stimulus) if one is not None]


# The statements of the two endpoints that are asked most; see `survey.prepared`.
_P, _T, _FROM, _TO = 2_000_000_001, 2_000_000_002, 31_001, 31_002
_PLAN = Planned._fields[1:12]
_SHOWN = [f"{side}__{name}" for side in ("left", "right", "stimulus") for name in Picture._fields]
_LONG = ("texts", "background", "conditions", "exclusion_rules", "analysis_plan", "recruitment")
_NEEDED = (
    *("study", "version", "code", "token", "language", "planned", "is_simulated"),
    *("completed_at", "withdrawn_at", "study__state", "study__languages", "version__design_hash"),
)


def _participants() -> QuerySet[Participant]:
    people = Participant.objects.select_related("study", "version")
    return people.defer("version__canonical", *(f"study__{name}" for name in _LONG))


def _with_trials(index_from: Any, index_to: Any, **which: Any) -> QuerySet[Participant]:
    """A participant beside each of the trials within the bounds, in one statement."""
    bounds = {"trials__index__gte": index_from, "trials__index__lte": index_to}
    people = Participant.objects.filter(**which, **bounds).order_by("trials__index")
    names = ("pk", *_PLAN, *_SHOWN, "answer__chain", "answer__answered_at")
    columns = {f"trial__{name}": F(f"trials__{name}") for name in names}
    return people.select_related("study", "version").only(*_NEEDED).annotate(**columns)


def _around() -> QuerySet[Participant]:
    """One trial with those before it that tell when it was handed out, and the next ones."""
    index = Subquery(Trial.objects.filter(pk=_T).order_by().values("index"))
    return _with_trials(index - AHEAD, index + AHEAD, token=_LINK)


_LINK = "$link"  # stands for the token of a private link
_PARTICIPANT = Prepared(lambda: _participants().filter(token=_LINK), [_LINK])
_WINDOW = Prepared(lambda: _with_trials(_FROM, _TO, pk=_P), [_FROM, _TO, _P])
_AROUND = Prepared(_around, [_LINK, _T])


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
class Ahead:
    """What comes next: how many responses there are, the next trials of the block they are in."""

    done: int
    trials: list[Planned]
    is_first: bool = False  # whether the first of them is the first of its block


@dataclass(frozen=True)
class Recorded:
    """The stored response, the trial it answers, whether it had been there, and what comes next."""

    response: Response
    trial: Planned
    replayed: bool
    ahead: Ahead


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
    done = responses_of(participant) if done is None else done
    return Step.TRIALS if done < participant.planned else Step.BACKGROUND


def responses_of(participant: Participant) -> int:
    """How many trials are answered. They are answered in order, so this is the next one's index."""
    return Response.objects.filter(trial__participant=participant).count()


def trial_token(trial: Trial | Planned) -> str:
    """The unguessable token under which a trial's response is accepted."""
    return _signer.sign(str(trial.pk))


def participant_of(token: str) -> Participant | None:
    """The participant of a private link, with study and version but not their long texts."""
    return _PARTICIPANT.first(token)


@dataclass(frozen=True)
class Visit:
    """A participant who answers a trial: who, which trial, and the trials around it."""

    participant: Participant
    pk: int | None = None  # of the trial; none where the token is forged
    near: list[Planned] = field(default_factory=list)


def visit(link: str, token: object) -> Visit | None:
    """Who answers which trial: all that `record` needs. None where the link is not known.

    The participant comes with no more than the hot endpoints need.
    """
    pk = _pk_of_token(token)
    found = _look(link, pk) if pk is not None else None
    if found is None and (participant := participant_of(link)) is not None:
        found = Visit(participant)
    return found


def _look(link: str, pk: int) -> Visit | None:
    """The visit as the database has it now; none where participant and trial are strangers."""
    participant, rows = _AROUND.with_rows(link, pk)
    return Visit(participant, pk, [Planned._make(row) for row in rows]) if participant else None


def ahead(participant: Participant) -> Ahead:
    """What comes next, from the database alone; the first delivery of all is stamped."""
    done = responses_of(participant)
    rows = _WINDOW.with_rows(done - 1, done + AHEAD - 1, participant.pk)[1]
    coming = _ahead(done, [Planned._make(row) for row in rows])
    if done == 0 and coming.trials and coming.trials[0].delivered_at is None:
        first = Trial.objects.filter(pk__in=[trial.pk for trial in coming.trials])
        first.filter(delivered_at=None).update(delivered_at=timezone.now())
    return coming


def _ahead(done: int, near: list[Planned]) -> Ahead:
    """The next trials among those near, which hold the one before them if there is one."""
    waiting = [trial for trial in near if trial.index >= done]
    trials = [trial for trial in waiting if trial.block == waiting[0].block][:AHEAD]
    before = [trial.block for trial in near if trial.index == done - 1]
    return Ahead(done, trials, bool(trials) and before != [trials[0].block])


def record(visit: Visit, payload: Mapping[str, Any]) -> Recorded:
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
    response = _response(participant, payload, trial, near)
    previous = before.chain if before and before.chain else integrity.first_link(participant)
    integrity.seal_response(response, participant, trial, previous)
    if not committing.committed(lambda: _stored(response, participant)):
        return record(_look(participant.token, trial.pk) or Visit(participant), payload)
    return Recorded(response, trial, replayed=False, ahead=_ahead(trial.index + 1, near))


def _stored(response: Response, participant: Participant) -> bool:
    """Insert a response, unless there is one or the participant withdraws at this moment."""
    lock = "FOR KEY SHARE" if connection.vendor == "postgresql" else ""
    still_there = f"FROM survey_participant WHERE id = %s AND withdrawn_at IS NULL {lock}"
    return insert_where(response, still_there, [participant.pk])


def _replayed(participant: Participant, trial: Planned) -> Recorded:
    """The answer to a response that is here already: the stored one, and where they stand now."""
    return Recorded(Response.objects.get(pk=trial.pk), trial, True, ahead(participant))


def _pk_of_token(token: object) -> int | None:
    try:
        return int(_signer.unsign(str(token)))
    except (signing.BadSignature, ValueError):
        return None


def _response(
    participant: Participant, payload: Mapping[str, Any], trial: Planned, near: list[Planned]
) -> Response:
    """The response with when it arrived; more time in the browser than here is flagged."""
    try:
        values = answers.checked(_block_of(participant, trial), payload)
    except answers.AnswerError:
        text = _("This answer is not among the choices.")
        raise FlowError("bad_response", text, 400) from None
    response = Response(trial_id=trial.pk, language=participant.language, **values)
    response.answered_at = timezone.now()
    elapsed = _elapsed_ms(response.answered_at, _delivered_at(trial, near))
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


def _delivered_at(trial: Planned, near: list[Planned]) -> datetime | None:
    """When a trial was handed out first: with the answer to the response that made it visible.

    That is the one AHEAD trials before it, or the last one of the block before. The very first
    trials have no such response; they carry a stamp.
    """
    begin = min(one.index for one in near if one.block == trial.block)
    giver = max(begin, trial.index - AHEAD + 1) - 1
    given = [one.answered_at for one in near if one.index == giver]
    return moment(trial.delivered_at or (given[0] if given else None))


def _block_of(participant: Participant, trial: Planned) -> design.Block:
    return studies.block_of(participant.version, trial.block_key)


def feedback(participant: Participant, trial: Planned, response: Response) -> bool | None:
    """Whether a locked response was right, if its block tells; else nothing."""
    tells = _block_of(participant, trial).feedback
    if tells == "each" or (tells == "practice" and trial.kind == "practice"):
        return is_correct(trial, response)
    return None


def is_correct(trial: Trial | Planned, response: Response) -> bool | None:
    """Derived in one place for both halves of the project: `analysis.schema`."""
    return schema.correct(
        task=trial.task,
        response=response.response,
        left_origin=trial.left.origin if trial.left else "",
        right_origin=trial.right.origin if trial.right else "",
        origin=trial.stimulus.origin if trial.stimulus else "",
    )


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
