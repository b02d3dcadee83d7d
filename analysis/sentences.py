"""The words of a verdict: a lead for everybody, and the reason for the statistician."""

from dataclasses import dataclass

from analysis.estimate import Estimate
from analysis.plan import CLAIMS, NO_DIFFERENCE
from analysis.texts import Message, marked

OTHER = {
    "real_vs_ai": Message("AI images"),
    "real_vs_enhanced": Message("AI-enhanced photographs"),
}
PERCENT = ("indistinguishable", "prefers_ai", "calibrated")


LEADS = {
    ("indistinguishable", "supported"): marked(
        "People could not tell photographs and {other} apart to an extent that matters: "
        "{estimate} of the judgements were correct."
    ),
    ("indistinguishable", "refuted above"): marked(
        "People told photographs and {other} apart better than by guessing: "
        "{estimate} of the judgements were correct."
    ),
    ("indistinguishable", "refuted below"): marked(
        "People mistook {other} for photographs more often than guessing would: "
        "only {estimate} of the judgements were correct."
    ),
    ("indistinguishable", "undecided"): marked(
        "It stays open whether people can tell photographs and {other} apart: "
        "{estimate} of the judgements were correct."
    ),
    ("prefers_ai", "supported"): marked(
        "People preferred {other} to the photographs: they chose them in {estimate} of the pairs."
    ),
    ("prefers_ai", "refuted above"): marked(
        "People had no preference for {other} that matters: they chose them in {estimate} of the "
        "pairs."
    ),
    ("prefers_ai", "refuted below"): marked(
        "People did not prefer {other} to the photographs: they chose them in {estimate} of the "
        "pairs."
    ),
    ("prefers_ai", "undecided"): marked(
        "It stays open whether people prefer {other} to the photographs: they chose them in "
        "{estimate} of the pairs."
    ),
    ("more_appealing", "supported"): marked(
        "{other} were rated as more appealing than the photographs, by {estimate}."
    ),
    ("more_appealing", "refuted above"): marked(
        "{other} were not rated as more appealing than the photographs to an extent that matters; "
        "the difference was {estimate}."
    ),
    ("more_appealing", "refuted below"): marked(
        "{other} were not rated as more appealing than the photographs; the difference was "
        "{estimate}."
    ),
    ("more_appealing", "undecided"): marked(
        "It stays open whether {other} are rated as more appealing than the photographs; the "
        "difference was {estimate}."
    ),
    ("beauty_features", "supported"): marked(
        "What an image measurably looks like, such as its colour and contrast, goes together with "
        "what people preferred."
    ),
    ("beauty_features", "undecided"): marked(
        "It stays open whether measurable features such as colour and contrast go together with "
        "what people preferred."
    ),
    ("gut_reaction", "supported"): marked(
        "The less time people had to look, the more often they chose {other}: the difference "
        "between the shortest and the longest exposure was {estimate}."
    ),
    ("gut_reaction", "refuted above"): marked(
        "The time that people had to look made no difference that matters to how often they chose "
        "{other} ({estimate})."
    ),
    ("gut_reaction", "refuted below"): marked(
        "With less time to look people did not choose {other} more often; the difference was "
        "{estimate}."
    ),
    ("gut_reaction", "undecided"): marked(
        "It stays open whether people choose {other} more often when they have less time to look "
        "({estimate})."
    ),
    ("disclosure_effect", "supported above"): marked(
        "Being told that an image is AI raised how much it was liked, by {estimate}, whatever it "
        "really was."
    ),
    ("disclosure_effect", "supported below"): marked(
        "Being told that an image is AI lowered how much it was liked, by {estimate}, whatever it "
        "really was."
    ),
    ("disclosure_effect", "refuted"): marked(
        "The labels made no difference that matters to how much an image was liked ({estimate})."
    ),
    ("disclosure_effect", "undecided"): marked(
        "It stays open whether the labels change how much an image is liked ({estimate})."
    ),
    ("generator_gap", "supported"): marked(
        "The generators shown differ in how much their images were liked or noticed."
    ),
    ("generator_gap", "undecided"): marked(
        "It stays open whether the generators shown differ from each other."
    ),
    ("open_vs_closed", "supported above"): marked(
        "Images of open generators did better than those of closed ones, by {estimate}."
    ),
    ("open_vs_closed", "supported below"): marked(
        "Images of open generators did worse than those of closed ones, by {estimate}."
    ),
    ("open_vs_closed", "refuted"): marked(
        "Open and closed generators did not differ to an extent that matters ({estimate})."
    ),
    ("open_vs_closed", "undecided"): marked(
        "It stays open whether open and closed generators differ ({estimate})."
    ),
    ("calibrated", "supported"): marked(
        "People were about as sure as they were right: confidence and accuracy differed by "
        "{estimate}."
    ),
    ("calibrated", "refuted above"): marked(
        "People were surer than they were right, by {estimate}."
    ),
    ("calibrated", "refuted below"): marked(
        "People were less sure than they were right, by {estimate}."
    ),
    ("calibrated", "undecided"): marked(
        "It stays open whether people's confidence fits their accuracy; the two differed by "
        "{estimate}."
    ),
}
UNITS = {
    "more_appealing": Message("standard deviations"),
    "gut_reaction": Message("log-odds"),
    "disclosure_effect": Message("standard deviations"),
    "open_vs_closed": Message("log-odds"),
}


