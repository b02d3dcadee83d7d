"""A participant's way through the study: next trials, record, finish, withdraw.

The only writer of responses. A response is committed before it is acknowledged, the first one
wins, and a repeated one gets the stored answer back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.core import signing
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from analysis import schema
from survey import attention, design, enrolment, integrity, recruitment, studies, trail
from survey.models import Erasure, Participant, Response, Study, Trial
from survey.prepared import Prepared, insert

#: So many trials are handed out ahead, so that the next pair is there before it is needed.
AHEAD = 3

_signer = signing.Signer(salt="survey.trial")

#: What may be answered, where it is not a number.
CHOICES = {
    "detect_pair": {"left", "right"},
    "prefer_pair": {"left", "right"},
    "detect_single": {"real", "ai"},
}

#: Measurements of the browser: name -> largest believable value. A day is the longest time.
MEASURES = {
    "rt_ms": 86_400_000.0,
    "shown_ms": 86_400_000.0,
    "frame_ms": 10_000.0,
    "images_loaded_ms": 86_400_000.0,
    "focus_lost_ms": 86_400_000.0,
    "viewport_w": 100_000.0,
    "viewport_h": 100_000.0,
    "dpr": 100.0,
    "shown_w": 100_000.0,
    "shown_h": 100_000.0,
}
LAYOUTS = ("side_by_side", "stacked")  # a tuple: anything may be looked for in it
MAX_FLAGS = 20


# The statements of the two endpoints that are asked most; see `survey.prepared`.
_P, _T, _FROM, _TO = 2_000_000_001, 2_000_000_002, 31_001, 31_002
_SHOWN = [
    f"{side}__{name}"
    for side in ("left", "right", "stimulus")
    for name in ("key", "code", "origin")
]
_LONG = ("texts", "background", "conditions", "exclusion_rules", "analysis_plan", "recruitment")


def _participants() -> QuerySet[Participant]:
    people = Participant.objects.select_related("study", "version")
    return people.defer("version__canonical", *(f"study__{name}" for name in _LONG))


def _trials() -> QuerySet[Trial]:
    own = [field.attname for field in Trial._meta.concrete_fields]
    trials = Trial.objects.select_related("left", "right", "stimulus").only(*own, *_SHOWN)
    return trials.filter(participant=_P).order_by("index")


def _last() -> QuerySet[Response]:
    answered = Response.objects.filter(trial__participant=_P).select_related("trial")
    return answered.only("chain", "trial__index").order_by("-trial__index")[:1]


_LINK = "$link"  # stands for the token of a private link
_PARTICIPANT = Prepared(lambda: _participants().filter(token=_LINK), [_LINK])
_LOCK = Prepared(
    lambda: Participant.objects.select_for_update().filter(pk=_P).only("withdrawn_at"), [_P]
)
_TRIAL = Prepared(lambda: _trials().filter(pk=_T), [_P, _T])
_WINDOW = Prepared(lambda: _trials().filter(index__gte=_FROM, index__lt=_TO), [_P, _FROM, _TO])
_LAST = Prepared(_last, [_P])


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
    """The stored response, whether it had been there already, and how many there are now."""

    response: Response
    replayed: bool
    done: int


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


def trial_token(trial: Trial) -> str:
    """The unguessable token under which a trial's response is accepted."""
    return _signer.sign(str(trial.pk))


def participant_of(token: str) -> Participant | None:
    """The participant of a private link, with study and version but not their long texts."""
    return _PARTICIPANT.first(token)


def next_trials(participant: Participant, done: int | None = None) -> list[Trial]:
    """The next unanswered trials of the current block, stamped with their first delivery."""
    return ahead(participant, done)[0]


def ahead(participant: Participant, done: int | None = None) -> tuple[list[Trial], bool]:
    """`next_trials`, and whether the first of them is the first of its block."""
    done = responses_of(participant) if done is None else done
    window = list(_WINDOW.rows(participant.pk, done - 1, done + AHEAD))
    waiting = [trial for trial in window if trial.index >= done]
    trials = [trial for trial in waiting if trial.block == waiting[0].block]
    for trial in trials:
        trial.participant = participant
    new = [trial.pk for trial in trials if trial.delivered_at is None]
    if new:
        now = timezone.now()
        Trial.objects.filter(pk__in=new, delivered_at__isnull=True).update(delivered_at=now)
    is_first = done == 0 or (bool(trials) and window[0].block != trials[0].block)
    return trials, is_first


