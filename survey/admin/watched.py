"""The parts of the watch page: a sentence first, then a picture, then the table behind it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from survey import charts, conduct, monitor
from survey.charts import Column, Histogram, Line, LineChart, Mark
from survey.conduct import CHANCE, FIRST_LOOK, Conduct, Key, Running
from survey.models import Study, Task
from survey.monitor import Census, Enrolment, Reached

#: Response times are drawn from a fifth of a second to a minute.
RT_MS = (200.0, 60_000.0)
RT_MARKS = {200: "0.2", 1_000: "1", 5_000: "5", 20_000: "20", 60_000: "60"}
RT_CELLS = 40
#: Participants at which the table behind a running estimate has a row.
LOOKS = (30, 50, 75, 100, 150, 200, 300, 500, 750, 1_000, 2_000, 5_000, 10_000, 50_000)
MOST_POINTS = 300
#: Durations of fewer minutes, such as those of simulated participants, are told in seconds.
SECONDS_BELOW = 2

ORIGINS = {
    "real": gettext_lazy("photograph"),
    "ai": gettext_lazy("AI image"),
    "enhanced": gettext_lazy("photograph changed by an AI"),
}
FLAGS = {
    "fast": gettext_lazy("very fast response"),
    "focus_lost": gettext_lazy("page out of focus"),
    "rt_exceeds_server": gettext_lazy("longer in the browser than on the server"),
}


@dataclass(frozen=True)
class Section:
    """One part of the page; `kind` names the template that draws the pictures."""

    key: str
    title: str
    sentence: str
    kind: str = ""
    charts: Sequence[Any] = ()
    header: tuple[str, ...] = ()
    rows: Sequence[Sequence[Any]] = ()
    note: str = ""
    is_wide: bool = False


def sections(
    study: Study, counts: dict[bool, Census], simulated: bool, sees_responses: bool
) -> list[Section]:
    """Who came, for everybody who watches; what they answered, for those who see responses."""
    came = monitor.enrolment(study, counts, simulated)
    did = conduct.of(study, came.done, simulated)
    parts: list[Section | None] = [_enrolment(came), _flow(came, did), _flags(did)]
    if sees_responses:
        parts += [_peek(running) for running in did.estimates]
    parts.append(_exposures(study, simulated))
    if sees_responses:
        times = conduct.response_times(study, came.done, simulated)
        parts += [_sides(did), _response_times(times)]
    return [part for part in parts if part is not None]


# --- who came ------------------------------------------------------------------------------------


def _enrolment(came: Enrolment) -> Section:
    if not came.entered:
        return Section("enrolment", _("Enrolment"), _("Nobody has entered yet."), is_wide=True)
    return Section(
        "enrolment",
        _("Enrolment"),
        _places(came),
        "lines",
        [_enrolment_chart(came)],
        (_("day"), _("entered"), _("completed")),
        [(f"{day}", entered, completed) for day, entered, completed in came.days],
        is_wide=True,
    )


def _places(came: Enrolment) -> str:
    values = {"n": f"{came.completed:,}", "places": f"{came.places:,}"}
    if came.quota is None:
        text = ngettext(
            "%(n)s person has completed.", "%(n)s people have completed.", came.completed
        )
        return text % values
    text = ngettext(
        "%(n)s person has completed; %(places)s of %(quota)s places are taken.",
        "%(n)s people have completed; %(places)s of %(quota)s places are taken.",
        came.completed,
    )
    return text % (values | {"quota": f"{came.quota:,}"})


def _enrolment_chart(came: Enrolment) -> LineChart:
    start, end = timezone.localtime(came.entered_at[0].at), timezone.localtime()
    top = charts.ceiling(max(came.entered, came.quota or 0))
    lines = [
        _count_line(came.entered_at, start, end, top, "entered", _("entered")),
        _count_line(came.completed_at, start, end, top, "completed", _("completed")),
    ]
    quota = f"{_('quota')} {came.quota:,}" if came.quota else ""
    levels = [Mark(100 * came.quota / top, quota, "quota")] if came.quota else []
    return LineChart(_places(came), lines, levels=levels, across=charts.time_marks(start, end))


def _count_line(
    reached: Sequence[Reached], start: datetime, end: datetime, top: int, kind: str, name: str
) -> Line:
    now = reached[-1].number if reached else 0
    label = Mark(100 * now / top, f"{name} {now:,}", kind)
    return Line(charts.points(charts.steps(reached, start, end, top)), kind, label)


def _flow(came: Enrolment, did: Conduct) -> Section:
    rows = [
        (_("entered and consented"), came.entered),
        (_("started"), came.started),
        (_("completed"), came.completed),
        (_("completed, with a flag"), did.sums.flagged),
        (_("completed over quota"), came.over_quota),
        (_("withdrawn"), came.withdrawn),
    ]
    header = (_("step"), _("participants"))
    return Section("flow", _("Flow"), _duration(came), "bars", charts.bars(rows), header, rows)


def _duration(came: Enrolment) -> str:
    if came.median_minutes is None:
        return _("Nobody has completed yet.")
    if came.median_minutes >= SECONDS_BELOW:
        text = _("Half of those who completed took less than %(minutes)s minutes.")
        return text % {"minutes": f"{came.median_minutes:.1f}"}
    n = int(60 * came.median_minutes) + 1
    text = ngettext(
        "Half of those who completed took less than a second.",
        "Half of those who completed took less than %(n)s seconds.",
        n,
    )
    return text % {"n": n}


def _flags(did: Conduct) -> Section:
    people = did.sums.flagged_people.most_common()
    rows = [(FLAGS.get(name, name), n, did.sums.flags[name]) for name, n in people]
    header = (_("flag"), _("participants"), _("trials"))
    text = _("Flags mark trials to look at; nothing is left out because of them.")
    bars = charts.bars([(label, n) for label, n, _trials in rows], longest=did.looked_at)
    if not rows:
        text = _("No trial of those who completed has a flag.")
    return Section("flags", _("Flags"), text, "bars", bars, header, rows)


def _exposures(study: Study, simulated: bool) -> Section | None:
    counts = {
        block: list(units.values())
        for block, units in monitor.exposures(study, simulated).items()
        if any(units.values())
    }
    if not counts:
        return None
    header = (_("block"), _("given out so often"), _("pairs or images"))
    rows = [
        (block, times, things)
        for block, numbers in counts.items()
        for times, things in sorted(Counter(numbers).items())
    ]
    pictures = [_exposure_chart(block, numbers) for block, numbers in counts.items()]
    text = _("How often each pair or image was given out: the planner keeps it even.")
    return Section("exposures", _("Exposures"), text, "columns", pictures, header, rows)


def _exposure_chart(block: str, numbers: list[int]) -> Histogram:
    values = {"block": block, "low": min(numbers), "high": max(numbers)}
    text = _("%(block)s: %(low)s to %(high)s times") % values
    if min(numbers) == max(numbers):
        text = _("%(block)s: %(low)s times each") % values
    width = 100 / len(numbers)
    columns = [
        Column(i * width, width, 100 * number / max(numbers)) for i, number in enumerate(numbers)
    ]
    return Histogram(text, columns, [])


# --- what they answered --------------------------------------------------------------------------


def _peek(running: Running) -> Section:
    key, now = running.key, running.n - 1
    values = {
        "n": f"{running.n:,}",
        "estimate": percent(running.mean[now]),
        "low": percent(running.low[now]),
        "high": percent(running.high[now]),
        "level": f"{100 * running.level:g}",
        "first": FIRST_LOOK,
    }
    if running.is_open:
        text = _(
            "%(estimate)s over %(n)s participants; between %(low)s and %(high)s with %(level)s%% "
            "confidence, however often you look."
        )
    else:
        text = _(
            "%(n)s participants so far. The estimate and its interval are shown from "
            "%(first)s participants on."
        )
    return Section(
        "-".join(filter(None, key)),
        f"{_measure(key)}: {contrast(key.contrast)}",
        text % values,
        "lines" if running.is_open else "",
        [_peek_chart(running, text % values)] if running.is_open else (),
        (_("participants"), _("estimate"), _("from"), _("to")),
        _looks(running),
        _("Valid for this set of images only, not for images in general: that is for the report."),
    )


def _measure(key: Key) -> str:
    if key.measure == "accuracy":
        one = key.task == Task.DETECT_SINGLE
        return _("Accuracy, single images") if one else _("Accuracy, pairs")
    name = _("AI-choice share")
    return f"{name} ({key.question})" if key.question else name


def contrast(name: str) -> str:
    """What is compared, in words."""
    first, _vs, second = name.partition("_vs_")
    values = {"first": ORIGINS.get(first, first), "second": ORIGINS.get(second, second)}
    return _("%(first)s against %(second)s") % values


def percent(share: float) -> str:
    """A share for people."""
    return f"{100 * share:.1f}%"


def _peek_chart(running: Running, text: str) -> LineChart:
    numbers = range(FIRST_LOOK - 1, running.n)
    numbers = [*numbers[:: max(1, len(numbers) // MOST_POINTS)], running.n - 1]
    first = FIRST_LOOK - 1  # from there on bounds only come closer
    low, high = _limits([running.low[first], running.high[first], running.mean[-1], CHANCE])

    def at(number: int, share: float) -> tuple[float, float]:
        return 100 * (number + 1) / running.n, 100 * (share - low) / (high - low)

    mean = [at(i, running.mean[i]) for i in numbers]
    there = [at(i, running.high[i]) for i in numbers]
    back = [at(i, running.low[i]) for i in reversed(numbers)]
    label = Mark(mean[-1][1], percent(running.mean[-1]), "estimate")
    return LineChart(
        text,
        [Line(charts.points(mean), "estimate", label)],
        bands=[charts.points([*there, *back])],
        levels=[Mark(at(0, CHANCE)[1], _("chance"), "chance")],
        across=[Mark(0, "1"), Mark(100, f"{running.n:,}"), Mark(50, _("participants"))],
        up=[Mark(0, f"{100 * low:.0f}%"), Mark(100, f"{100 * high:.0f}%")],
    )


def _limits(shares: list[float]) -> tuple[float, float]:
    """Round ends of an axis that has room for all of them."""
    low, high = int(10 * min(shares)) / 10, -int(-10 * max(shares) // 1) / 10
    return low, max(high, low + 0.1)


def _looks(running: Running) -> list[tuple[str, str, str, str]]:
    at = [n for n in LOOKS if n < running.n] + [running.n]
    return [
        (f"{n:,}", *map(percent, (running.mean[n - 1], running.low[n - 1], running.high[n - 1])))
        for n in at
        if n >= FIRST_LOOK
    ]


def _sides(did: Conduct) -> Section | None:
    if did.left is None or not did.sums.pairs:
        return None
    left, now = did.left, did.left.n - 1
    values = {"left": percent(left.mean[now]), "ai": percent(did.sums.ai_left / did.sums.pairs)}
    text = _("The left side was chosen in %(left)s; the AI image was on the left in %(ai)s.")
    bounds = (left.low[now], left.high[now]) if left.is_open else (None, None)
    pictures = [
        _share_chart(_("left side chosen"), left.mean[now], *bounds),
        _share_chart(_("AI image on the left"), did.sums.ai_left / did.sums.pairs),
    ]
    header = (_("share"), _("estimate"), _("from"), _("to"))
    rows = [
        (c.label, percent(c.estimate), *("–" if b is None else percent(b) for b in (c.low, c.high)))
        for c in pictures
    ]
    return Section("sides", _("Sides"), text % values, "interval", pictures, header, rows)


def _share_chart(
    label: str, share: float, low: float | None = None, high: float | None = None
) -> charts.Interval:
    return charts.Interval(label, share, low, high, CHANCE, _("half"))


def _response_times(times: dict[str, list[float]]) -> Section | None:
    if not times:
        return None
    rows = [
        (Task(task).label, *(f"{value / 1000:.2f}" for value in _quartiles(values)))
        for task, values in times.items()
    ]
    pictures = [_time_chart(Task(task).label, values) for task, values in times.items()]
    text = _("Seconds from the paint of the images to the response, of the last %(n)s people.")
    header = (_("task"), _("a quarter below"), _("half below"), _("three quarters below"))
    title = _("Response times")
    return Section("times", title, text % {"n": conduct.RECENT}, "columns", pictures, header, rows)


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    ordered = sorted(values)
    last = len(ordered) - 1
    return ordered[last // 4], median(ordered), ordered[-(last // 4) - 1]


def _time_chart(name: str, values: list[float]) -> Histogram:
    middle = median(values)
    told = {"task": name, "seconds": f"{middle / 1000:.1f}"}
    text = _("%(task)s: half below %(seconds)s seconds") % told
    marks = [Mark(charts.place(ms, *RT_MS), f"{words} s") for ms, words in RT_MARKS.items()]
    line = Mark(charts.place(middle, *RT_MS), told["seconds"], "median")
    return Histogram(text, charts.log_histogram(values, *RT_MS, RT_CELLS), marks, [line])
