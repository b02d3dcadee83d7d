import itertools
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from analysis import exclusions, figures
from analysis.pictures import Curve, Curves, Forest, Line, Place, Plane, Spread
from analysis.results import Result
from analysis.simulate import Truth, simulate
from analysis.texts import Message
from tests.analysis.simulated import typed

TITLE, CHANCE = Message("How often photographs and AI images were told apart"), Message("chance")


def result(estimate, low, high):
    row = ("detectability", "detect_pair", "all", "accuracy", estimate, low, high, 0.95, 0.01)
    return Result(*row, 10, 20, 100, "glmm")


def forest(percent=True):
    lines = [
        Line(Message("in pairs"), result(0.6, 0.55, 0.66), strong=True),
        Line(Message("one at a time"), result(0.52, None, None)),
    ]
    axis = Message("correct responses")
    return Forest("f", TITLE, axis, lines, 0.5, CHANCE, percent=percent)


def spread(n):
    values = np.random.default_rng(1).random(n).tolist()
    return Spread("s", TITLE, Message("correct responses"), [(CHANCE, values)], 0.5, CHANCE)


def curves(**given):
    curve = Curve(Message("preferred"), [100, 400], [0.6, 0.5], [0.5, 0.4], [0.7, 0.6])
    axes = (Message("exposure in milliseconds"), Message("share of responses"))
    return Curves("c", TITLE, *axes, [curve], 0.5, CHANCE, **given)


def plane():
    places = [Place(Message("g1"), 0.01, 0.5, 0.4, 0.6, True), Place(Message("g2"), 1, 0.4, 0, 1)]
    return Plane("p", TITLE, Message("price of an image in US dollars"), CHANCE, places, log_x=True)


def flow():
    table = simulate(Truth(participants=8, pairs=5, unanswered=0.2))
    return exclusions.apply(typed(table), include_simulated=True)


PICTURES = {
    "forest": forest(),
    "numbers": forest(percent=False),
    "few": spread(20),
    "many": spread(3000),
    "curves": curves(),
    "log": curves(log_x=True, diagonal=True, marks=[(200, Message("liked best"))]),
    "plane": plane(),
    "flow": flow(),
}


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("name", list(PICTURES))
def test_every_picture_is_drawn_as_svg_and_png(tmp_path, name, language):
    figures.save(PICTURES[name], name, tmp_path, language)

    root = ElementTree.parse(tmp_path / f"{name}.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    with Image.open(tmp_path / f"{name}.png") as image:
        assert image.width == 750


def test_letters_are_paths_so_that_no_font_is_needed(tmp_path):
    figures.save(forest(), "f", tmp_path, "ja")

    text = (tmp_path / "f.svg").read_text(encoding="utf-8")
    assert (text.count("<text"), "IPAexGothic" in text) == (0, True)


def test_a_figure_is_the_same_each_time(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        figures.save(spread(50), "s", tmp_path / name, "en")

    for kind in ("svg", "png"):
        files = [(tmp_path / name / f"s.{kind}").read_bytes() for name in ("one", "two")]
        assert files[0] == files[1]


def test_chance_and_intervals_are_drawn():
    figure = figures.draw(forest(), str)
    (axes,) = figure.axes
    drawn = [tuple(float(x) for x in line.get_xdata()) for line in axes.lines]

    assert (0.55, 0.66) in drawn
    assert (0.5, 0.5) in drawn
    assert [text.get_text() for text in axes.texts] == ["chance"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["in pairs", "one at a time"]


def test_the_axis_never_stretches_noise():
    narrow = Forest("f", TITLE, CHANCE, [Line(CHANCE, result(0.501, 0.499, 0.503))], 0.5, CHANCE)

    low, high = figures.draw(narrow, str).axes[0].get_xlim()

    assert high - low == pytest.approx(0.2)


def test_many_values_are_columns_and_few_are_dots():
    few, many = (figures.draw(spread(n), str).axes[0].collections for n in (20, 3000))

    assert len(few[0].get_offsets()) == 20
    assert len(many[0].get_segments()) == 51


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("one two three", 8, "one two\nthree"),
        ("one two", 20, "one two"),
        ("見分けられた割合", 8, "見分けら\nれた割合"),
        ("四つの字）と", 8, "四つの字）\nと"),
    ],
)
def test_labels_wrap_in_both_languages(text, width, expected):
    assert figures._wrap(text, width) == expected


def test_something_else_has_no_figure():
    with pytest.raises(TypeError, match="no figure for dict"):
        figures.draw({}, str)


def test_names_of_curves_do_not_cover_each_other():
    same = [Curve(Message(name), [1, 2], [0.6, 0.5], [0.5, 0.4], [0.7, 0.6]) for name in "ab"]
    picture = Curves("c", TITLE, CHANCE, CHANCE, same, None, CHANCE)

    figure = figures.draw(picture, str)
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]

    assert [text.get_text() for text in figure.axes[0].texts] == ["a", "b"]
    assert not boxes[0].overlaps(boxes[1])


def test_long_labels_have_room():
    label = Message("a label that is far too long for a single line of the figure, even for two")
    rows = [Line(label, result(0.6, 0.5, 0.7))] * 3

    figure = figures.draw(Forest("f", TITLE, CHANCE, rows, 0.5, CHANCE), str)
    boxes = [text.get_window_extent() for text in figure.axes[0].get_yticklabels()]

    assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))
