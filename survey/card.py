"""The card with which somebody shares a score: numbers and words, and no stimulus."""

import io
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

from django.utils.translation import get_language
from django.utils.translation import gettext as _
from PIL import Image, ImageDraw, ImageFont

from survey.results import Score

WIDTH, HEIGHT, EDGE = 1200, 630, 88
#: Everything is drawn so much larger and made smaller at the end: round edges become smooth.
SCALE = 2

SURROUND, INK, GREY = "#e9e8e4", "#1f1f1d", "#5e5d58"
LINE, BAR, ACCENT = "#c6c5bf", "#b4b3ad", "#a3321f"
AXIS_Y = 446

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def png(score: Score, link: str) -> bytes:
    """The card as a PNG, in the present language."""
    return drawn(score, link, get_language())


@lru_cache(maxsize=64)
def drawn(score: Score, link: str, _language: str) -> bytes:
    """Drawn once for each content: it takes a quarter of a second."""
    image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), SURROUND)
    pen = Pen(ImageDraw.Draw(image))
    told = _("of %(n)s pictures") if score.of_pictures else _("of %(n)s pairs")
    pen.write(EDGE, 100, "Honmono", 30, INK, weight=1)
    pen.write(EDGE, 180, _("I told photograph and AI apart in"), 34, GREY)
    after = pen.number(EDGE, 352, score.correct, 190)
    pen.write(after + 30, 352, told % {"n": score.n}, 52, GREY)
    _picture(pen, score)
    pen.write(EDGE, 566, _fitting(link, 26), 26, GREY)
    out = io.BytesIO()
    image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()


class Pen:
    """Draws in pixels of the card."""

    def __init__(self, draw: ImageDraw.ImageDraw) -> None:
        self.draw = draw

    def write(
        self,
        x: float,
        y: float,
        text: str,
        size: int,
        colour: str,
        *,
        weight: int = 0,
        at: str = "l",
    ) -> float:
        """Text on the base line y; returns where it ends. `at` is l, m or r."""
        font = font_for(text, size * SCALE)
        self.draw.text(
            (x * SCALE, y * SCALE), text, colour, font, f"{at}s", stroke_width=weight * SCALE / 2
        )
        return x + self.draw.textlength(text, font) / SCALE

    def number(self, x: float, y: float, value: int, size: int) -> float:
        """A large number with its digits close together; returns where it ends."""
        font, weight = _font("", size * SCALE), size * SCALE // 40
        right = x * SCALE
        for digit in str(value):
            left, end = _ink(digit, font)
            place = (right + weight - left, y * SCALE)
            self.draw.text(place, digit, INK, font, "ls", stroke_width=weight)
            right += end - left + 2 * weight + size * SCALE // 14
        return right / SCALE

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, width: int) -> None:
        self.draw.line([c * SCALE for c in (x1, y1, x2, y2)], colour, width * SCALE)

    def bar(self, x1: float, x2: float, y: float, thick: int, colour: str) -> None:
        box = [c * SCALE for c in (x1, y - thick / 2, x2, y + thick / 2)]
        self.draw.rounded_rectangle(box, thick * SCALE / 2, colour)

    def dot(self, x: float, y: float, radius: int, colour: str) -> None:
        self.draw.circle((x * SCALE, y * SCALE), radius * SCALE, colour)


def _ink(text: str, font: Font) -> tuple[float, float]:
    """From where to where the ink of a text goes; the typeface's own width is the same for all."""
    room = int(font.getlength(text))
    trial = Image.new("L", (3 * room, 3 * room))
    ImageDraw.Draw(trial).text((room, 2 * room), text, 255, font, "ls")
    left, _top, right, _bottom = trial.getbbox() or (room, 0, room, 0)
    return left - room, right - room


def _picture(pen: Pen, score: Score) -> None:
    """The score with its interval and chance, as on the debriefing page."""

    def place(count: float) -> float:
        return EDGE + (WIDTH - 2 * EDGE) * count / score.n

    pen.line(EDGE, AXIS_Y, WIDTH - EDGE, AXIS_Y, LINE, 3)
    pen.bar(place(score.low), place(score.high), AXIS_Y, 18, BAR)
    chance = place(score.chance)
    for top in range(AXIS_Y - 30, AXIS_Y + 30, 12):
        pen.line(chance, top, chance, top + 7, ACCENT, 3)
    pen.dot(place(score.correct), AXIS_Y, 15, INK)
    pen.write(chance, AXIS_Y - 42, _("chance"), 24, ACCENT, at="m")
    if score.correct > 0.04 * score.n:
        pen.write(EDGE, AXIS_Y + 48, "0", 24, GREY)
    if score.correct < 0.96 * score.n:
        pen.write(WIDTH - EDGE, AXIS_Y + 48, str(score.n), 24, GREY, at="r")


def _fitting(text: str, size: int) -> str:
    """The text, cut where the card ends."""
    font, width = font_for(text, size), WIDTH - 2 * EDGE
    if font.getlength(text) <= width:
        return text
    while font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def font_for(text: str, size: int) -> Font:
    """Pillow's own typeface for what it can write, a Japanese one for everything else."""
    return _font("" if text.isascii() else _japanese(), size)


@cache
def _font(path: str, size: int) -> Font:
    return ImageFont.truetype(path, size) if path else ImageFont.load_default(size)


@cache
def _japanese() -> str:
    """The IPAex Gothic that comes with a package of ours; it is found, not imported."""
    spec = find_spec("matplotlib_fontja")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package matplotlib-fontja, which brings the Japanese font")
    return str(Path(spec.origin).parent / "fonts" / "ipaexg.ttf")
