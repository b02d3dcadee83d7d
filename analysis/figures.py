"""Pictures drawn: one sober style, direct labels, intervals always, chance always."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import singledispatch
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib_fontja
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from analysis.exclusions import Kept, Step
from analysis.pictures import Curves, Forest, Picture, Plane, Spread
from analysis.texts import Message, marked, translator

INK, GREY, PALE, PAPER, CHANCE = "#1f1f1d", "#6b6a66", "#c4c2bc", "#f4f3f0", "#a3321f"
WIDTH = 5.0  # inches: small, so that letters stay readable on a phone
COLOURS = (INK, GREY, INK, GREY)  # of curves, whose dashes differ too
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 2, 1.5, 2)))
CLOSING = "）」、。・：%"
LAST_NARROW = 0x2E7F  # code points above take two columns
MOST_DOTS = 25  # in a stack; above, columns
LATIN = ("Inter", "Helvetica Neue", "Helvetica", "Arial", "Liberation Sans", "DejaVu Sans")

Say = Callable[[Message], str]


def save(picture: Picture | Kept, name: str, folder: Path, language: str) -> None:
    """Draw a picture as NAME.svg and NAME.png into the folder."""
    translate = translator(language)
    with _style(language):
        figure = draw(picture, lambda message: message.say(translate))
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
        figure.savefig(folder / f"{name}.png", dpi=150, metadata={"Software": None})


@contextmanager
def _style(language: str) -> Iterator[None]:
    fonts = _fonts(language)
    settings: dict[Any, Any] = {
        "font.family": fonts,
        "font.size": 9.5,
        "text.color": INK,
        "axes.labelcolor": GREY,
        "axes.edgecolor": PALE,
        "axes.facecolor": PAPER,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.unicode_minus": False,
        "axes.labelsize": 8.5,
        "figure.facecolor": PAPER,
        "savefig.facecolor": PAPER,
        "xtick.color": GREY,
        "ytick.color": INK,
        "xtick.major.size": 3,
        "ytick.major.size": 0,
        "xtick.labelsize": 8.5,
        "svg.fonttype": "path",
        "svg.hashsalt": "honmono",
    }
    with mpl.rc_context(settings):
        yield


def _fonts(language: str) -> list[str]:
    """Fonts that are there, the first that has a glyph is used."""
    if language == "ja":
        path = matplotlib_fontja.get_font_ttf_path()
        font_manager.fontManager.addfont(path)
        return ["IPAexGothic"]
    known = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in LATIN if name in known][:1]


def _axes(height: float, left: float = 0.36) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height))
    FigureCanvasAgg(figure)
    bottom, top = 0.55 / height, 1 - 0.42 / height
    axes = figure.add_axes((left, bottom, 0.94 - left, top - bottom))
    return figure, axes


def _null_line(axes: Axes, at: float, label: str) -> None:
    """The line that everything is compared with, named above the plot."""
    axes.axvline(at, color=CHANCE, linewidth=1.1, linestyle=(0, (4, 3)), zorder=1)
    axes.text(
        at,
        1.0,
        label,
        color=CHANCE,
        ha="center",
        va="bottom",
        fontsize=8.5,
        transform=axes.get_xaxis_transform(),
    )


def _percent(axis: Axis) -> None:
    axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], min_n_ticks=3))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.10g}%"))


@singledispatch
def draw(picture: object, say: Say) -> Figure:
    """A figure of the picture; `say` puts a message into the report's language."""
    raise TypeError(f"no figure for {type(picture).__name__}")


@draw.register
def _(picture: Forest, say: Say) -> Figure:
    labels = [_beside(say(line.label)) for line in picture.lines]
    heights, depth = _heights(labels)
    figure, axes = _axes(0.97 + depth)
    for line, height in zip(picture.lines, heights, strict=True):
        result = line.result
        colour = INK if line.strong else GREY
        if result.low is not None and result.high is not None:
            axes.plot(
                [result.low, result.high],
                [height, height],
                color=INK if line.strong else PALE,
                linewidth=5,
                alpha=0.28 if line.strong else 0.9,
                solid_capstyle="round",
                zorder=2,
            )
        if result.estimate is not None:
            axes.plot(result.estimate, height, "o", color=colour, markersize=6, zorder=3)
    axes.set_yticks(heights, labels)
    axes.set_ylim(-depth, 0.0)
    _null_line(axes, picture.null, say(picture.null_label))
    axes.set_xlabel(say(picture.axis))
    _widen(axes, picture)
    if picture.percent:
        _percent(axes.xaxis)
    return figure


