"""What the claims of an analysis plan say, in the language of the page."""

from django.utils.translation import gettext_lazy as lazy

CLAIMS = {
    "indistinguishable": lazy("People cannot tell them apart"),
    "prefers_ai": lazy("People prefer the AI side"),
    "more_appealing": lazy("AI images are more appealing"),
    "beauty_features": lazy("Measurable features explain what is liked"),
    "gut_reaction": lazy("The AI advantage is a gut reaction"),
    "disclosure_effect": lazy("Labels change what is liked"),
    "generator_gap": lazy("Generators differ"),
    "open_vs_closed": lazy("Open and closed generators differ"),
    "calibrated": lazy("People know how well they do"),
}
CONTRASTS = {
    "": lazy("all images"),
    "real_vs_ai": lazy("photographs and AI images"),
    "real_vs_enhanced": lazy("photographs and enhanced photographs"),
}


def in_words(claim: str) -> str:
    """A claim such as `indistinguishable:real_vs_ai`, as the form of a study says it."""
    name, _sign, contrast = claim.partition(":")
    said = str(CLAIMS.get(name, name))
    return f"{said} ({CONTRASTS.get(contrast, contrast)})" if contrast else said


def compared(claim: str) -> list[str]:
    """The origins that the contrast of a claim sets against each other; none without one."""
    contrast = claim.partition(":")[2]
    return contrast.split("_vs_") if contrast else []
