"""What is wrong with a design, in the language of whoever reads it.

`survey.design` knows no Django: its faults carry English templates and their values.
"""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from survey import design


def said(message: object) -> str:
    """A message of the design, or any other, in the language of the page."""
    return message.say(_) if isinstance(message, design.Message) else str(message)


def in_words(fault: design.Fault | design.TomlFault) -> str:
    """What was found and what is allowed, without the place."""
    words = {"found": said(design.shown(fault.found)), "allowed": said(fault.allowed)}
    return _("Found: %(found)s. Allowed: %(allowed)s.") % words


def told(fault: object) -> str:
    """A fault with its place, for where it stands alone."""
    if isinstance(fault, design.TomlFault):
        words = {"line": fault.line, "place": fault.place, "fault": in_words(fault)}
        if fault.place:
            return _("Line %(line)s, %(place)s: %(fault)s") % words
        return _("Line %(line)s: %(fault)s") % words
    if isinstance(fault, design.Fault):
        return _("%(place)s: %(fault)s") % {"place": fault.place, "fault": in_words(fault)}
    return said(fault)


def all_told(error: design.DesignError) -> list[str]:
    """Every fault of a design."""
    return list(map(told, error.faults))


def as_text(faults: Iterable[object]) -> str:
    """Faults one below another."""
    return "\n".join(map(told, faults))
