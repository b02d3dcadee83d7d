"""When participants came and completed, remembered, so that a look fetches only the new ones."""

from bisect import bisect_left
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from survey.models import Study

#: Times are written as they happen, but commits may come so much out of order.
OVERLAP = timedelta(minutes=10)
LISTS_KEPT = 80


class Arrival(NamedTuple):
    """When somebody came, or completed."""

    at: datetime
    pk: int


_known: OrderedDict[Any, list[Arrival]] = OrderedDict()


def arrivals(study: Study, simulated: bool, time: str, count: int) -> list[Arrival]:
    """Everybody who has the time (`consented_at`, `completed_at`), in its order; not to be changed.

    The last minutes are fetched anew. Where that makes another number than the `count` that the
    database gives, because somebody withdrew, everything is.
    """
    key = (study.pk, study.created_at, simulated, time)
    rows = _known.get(key, [])
    if rows:
        since = rows[-1].at - OVERLAP
        rows = rows[: bisect_left(rows, (since,))] + _fetched(study, simulated, time, since)
    if len(rows) != count:
        rows = _fetched(study, simulated, time)
    _known[key] = rows
    _known.move_to_end(key)
    while len(_known) > LISTS_KEPT:
        _known.popitem(last=False)
    return rows


def _fetched(
    study: Study, simulated: bool, time: str, since: datetime | None = None
) -> list[Arrival]:
    people = study.participants.filter(is_simulated=simulated, **{f"{time}__isnull": False})
    if since:
        people = people.filter(**{f"{time}__gte": since})
    return [Arrival(*row) for row in people.order_by(time, "pk").values_list(time, "pk")]
