"""Write the answers down: a page for people, results.json and tables for programs, figures."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import figures, page
from analysis.answers import Answers, versions
from analysis.multiplicity import benjamini_hochberg
from analysis.results import Result, as_json, as_table
from analysis.texts import translator

PARTS = ("tables", "figures", "report.html", "results.json")


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
        text = page.render(answers, draft / "figures", language, settings)
        (draft / "report.html").write_text(text, encoding="utf-8")
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
                "confirmatory": claim.confirmatory,
                "basis": claim.basis,
                "basis_tasks": claim.basis_tasks,
            }
            for claim in answers.claims
        ],
        "summaries": [
            {
                "question": finding.question,
                "task": summary.row.task,
                "subset": summary.row.subset,
                "sentences": [sentence.say(translate) for sentence in summary.sentences],
            }
            for finding in answers.findings
            for summary in answers.summaries(finding)
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
        [
            (c.id, c.verdict, str(c.statement), ";".join(c.basis), ";".join(c.basis_tasks))
            for c in answers.claims
        ],
        columns=["id", "verdict", "statement", "basis", "basis_tasks"],
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