def _heights(labels: list[str]) -> tuple[list[float], float]:
    """Where each line lies below the top, in inches, with room for its label; and how deep all."""
    rooms = [max(0.34, 0.12 + 0.16 * (1 + label.count("\n"))) for label in labels]
    ends = np.cumsum(rooms)
    middles = ends - np.array(rooms) / 2
    return [-float(middle) for middle in middles], float(ends[-1])


def _widen(axes: Axes, picture: Forest) -> None:
    """Room on both sides, the null always in sight and the scale never stretched to noise."""
    ends = [picture.null]
    for line in picture.lines:
        ends += [
            v for v in (line.result.low, line.result.high, line.result.estimate) if v is not None
        ]
    least = 0.2 if picture.percent else 0.5
    low, high = min(ends), max(ends)
    room = max(0.08 * (high - low), (least - (high - low)) / 2)
    low, high = low - room, high + room
    axes.set_xlim((max(low, 0.0), min(high, 1.0)) if picture.percent else (low, high))


@draw.register
def _(picture: Spread, say: Say) -> Figure:
    """Stacked dots, one each, or columns where dots would run together."""
    figure, axes = _axes(1.2 + 0.95 * len(picture.rows))
    for row, (_label, values) in enumerate(picture.rows):
        _stack(axes, np.asarray(values, dtype=float), -row)
        axes.axhline(-row, color=PALE, linewidth=0.8)
    names = [f"{_beside(say(label))}\n(n = {len(values):,})" for label, values in picture.rows]
    axes.set_yticks(-np.arange(len(picture.rows)) + 0.3, names)
    axes.set_ylim(-len(picture.rows) + 0.9, 1.0)
    axes.set_xlim(-0.02, 1.02)
    _null_line(axes, picture.null, say(picture.null_label))
    axes.set_xlabel(say(picture.axis))
    _percent(axes.xaxis)
    return figure


def _stack(axes: Axes, values: np.ndarray, base: float) -> None:
    """A dot plot on `base`, at most 0.8 high."""
    places, counts = np.unique(np.round(values * 50) / 50, return_counts=True)
    tallest = max(int(counts.max(initial=1)), 10)
    if tallest > MOST_DOTS:
        axes.vlines(places, base, base + 0.8 * counts / tallest, color=GREY, linewidth=4, zorder=3)
        return
    x = np.repeat(places, counts)
    level = np.concatenate([np.arange(count) for count in counts])
    y = base + 0.8 * (level + 0.6) / tallest
    size = 300 / tallest
    axes.scatter(x, y, s=size, color=INK, alpha=0.6, linewidths=0, zorder=3)


@draw.register
def _(kept: Kept, say: Say) -> Figure:
    """The flow of participants: what stays on the left, what is left out on the right."""
    steps = [step for step in kept.flow if step.trials or step.participants]
    losses = [_loss(step, say) for step in steps]
    height = sum(0.5 + 0.16 * loss.count("\n") for loss in losses) + 0.5
    figure = Figure(figsize=(WIDTH, height))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(-height + 0.25, 0.25)
    people, trials, place = kept.participants, kept.planned, 0.0
    _count(axes, place, people, trials, say, strong=True)
    for step, loss in zip(steps, losses, strict=True):
        room = 0.5 + 0.16 * loss.count("\n")
        middle = place - room / 2
        axes.plot([0.2, 0.2], [place - 0.12, place - room + 0.12], color=PALE, linewidth=1.2)
        axes.plot([0.2, 2.0], [middle, middle], color=PALE, linewidth=1.2)
        axes.text(2.08, middle, loss, va="center", color=GREY, fontsize=8.5)
        people, trials = people - step.participants, trials - step.trials
        place -= room
        _count(axes, place, people, trials, say, strong=step is steps[-1])
    return figure


def _count(axes: Axes, place: float, people: int, trials: int, say: Say, *, strong: bool) -> None:
    values = {"participants": f"{people:,}", "trials": f"{trials:,}"}
    text = say(Message("{participants} participants, {trials} trials", values))
    axes.text(0.1, place, text, va="center", color=INK if strong else GREY)


def _loss(step: Step, say: Say) -> str:
    values = {
        "participants": f"{step.participants:,}",
        "trials": f"{step.trials:,}",
        "why": step.meaning,
    }
    template = marked("− {participants} participants, {trials} trials: {why}")
    return _wrap(say(Message(template, values)), 44)


def _beside(text: str) -> str:
    """A label in the room beside the axes, where Japanese letters are a little wider."""
    return _wrap(text, 22 if any(ord(letter) > LAST_NARROW for letter in text) else 26)


