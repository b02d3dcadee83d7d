"""Write the answers down: a page for people, results.json and tables for programs, figures."""

import json
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from analysis import figures, labels
from analysis.answers import Answers, versions
from analysis.multiplicity import benjamini_hochberg
from analysis.plan import CLAIMS
from analysis.results import Claim, Result, as_json, as_table, is_share
from analysis.sentences import amount, p_text
from analysis.texts import Message, translator

PARTS = ("tables", "figures", "report.html", "results.json")
TEMPLATES = Path(__file__).parent / "templates"


def write(answers: Answers, folder: Path, language: str, settings: dict[str, Any]) -> None:
    """Write the report into `folder`, all of it or nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".report-") as name:
        draft = Path(name)
        _write_tables(answers, draft / "tables")
        _write_figures(answers, draft / "figures", language)
        results = results_json(answers, language, settings)
        text = json.dumps(results, ensure_ascii=False, indent=1, allow_nan=False)
        (draft / "results.json").write_text(text + "\n", encoding="utf-8")
        page = _page(answers, draft / "figures", language, settings)
        (draft / "report.html").write_text(page, encoding="utf-8")
        _move(draft, folder)


def _move(draft: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for part in PARTS:
        target = folder / part
        if target.is_dir():
            shutil.rmtree(target)
        (draft / part).replace(target)


def results_json(answers: Answers, language: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The contract's results.json."""
    translate = translator(language)
    return {
        "schema_version": 1,
        "data": answers.counts(),
        "settings": {**settings, "rules": answers.rules, "versions": versions()},
        "exclusions": [
            {"rule": step.rule, "participants": step.participants, "trials": step.trials}
            for step in answers.kept.flow
        ],
        "estimates": as_json(answers.results),
        "claims": [
            {
                "id": claim.id,
                "verdict": claim.verdict,
                "statement": claim.statement.say(translate),
                "basis": claim.basis,
            }
            for claim in answers.claims
        ],
        "warnings": [warning.say(translate) for warning in answers.warnings],
    }


def _write_tables(answers: Answers, folder: Path) -> None:
    folder.mkdir()
    tables = {finding.question: _adjusted(finding.results) for finding in answers.findings}
    tables["exclusions"] = pd.DataFrame(
        [(step.rule, step.participants, step.trials) for step in answers.kept.flow],
        columns=["rule", "participants", "trials"],
    )
    tables["claims"] = pd.DataFrame(
        [(c.id, c.verdict, str(c.statement), ";".join(c.basis)) for c in answers.claims],
        columns=["id", "verdict", "statement", "basis"],
    )
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")


def _adjusted(results: list[Result]) -> pd.DataFrame:
    """The result table with p-values adjusted (Benjamini and Hochberg) within the question."""
    table = as_table(results)
    tested = table["p"].notna()
    table.loc[tested, "p_adjusted"] = benjamini_hochberg(table.loc[tested, "p"].tolist())
    return table


def _write_figures(answers: Answers, folder: Path, language: str) -> None:
    folder.mkdir()
    figures.save(answers.kept, "flow", folder, language)
    for finding in answers.findings:
        for picture in finding.pictures:
            figures.save(picture, picture.name, folder, language)


def _page(answers: Answers, drawn: Path, language: str, settings: dict[str, Any]) -> str:
    translate = translator(language)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        _=translate,
        say=lambda message: message.say(translate),
        svg=lambda name: _inline(drawn / f"{name}.svg"),
        labels=labels,
        number=number,
        p_text=p_text,
    )
    return environment.get_template("report.html").render(
        answers=answers,
        counts=answers.counts(),
        language=language,
        settings=settings,
        versions=versions(),
        verdicts=[verdict(answers, claim) for claim in answers.claims],
        tables={f.question: _adjusted(f.results).to_dict("records") for f in answers.findings},
    )


def _inline(path: Path) -> Markup:
    """An SVG for the page: without prologue, its ids made unique by the figure's name."""
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<svg") :]
    prefix = f"{path.stem}-"
    text = re.sub(r'\bid="', f'id="{prefix}', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}", text)
    return Markup(text)  # noqa: S704 - drawn by ourselves a moment ago


def number(value: float | None, term: str) -> str:
    """A number of the result table for people; shares in percent."""
    if value is None or value != value:
        return "–"
    return f"{value:.1%}" if is_share(term) else f"{value:.3f}"


@dataclass(frozen=True)
class Verdict:
    """A claim with its place on a scale, for the small interval picture."""

    claim: Claim
    label: Message
    estimate: Message | None
    places: dict[str, float]  # in percent of the picture's width
    ends: tuple[Message, Message] | None


def verdict(answers: Answers, claim: Claim) -> Verdict:
    """The claim with the picture of its row, where that has an interval."""
    row, label = claim.row, labels.claim_label(claim.id)
    kind = CLAIMS[claim.id.split(":")[0]]
    if row is None or row.estimate is None or row.low is None or row.high is None:
        return Verdict(claim, label, None, {}, None)
    null, region = kind.null or 0.0, answers.plan.smallest_effect(claim.id, claim.contrast)
    farthest = max(abs(value - null) for value in (row.low, row.high, row.estimate))
    reach = max(1.2 * farthest, 5 * region)
    values = {
        "null": null,
        "estimate": row.estimate,
        "low": row.low,
        "high": row.high,
        "region_low": null - region,
        "region_high": null + region,
    }
    places = {name: 50 + 50 * (value - null) / reach for name, value in values.items()}
    ends = amount(claim.id, null - reach), amount(claim.id, null + reach)
    return Verdict(claim, label, amount(claim.id, row.estimate), places, ends)
