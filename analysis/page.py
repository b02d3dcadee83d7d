"""The report as one page: self-contained, printable, without script."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from analysis import labels, paragraphs
from analysis.answers import Answers, versions
from analysis.plan import CLAIMS
from analysis.results import EVERYONE, Claim, Result, everyone, is_share
from analysis.samples import Finding
from analysis.sentences import tick
from analysis.texts import Message, translator

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Verdict:
    """A claim with its place on a scale, for the small interval picture."""

    claim: Claim
    label: Message
    places: dict[str, float]  # in percent of the picture's width
    ends: tuple[Message, Message] | None

    @property
    def is_tested(self) -> bool:
        return self.claim.verdict != "not_tested"


def render(answers: Answers, drawn: Path, language: str, settings: dict[str, Any]) -> str:
    """The page, with the figures in `drawn` put into it."""
    environment = _environment(translator(language), drawn)
    verdicts = [verdict(answers, claim) for claim in answers.claims]
    return environment.get_template("report.html").render(
        answers=answers,
        counts=answers.counts(),
        language=language,
        settings=settings,
        versions=versions(),
        verdicts=verdicts,
        questions=[_question(answers, found) for found in answers.findings if found.results],
        methods=paragraphs.methods(answers),
        results=paragraphs.results(answers),
        naive=paragraphs.naive_comparison(answers),
    )


def _environment(translate: Callable[[str], str], drawn: Path) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        _=translate,
        say=lambda message: typeset(message.say(translate)),
        svg=lambda name: _inline(drawn / f"{name}.svg"),
        labels=labels,
        number=number,
        breakable=breakable,
    )
    return environment


def typeset(text: str) -> str:
    """True minus signs, and no line break inside a p-value."""
    text = re.sub(r"(?<![A-Za-z0-9.])-(?=\d)", "\N{MINUS SIGN}", text)
    return re.sub(r"\bp ([=<]) ", "p\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", text)


def _inline(path: Path) -> Markup:
    """An SVG for the page: without prologue, its ids made unique by the figure's name."""
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    prefix = f"{path.stem}-"
    text = re.sub(r'\bid="', f'id="{prefix}', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}", text)
    return Markup(text)  # noqa: S704 - drawn by ourselves a moment ago


def breakable(text: str) -> Markup:
    """A long name of a subset, with places where a line may end."""
    return Markup("<wbr>").join(re.split("(?<=&)", text))


def number(value: float | None, term: str = "") -> str:
    """A number of the result table for people; shares in percent."""
    if value is None:
        return "–"
    if term == "p":
        return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
    if term == "rank":
        return f"{value:.0f}"
    return typeset(f"{value:.1%}" if is_share(term) else f"{value:.3f}")


def verdict(answers: Answers, claim: Claim) -> Verdict:
    """The claim with the picture of its row, where that has an interval."""
    row, label = claim.row, paragraphs.claim_in_words(claim, answers.claims)
    kind = CLAIMS[claim.id.split(":")[0]]
    if row is None or row.estimate is None or row.low is None or row.high is None:
        return Verdict(claim, label, {}, None)
    null, region = kind.null or 0.0, answers.plan.smallest_effect(claim.id, claim.contrast)
    farthest = max(abs(value - null) for value in (row.low, row.high, row.estimate))
    reach = max(1.2 * farthest, 5 * region)
    if is_share(row.term):
        reach = min(reach, 0.5)
    values = {
        "null": null,
        "estimate": row.estimate,
        "low": row.low,
        "high": row.high,
        "region_low": null - region,
        "region_high": null + region,
    }
    places = {name: 50 + 50 * (value - null) / reach for name, value in values.items()}
    ends = tick(claim.id, null - reach), tick(claim.id, null + reach)
    return Verdict(claim, label, places, ends)


def _question(answers: Answers, finding: Finding) -> dict[str, Any]:
    """A question's sentences, the headline rows by every method, and all other rows."""
    shown = finding.results
    if answers.lost_nothing:  # the same again
        shown = [row for row in shown if not row.subset.endswith(EVERYONE)]
    headline = [row for of in finding.headlines for row in shown if _is_headline(row, of)]
    rest = [row for row in shown if row not in headline]
    said = answers.summaries(finding)
    return {"finding": finding, "summaries": said, "headline": headline, "rest": rest}


def _is_headline(row: Result, of: Result) -> bool:
    """Whether the row is the headline itself, by another method, or without exclusions."""
    if (row.task, row.term) != (of.task, of.term):
        return False
    is_again = row.subset == everyone(of).subset and row.method == of.method
    return row.subset == of.subset or is_again
