"""In which order participants came and completed, remembered: a look fetches only the new ones."""

from bisect import bisect_left
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Max, QuerySet

from survey.kept import Kept
from survey.models import Participant, Study

#: Times are written as they happen, but commits may come so much out of order.
OVERLAP = timedelta(minutes=10)


class _Known(NamedTuple):
    """Who came before `since`, in that order, and who came after."""

    settled: list[int]
    since: datetime
    recent: list[tuple[datetime, int]]

    @property
    def order(self) -> list[int]:
        return self.settled + [pk for _at, pk in self.recent]

    def settle(self) -> "_Known":
        """Let those be settled who came long enough before the last one."""
        since = self.recent[-1][0] - OVERLAP if self.recent else self.since
        at = bisect_left(self.recent, (since,))
        settled = self.settled + [pk for _at, pk in self.recent[:at]]
        return _Known(settled, since, self.recent[at:])


_known: Kept[tuple[Any, ...], _Known] = Kept(80)  # four lists a study


def in_order(study: Study, simulated: bool, time: str, count: int) -> list[int]:
    """Who has the time (`consented_at`, `completed_at`), in its order.

    The last minutes are fetched anew. Where that makes another number than the `count` that the
    database gives, because somebody withdrew, everything is.
    """
    if not count:
        return []
    key = (study.pk, study.created_at, simulated, time)
    people = study.participants.filter(is_simulated=simulated, **{f"{time}__isnull": False})
    known = _known.get(key)
    if known:
        known = known._replace(recent=_since(people, time, known.since))
    if known is None or len(known.settled) + len(known.recent) != count:
        known = _whole(people, time)
    if known is None:
        return []
    _known.keep(key, known.settle())
    return known.order


def _whole(people: QuerySet[Participant], time: str) -> _Known | None:
    """Everybody; the times of most of them stay in the database, for they are slow to read."""
    last = people.aggregate(last=Max(time))["last"]
    if last is None:  # the only one withdrew just now
        return None
    since = last - OVERLAP
    settled = people.filter(**{f"{time}__lt": since}).order_by(time, "pk")
    return _Known([*settled.values_list("pk", flat=True)], since, _since(people, time, since))


def _since(people: QuerySet[Participant], time: str, since: datetime) -> list[tuple[datetime, int]]:
    recent = people.filter(**{f"{time}__gte": since}).order_by(time, "pk")
    return [*recent.values_list(time, "pk")]
