"""Who answers which trial: what the two hot endpoints read, each in one statement.

It knows the way of a participant only as far as reading needs; `survey.flow` decides and writes.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.core import signing
from django.db.models import Count, F, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from survey import committing
from survey.models import Participant, Response, Trial
from survey.prepared import Prepared, moment

#: So many trials are handed out ahead, so that the next pair is there before it is needed.
AHEAD = 3

_signer = signing.Signer(salt="survey.trial")


class Picture(NamedTuple):
    """What is needed of a stimulus while it is shown."""

    key: str
    code: str
    origin: str


def _picture(key: str | None, code: str, origin: str) -> Picture | None:
    return Picture(key, code, origin) if key else None


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
        return _picture(self.left_key, self.left_code, self.left_origin)

    @property
    def right(self) -> Picture | None:
        return _picture(self.right_key, self.right_code, self.right_origin)

    @property
    def stimulus(self) -> Picture | None:
        return _picture(self.single_key, self.single_code, self.single_origin)

    def shown(self) -> list[Picture]:
        """What is shown, in its order: left, right; or the single one."""
        return [one for one in (self.left, self.right, self.stimulus) if one is not None]


# The statements of the two endpoints that are asked most; see `survey.prepared`.
_T = 2_000_000_001
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


def _coming() -> QuerySet[Participant]:
    """The last answered trial with the next ones; the last of all where all are answered."""
    answered = Response.objects.filter(trial__participant__token=_LINK).order_by()
    by_person = answered.values("trial__participant").annotate(done=Count("pk"))
    done = Coalesce(Subquery(by_person.values("done")), 0)
    return _with_trials(done - 1, done + AHEAD - 1, token=_LINK)


_LINK = "$link"  # stands for the token of a private link
_PARTICIPANT = Prepared(lambda: _participants().filter(token=_LINK), [_LINK])
_COMING = Prepared(_coming, [_LINK])
_AROUND = Prepared(_around, [_LINK, _T])


@dataclass(frozen=True)
class Ahead:
    """What comes next: how many responses there are, the next trials of the block they are in."""

    done: int
    trials: list[Planned]
    is_first: bool = False  # whether the first of them is the first of its block


def responses_of(participant: Participant) -> int:
    """How many trials are answered. They are answered in order, so this is the next one's index."""
    return Response.objects.filter(trial__participant=participant).count()


def trial_token(trial: Trial | Planned) -> str:
    """The unguessable token under which a trial's response is accepted."""
    return _signed(trial.pk)


@lru_cache(maxsize=20_000)
def _signed(pk: int) -> str:
    """Remembered, because each is handed out with three responses and comes back with a fourth."""
    return _signer.sign(str(pk))


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
    pk = _pk_of(token)
    found = look(link, pk) if pk is not None else None
    if found is None and (participant := participant_of(link)) is not None:
        found = Visit(participant)
    return found


def look(link: str, pk: int) -> Visit | None:
    """The visit as the database has it now; none where participant and trial are strangers."""
    participant, rows = _AROUND.with_rows(link, pk)
    return Visit(participant, pk, [Planned._make(row) for row in rows]) if participant else None


def coming(link: str) -> tuple[Participant, Ahead] | None:
    """Whose link this is and what comes next, from the database alone; None where it is unknown.

    The first delivery of all is stamped.
    """
    participant, rows = _COMING.with_rows(link)
    participant = participant or participant_of(link)  # a plan may be empty
    if participant is None:
        return None
    near = [Planned._make(row) for row in rows]
    done = max((trial.index + 1 for trial in near if trial.chain is not None), default=0)
    ahead = ahead_of(done, near)
    if done == 0:
        _stamp([trial.pk for trial in ahead.trials if trial.delivered_at is None])
    return participant, ahead


def _stamp(keys: list[int]) -> None:
    """Say that trials are handed out now, unless somebody did, or the participant withdrew."""
    first = Trial.objects.filter(
        pk__in=keys, delivered_at=None, participant__withdrawn_at__isnull=True
    )
    if keys:
        committing.committed(lambda: first.update(delivered_at=timezone.now()))


def ahead(participant: Participant) -> Ahead:
    """What comes next for a participant."""
    found = coming(participant.token)
    return found[1] if found else Ahead(0, [])


def ahead_of(done: int, near: list[Planned]) -> Ahead:
    """The next trials among those near, which hold the one before them if there is one."""
    waiting = [trial for trial in near if trial.index >= done]
    trials = [trial for trial in waiting if trial.block == waiting[0].block][:AHEAD]
    before = [trial.block for trial in near if trial.index == done - 1]
    return Ahead(done, trials, bool(trials) and before != [trials[0].block])


def _pk_of(token: object) -> int | None:
    """The trial of a token; one that we would not make now may be made with a retired key."""
    text = str(token)
    try:
        pk = int(text.partition(":")[0])
        known = constant_time_compare(text, _signed(pk))
        return pk if known else int(_signer.unsign(text))
    except (signing.BadSignature, ValueError):
        return None


def delivered_at(trial: Planned, near: list[Planned]) -> datetime | None:
    """When a trial was handed out first: with the answer to the response that made it visible.

    That is the one AHEAD trials before it, or the last one of the block before. The very first
    trials have no such response; they carry a stamp.
    """
    begin = min(one.index for one in near if one.block == trial.block)
    giver = max(begin, trial.index - AHEAD + 1) - 1
    given = [one.answered_at for one in near if one.index == giver]
    return moment(trial.delivered_at or (given[0] if given else None))
