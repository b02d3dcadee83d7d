"""Who answers which trial: what the two hot endpoints read, each in one statement.

It knows the way of a participant only as far as reading needs; `survey.flow` decides and writes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

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


def _near(trials: str) -> dict[str, F]:
    """The columns of `Planned`, of the trials that a queryset joins by this name."""
    names = ("pk", *_PLAN, *_SHOWN, "answer__chain", "answer__answered_at")
    return {f"near__{name}": F(f"{trials}__{name}") for name in names}


def _around() -> QuerySet[Trial]:
    """A trial with those before it that tell when it was handed out, and the next ones."""
    first, last = F("index") - AHEAD, F("index") + AHEAD
    near = {"participant__trials__index__gte": first, "participant__trials__index__lte": last}
    trials = Trial.objects.filter(pk=_T, **near).order_by("participant__trials__index")
    trials = trials.select_related("participant__study", "participant__version")
    trials = trials.only("pk", *(f"participant__{name}" for name in _NEEDED))
    return trials.annotate(**_near("participant__trials"))


def _coming() -> QuerySet[Participant]:
    """The last answered trial with the next ones; the last of all where all are answered."""
    answered = Response.objects.filter(trial__participant__token=_LINK).order_by()
    by_person = answered.values("trial__participant").annotate(done=Count("pk"))
    done = Coalesce(Subquery(by_person.values("done")), 0)
    near = {"trials__index__gte": done - 1, "trials__index__lte": done + AHEAD - 1}
    people = Participant.objects.filter(token=_LINK, **near).order_by("trials__index")
    people = people.select_related("study", "version").only(*_NEEDED)
    return people.annotate(**_near("trials"))


_LINK, _T = "$link", 2_000_000_001  # stand for the token of a private link, the key of a trial
_PARTICIPANT = Prepared(lambda: _participants().filter(token=_LINK), [_LINK])
_COMING = Prepared(_coming, [_LINK])
_AROUND = Prepared(_around, [_T])


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


class Visit(NamedTuple):
    """A participant who answers a trial, and the trials around it, this one among them.

    The participant comes with no more than the hot endpoints need.
    """

    participant: Participant
    near: list[Planned]


def around(trials: Iterable[int]) -> dict[int, Visit]:
    """The visits of trials by their keys, as the database has them now."""
    return {
        trial.pk: Visit(trial.participant, [Planned._make(row) for row in rows])
        for trial, rows in _AROUND.groups_of(trials)
    }


def coming(link: str) -> tuple[Participant, Ahead] | None:
    """Whose link this is and what comes next, from the database alone; None where it is unknown.

    The first delivery of all is stamped.
    """
    found = _COMING.groups(link)
    participant, rows = found[0] if found else (participant_of(link), [])  # a plan may be empty
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


def trial_of(token: object) -> int | None:
    """The key of a token's trial; one that we would not make now may be made with a retired key."""
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
