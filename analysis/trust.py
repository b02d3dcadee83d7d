"""How far a fitted mixed model can be trusted, and what a reader has to know of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.factors import Codes, has_items, limits
from analysis.labels import factor_label
from analysis.mixed import MixedFit
from analysis.texts import Message, marked

DIVERGED = marked(
    "{what}: the mixed model did not converge. Its numbers mean nothing, and no verdict goes "
    "beyond undecided."
)
PERFECT = Message("The model fits every response exactly, so chance cannot be modelled.")


@dataclass(frozen=True)
class Trust:
    """Warnings about a fit; `limit` says why no verdict may go beyond undecided."""

    warnings: list[Message]
    limit: Message | None


def trust(factors: Mapping[str, Codes], what: Message, fit: MixedFit, *others: MixedFit) -> Trust:
    """How far a result can be trusted that rests on one fit or several of the same responses."""
    warnings = limits(factors, what) + boundary(fit, what)
    if not all(each.converged for each in (fit, *others)):
        diverged = Message(DIVERGED, {"what": what})
        return Trust([*warnings, diverged], diverged)
    return Trust(warnings, None if has_items(factors) else warnings[0])


def boundary(fit: MixedFit, what: Message) -> list[Message]:
    """Warnings about standard deviations of intercepts that are exactly zero."""
    return [
        Message(
            "{what}: no variation between the levels of {factor} beyond chance was found (a "
            "standard deviation of exactly zero).",
            {"what": what, "factor": factor_label(name)},
        )
        for name in fit.boundary
        if ":" not in name
    ]


def left_out(what: Message, term: str) -> Message:
    """The warning about an exploratory fit that did not converge."""
    return Message(
        "{what}: the mixed model for {term} did not converge and was left out.",
        {"what": what, "term": term},
    )