NEEDS = {
    "indistinguishable": marked(
        "No trial asked which of two images is AI, or whether one is, beside a real photograph."
    ),
    "prefers_ai": marked("No pair of a photograph and another image was shown to choose from."),
    "more_appealing": marked("No ratings of photographs and of other images were given."),
    "beauty_features": marked(
        "No pair of a photograph and another image was shown to choose from."
    ),
    "gut_reaction": marked("The exposure was not varied."),
    "disclosure_effect": marked(
        "It needs both labels on images of the same origin: true ones and false ones."
    ),
    "generator_gap": marked("The data name fewer than two generators."),
    "open_vs_closed": marked("The data name fewer than two generators."),
    "calibrated": marked("No confidence was asked for in a detection task."),
}


def amount(claim: str, value: float, unit: Message | None = None) -> Message:
    """A value of the claim's estimand, as people read it."""
    base = claim.split(":")[0]
    if base == "calibrated":
        return Message("{value:+.1f} percentage points", {"value": 100 * value})
    if base in PERCENT:
        return Message("{value:.1%}", {"value": value})
    if unit is None:
        return Message("{value:+.2f}", {"value": value})
    return Message("{value:+.2f} {unit}", {"value": value, "unit": unit})


def span(claim: str, low: float, high: float) -> Message:
    """An interval of the claim's estimand, as people read it."""
    base = claim.split(":")[0]
    if base == "calibrated":
        values = {"low": 100 * low, "high": 100 * high}
        return Message("{low:+.1f} to {high:+.1f} percentage points", values)
    if base in PERCENT:
        return Message("{low:.1%} to {high:.1%}", {"low": low, "high": high})
    return Message("{low:+.2f} to {high:+.2f}", {"low": low, "high": high})


def tick(claim: str, value: float) -> Message:
    """A value at the end of a scale, as short as can be."""
    base = claim.split(":")[0]
    if base == "calibrated":
        return Message("{value:+.0f} points", {"value": 100 * value})
    if base in PERCENT:
        return Message("{value:.0%}", {"value": value})
    return Message("{value:+.2g}", {"value": value})


def size(claim: str, value: float) -> Message:
    """The size of a difference in the claim's estimand."""
    if claim.split(":")[0] in PERCENT:
        return Message("{value:.1f} percentage points", {"value": 100 * value})
    return Message("{value:.2f}", {"value": value})


def lead(
    claim: str,
    verdict: str,
    estimate: Estimate | None,
    *,
    contrast: str = "real_vs_ai",
    unit: Message | None = None,
) -> Message:
    """The verdict in a sentence for everybody."""
    base = claim.split(":")[0]
    values: dict[str, object] = {"other": OTHER[contrast]}
    side = ""
    if estimate is not None:
        side = " above" if estimate.value > (CLAIMS[base].null or 0.0) else " below"
        values["estimate"] = amount(claim, estimate.value, unit or UNITS.get(base))
    template = LEADS.get((base, verdict)) or LEADS[(base, verdict + side)]
    return Message(template, values)


@dataclass(frozen=True)
class Reason:
    """Why a verdict on an estimate came out as it did."""

    claim: str
    estimate: Estimate
    verdict: str
    differs: bool
    equivalent: bool
    p_effect: float
    p_equal: float
    level: float
    smallest: float

    def message(self) -> Message:
        """One sentence with the numbers that decided; p-values are the adjusted ones."""
        null = CLAIMS[self.claim.split(":")[0]].null or 0.0
        smallest, inner = self.smallest, 2 * self.level - 1
        values = {
            "level": self.level,
            "inner": inner,
            "interval": span(self.claim, *self.estimate.interval(self.level)),
            "inner_interval": span(self.claim, *self.estimate.interval(inner)),
            "region": span(self.claim, null - smallest, null + smallest),
            "null": Message("{value:.0%}", {"value": null}) if null else "0",
            "smallest": size(self.claim, smallest),
            "p": p_text(self.p_effect),
            "p_equal": p_text(self.p_equal),
        }
        return Message(self._template(null), values)

    def _template(self, null: float) -> str:
        low, high = self.estimate.interval(self.level)
        no_difference = CLAIMS[self.claim.split(":")[0]].kind == NO_DIFFERENCE
        if self.equivalent and self.differs and self.verdict == "supported":
            return marked(
                "The {level:.0%} interval, {interval}, leaves out {null} (p {p}), but the effect "
                "is smaller than the smallest effect of interest: the {inner:.0%} interval, "
                "{inner_interval}, lies within {region} (p {p_equal})."
            )
        if self.equivalent and (no_difference or not self.differs):
            return marked(
                "The {inner:.0%} interval, {inner_interval}, lies within {region}, the region that "
                "counts as no difference (p {p_equal})."
            )
        if self.differs:
            return marked("The {level:.0%} interval, {interval}, leaves out {null} (p {p}).")
        if low > null or high < null:
            return marked(
                "The {level:.0%} interval, {interval}, leaves out {null}, but not after the "
                "correction for testing several claims (p {p})."
            )
        return marked(
            "The {level:.0%} interval is {interval}. It shows neither a difference from {null} "
            "(p {p}) nor that the difference is smaller than {smallest} (p {p_equal})."
        )


def joint_reason(p: float) -> Message:
    """Why a joint test's verdict came out as it did; a large p-value supports nothing."""
    return Message(marked("Joint test of all differences: p {p}."), {"p": p_text(p)})


def p_text(p: float) -> str:
    """A p-value with its sign: = 0.012 or < 0.0001."""
    return "< 0.0001" if p < 0.0001 else f"= {p:.4f}" if p < 0.001 else f"= {p:.3f}"