@transaction.atomic
def record(participant: Participant, payload: Mapping[str, Any]) -> Recorded:
    """Store one response. Raises FlowError when the token, the order or a value is wrong."""
    pk = _pk_of_token(payload.get("token"))
    withdrawn = _lock(participant)
    trial = _TRIAL.first(participant.pk, pk)
    if trial is None:
        raise FlowError("bad_token", _("This answer does not belong here."), 400)
    trial.participant = participant
    last = _last_response(participant)
    if last is not None and trial.index <= last.trial.index:
        stored = Response.objects.get(trial=trial)
        stored.trial = trial
        return Recorded(stored, replayed=True, done=last.trial.index + 1)
    if withdrawn:
        raise FlowError("withdrawn", _("You have withdrawn; nothing more is stored."))
    if trial.index != (last.trial.index + 1 if last else 0):
        raise FlowError("out_of_order", _("An earlier image is still open."))
    response = Response(trial=trial, language=participant.language, **_checked(trial, payload))
    _add_server_clock(response, participant)
    previous = last.chain if last else integrity.first_link(participant)
    integrity.seal_response(response, participant, previous)
    insert(response)
    return Recorded(response, replayed=False, done=trial.index + 1)


def _pk_of_token(token: object) -> int:
    try:
        return int(_signer.unsign(str(token)))
    except (signing.BadSignature, ValueError):
        raise FlowError("bad_token", _("This answer does not belong here."), 400) from None


def _lock(participant: Participant) -> bool:
    """Hold the participant until the commit, so that responses come one by one.

    Returns whether the participant has withdrawn in the meantime.
    """
    locked = _LOCK.first(participant.pk)
    return locked is None or locked.withdrawn_at is not None


def _last_response(participant: Participant) -> Response | None:
    return _LAST.first(participant.pk)


def _add_server_clock(response: Response, participant: Participant) -> None:
    """When it arrived and after how long; more time in the browser than here is flagged."""
    response.answered_at = timezone.now()
    if response.trial.delivered_at is None:
        return
    elapsed = response.answered_at - response.trial.delivered_at
    response.server_elapsed_ms = elapsed.total_seconds() * 1000
    too_long = (response.rt_ms or 0) > response.server_elapsed_ms
    if too_long and not participant.is_simulated:  # bots have no clock
        response.flags.append("rt_exceeds_server")


def _checked(trial: Trial, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload's values, checked; measurements that make no sense are left empty and flagged."""
    flags = _flags(payload.get("flags"))
    values: dict[str, Any] = {
        "response": _choice(trial, payload.get("response")),
        "confidence": _confidence(trial, payload.get("confidence")),
        "reason": _reason(trial, payload.get("reason")),
    }
    for name, largest in MEASURES.items():
        values[name] = _measure(payload.get(name), largest)
        if values[name] is None and payload.get(name) is not None:
            flags.append(f"bad_{name}")
    device, layout = payload.get("input_device"), payload.get("layout")
    values["input_device"] = device if device in Response.Device.values else ""
    values["layout"] = layout if layout in LAYOUTS else ""
    values["flags"] = flags
    return values


def _block_of(trial: Trial) -> design.Block:
    return studies.block_of(trial.participant.version, trial.block_key)


def _flags(value: object) -> list[str]:
    """The names among what the browser noticed; nothing else may get into the data."""
    if not isinstance(value, list):
        return []
    names = [flag for flag in value if isinstance(flag, str) and len(flag) <= 30]
    return [name for name in names if name.isidentifier()][:MAX_FLAGS]


def _choice(trial: Trial, value: object) -> str:
    if trial.task == "rate_single":
        steps = _block_of(trial).scale_steps
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= steps:
            return str(value)
    elif isinstance(value, str) and value in CHOICES[trial.task]:
        return value
    elif value == "tie" and trial.task == "prefer_pair" and _block_of(trial).ties:
        return "tie"
    raise FlowError("bad_response", _("This answer is not among the choices."), 400)


def _confidence(trial: Trial, value: object) -> float | None:
    if not _block_of(trial).confidence_steps:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise FlowError("bad_response", _("This answer is not among the choices."), 400)


def _reason(trial: Trial, value: object) -> str:
    allowed = _block_of(trial).reasons
    if not value or not allowed:
        return ""
    if value in allowed:
        return str(value)
    raise FlowError("bad_response", _("This answer is not among the choices."), 400)


def _measure(value: object, largest: float) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= largest:
        return float(value)
    return None


def feedback(trial: Trial, response: Response) -> bool | None:
    """Whether a locked response was right, if its block tells; else nothing."""
    tells = _block_of(trial).feedback
    if tells == "each" or (tells == "practice" and trial.kind == "practice"):
        return is_correct(trial, response)
    return None


def is_correct(trial: Trial, response: Response) -> bool | None:
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
    last = _last_response(participant)
    integrity.seal_participant(
        participant, last.chain if last else integrity.first_link(participant)
    )
    participant.save(update_fields=["background", "completed_at", "flags", "salt", "seal"])
    enrolment.take_place_back(participant, allocation)


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
    **dict.fromkeys(MEASURES),
    "input_device": "",
    "layout": "",
    "language": "",
    "flags": [],
    "server_elapsed_ms": None,
    "answered_at": None,
    "salt": "",
}