def _wrap(text: str, width: int) -> str:
    """Lines of at most `width` columns; Japanese breaks anywhere but before closing signs."""
    wide = any(ord(letter) > LAST_NARROW for letter in text)
    lines, used = [""], 0
    for word in list(text) if wide else text.split(" "):
        length = sum(2 if ord(letter) > LAST_NARROW else 1 for letter in word) + (not wide)
        if used + length > width and lines[-1] and word not in CLOSING:
            lines, used = [*lines, ""], 0
        lines[-1] += word if wide or not lines[-1] else f" {word}"
        used += length
    return "\n".join(lines)


@draw.register
def _(picture: Curves, say: Say) -> Figure:
    figure, axes = _axes(3.1, left=0.15)
    axes.spines["left"].set_visible(True)
    for number, curve in enumerate(picture.curves):
        colour = COLOURS[number % len(COLOURS)]
        x = np.asarray(curve.x, dtype=float)
        axes.fill_between(x, curve.low, curve.high, color=colour, alpha=0.14, linewidth=0)
        axes.plot(x, curve.y, color=colour, linestyle=DASHES[number % len(DASHES)], linewidth=1.6)
        if curve.points:
            axes.plot(x, curve.y, "o", color=colour, markersize=5)
    if picture.null is not None:
        axes.axhline(picture.null, color=CHANCE, linewidth=1.1, linestyle=(0, (4, 3)))
        axes.text(
            1.0,
            picture.null,
            say(picture.null_label),
            color=CHANCE,
            ha="right",
            va="bottom",
            fontsize=8.5,
            transform=axes.get_yaxis_transform(),
        )
    if picture.diagonal:
        axes.plot([0.5, 1], [0.5, 1], color=CHANCE, linewidth=1.1, linestyle=(0, (4, 3)))
    for place, label in picture.marks:
        axes.axvline(place, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)))
        axes.text(
            place,
            1.0,
            say(label),
            color=GREY,
            ha="center",
            va="bottom",
            fontsize=8.5,
            transform=axes.get_xaxis_transform(),
        )
    if picture.log_x:
        axes.set_xscale("log")
        ticks = sorted({x for curve in picture.curves for x in curve.x})
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    axes.set_xlabel(say(picture.x_axis))
    axes.set_ylabel(say(picture.y_axis))
    if picture.percent:
        _percent(axes.yaxis)
    axes.margins(x=0.06, y=0.12)
    _name_curves(figure, axes, picture, say)
    return figure


def _name_curves(figure: Figure, axes: Axes, picture: Curves, say: Say) -> None:
    """Each curve's name above the end where it leaves room; names there above each other."""
    low, high = axes.get_ylim()
    inches = axes.get_position().height * figure.get_figheight()
    row = 0.17 * (high - low) / inches
    named = [(-1 if curve.y[-1] >= curve.y[0] else 0, curve) for curve in picture.curves]
    for end in (0, -1):
        here = sorted((c for e, c in named if e == end), key=lambda c: c.high[end])
        lowest = low
        for curve in here:
            height = max(curve.high[end] + row / 4, lowest)
            axes.text(
                curve.x[end],
                height,
                say(curve.label),
                ha="right" if end else "left",
                va="bottom",
                color=COLOURS[picture.curves.index(curve) % len(COLOURS)],
            )
            lowest = height + row
        high = max(high, lowest)
    axes.set_ylim(low, high)


@draw.register
def _(picture: Plane, say: Say) -> Figure:
    figure, axes = _axes(3.4, left=0.15)
    axes.spines["left"].set_visible(True)
    for place in picture.places:
        colour = INK if place.on_front else GREY
        axes.plot([place.x] * 2, [place.y_low, place.y_high], color=PALE, linewidth=4, zorder=1)
        axes.plot([place.x], [place.y], "o", color=colour, markersize=6, zorder=3)
        axes.annotate(
            say(place.label),
            (place.x, place.y),
            xytext=(6, 5),
            textcoords="offset points",
            va="bottom",
            color=colour,
        )
    front = sorted((p.x, p.y) for p in picture.places if p.on_front)
    if len(front) > 1:
        axes.plot(*zip(*front, strict=True), color=INK, linewidth=0.9, zorder=2)
    if picture.log_x:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if picture.percent:
        _percent(axes.yaxis)
    axes.margins(x=0.25)
    axes.set_xlabel(say(picture.x_axis))
    axes.set_ylabel(say(picture.y_axis))
    return figure
