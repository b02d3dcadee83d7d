"""What every column means: the codebook, the sidecars and the Frictionless descriptor."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from analysis.schema import Column
from survey import design
from survey.export import records
from survey.export.tables import Table
from survey.models import Study

FRICTIONLESS = {"text": "string", "time": "datetime", "month": "yearmonth"}


def rows(study: Study, tables: Iterable[Table]) -> tuple[list[str], list[dict[str, str]]]:
    """The codebook: one row per column, and one per block for what was asked in it.

    Texts that participants read stand in a column per language.
    """
    plans = records.plans(study)
    languages = list(dict.fromkeys(language for plan in plans for language in plan.languages))
    names = ["table", "column", "block", "type", "unit", "allowed", "meaning"]
    names += [f"text_{language}" for language in languages]
    asked = {f"background_{key}": q for key, q in records.questions(study).items()}
    found = []
    for table in tables:
        for column in table.columns:
            found.append(_entry(table.name, column, _wording(asked.get(column.name))))
    found += _block_rows(plans[-1])
    return names, found


def _entry(table: str, column: Column, texts: dict[str, str], block: str = "") -> dict[str, str]:
    return {
        "table": table,
        "column": column.name,
        "block": block,
        "type": column.type,
        "unit": column.unit,
        "allowed": _allowed(column),
        "meaning": column.meaning,
    } | {f"text_{language}": text for language, text in texts.items()}


def _allowed(column: Column) -> str:
    if column.allowed:
        return ", ".join(column.allowed)
    if column.minimum is None:
        return ""
    limits = f"{column.minimum:g} or more"
    return limits if column.maximum is None else f"{column.minimum:g} to {column.maximum:g}"


def _wording(question: design.Question | None) -> dict[str, str]:
    """The question and its choices, in each language."""
    if question is None:
        return {}
    return {
        language: _join(text, ((c.value, c.texts.get(language, "")) for c in question.choices))
        for language, text in question.texts.items()
    }


def _join(text: str, choices: Iterable[tuple[str, str]]) -> str:
    listed = "; ".join(f"{value} = {words}" for value, words in choices if words)
    return f"{text} [{listed}]" if listed else text


def _block_rows(plan: design.Study) -> Iterator[dict[str, str]]:
    """For each block what was asked for a response, for the confidence and for the reason."""
    for block in plan.blocks:
        texts = block.texts.items()
        yield _entry(
            "trials",
            Column("response", "text", f"{block.task} {block.question}".strip()),
            {lang: _join(t.get("prompt", ""), _scale(block, t)) for lang, t in texts},
            block.key,
        )
        if block.confidence_steps:
            yield _entry(
                "trials",
                Column("confidence", "number", "How sure of the response", minimum=0, maximum=1),
                {lang: t.get("confidence_prompt", "") for lang, t in texts},
                block.key,
            )
        if block.reasons:
            yield _entry(
                "trials",
                Column("reason", "text", "Coded reason", allowed=block.reasons),
                {lang: _join("", t.get("reasons", {}).items()) for lang, t in texts},
                block.key,
            )


def _scale(block: design.Block, text: design.BlockText) -> Iterator[tuple[str, str]]:
    """The numbers of a scale that have words."""
    labels: Sequence[str] = text.get("labels", ())
    if labels:
        yield from ((str(number), words) for number, words in enumerate(labels, start=1))
    elif block.scale_steps:
        yield "1", text.get("low", "")
        yield str(block.scale_steps), text.get("high", "")


def sidecar(table: Table) -> dict[str, Any]:
    """The JSON that Psych-DS puts beside a table."""
    return {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "name": table.name,
        "description": f"The {table.name} table",
        "variableMeasured": [_property(column) for column in table.columns],
    }


def _property(column: Column) -> dict[str, Any]:
    told = {
        "unitText": column.unit,
        "minValue": column.minimum,
        "maxValue": column.maximum,
        "valueReference": list(column.allowed),
    }
    named = {"@type": "PropertyValue", "name": column.name, "description": column.meaning}
    return named | {name: value for name, value in told.items() if value not in ("", None, [])}


def resource(table: Table, path: str) -> dict[str, Any]:
    """A table in datapackage.json."""
    return {
        "name": table.name,
        "path": path,
        "profile": "tabular-data-resource",
        "format": "csv",
        "encoding": "utf-8",
        "schema": {"fields": [_field(column) for column in table.columns], "missingValues": [""]},
    }


def _field(column: Column) -> dict[str, Any]:
    kind = FRICTIONLESS.get(column.type, column.type)
    found: dict[str, Any] = {"name": column.name, "type": kind, "description": column.meaning}
    if kind == "boolean":
        found |= {"trueValues": ["true"], "falseValues": ["false"]}
    if kind == "datetime":
        found["format"] = "any"
    limits = {"minimum": column.minimum, "maximum": column.maximum}
    constraints = {name: limit for name, limit in limits.items() if limit is not None}
    if column.allowed and kind == "string":
        constraints["enum"] = list(column.allowed)
    return found | ({"constraints": constraints} if constraints else {})
