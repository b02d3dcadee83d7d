"""Positions in the small interval picture, which templates draw as SVG."""

from django import template

register = template.Library()


@register.filter
def percent_of(part: float, whole: float) -> str:
    """`part` as a percentage of `whole`, in the form that SVG understands in every language."""
    return f"{100 * part / whole:.2f}%"


@register.filter
def width_to(low: float, high: float) -> float:
    """The distance from `low` to `high`."""
    return high - low
