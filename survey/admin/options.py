"""The allowed values of a design in the words of the researcher's forms."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext_lazy as lazy

from survey import design

BLOCK_ORDERS = {
    "fixed": lazy("as listed"),
    "counterbalanced": lazy("counterbalanced over participants"),
    "random": lazy("random"),
    "one": lazy("one block a participant"),
}
FITS = {
    "pad": lazy("whole, with neutral bars"),
    "crop": lazy("cut to fill"),
}
FULLSCREEN = {
    "offer": lazy("offered by a button"),
    "ask": lazy("asked for before each block; participants may decline"),
    "off": lazy("not offered"),
}
PAIRINGS = {
    "matched": lazy("matched: a photograph and what an AI made of it"),
    "random": lazy("random: any photograph and any AI image of a category"),
    "ai_vs_ai": lazy("AI against AI, to rank generators"),
}
ORIGINS = {"ai": lazy("generated"), "enhanced": lazy("photographs changed by an AI")}
DISCLOSURES = {
    "hidden": lazy("none"),
    "true_labels": lazy("true labels"),
    "false_labels": lazy("false labels"),
}
VARIES = {"within": lazy("within a participant"), "between": lazy("between participants")}
FEEDBACK = {
    "never": lazy("never"),
    "practice": lazy("after practice trials"),
    "each": lazy("after each trial"),
}
CONFIDENCE = {
    0: lazy("not asked"),
    **{n: str(n) for n in range(2, 8)},
    design.CONFIDENCE_SLIDER: lazy("slider"),
}


def labelled(names: Iterable[Any], labels: dict[Any, Any]) -> list[tuple[Any, Any]]:
    """The allowed values of the design, each with its words."""
    return [(name, labels[name]) for name in names]
