"""The participants table and the stimuli table of an export."""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from analysis import schema
from analysis.schema import Column
from survey import design, studies
from survey.export.tables import EVERYBODY, Selection, Table, table_of
from survey.models import Generator, Participant, Stimulus, Study

PARTICIPANT_COLUMNS = (
    Column("participant_id", "text", "Opaque code of the participant"),
    Column("condition", "text", "Between-participants condition"),
    Column("language", "text", "Language of the pages"),
    Column("entered_at", "time", "When the participant entered (UTC)"),
    Column("consented_at", "time", "When the participant consented (UTC)"),
    Column("consent_version", "text", "Version of the consent text"),
    Column("completed_at", "time", "When the participant completed (UTC)"),
    Column(
        "withdrawn",
        "boolean",
        "true = withdrawn and erased: nothing else is left of the participant",
        allowed=schema.BOOLEANS,
    ),
    Column("source", "text", "Where from: open, prolific, mturk, sona, other"),
    Column("viewport", "text", "Window at the start, CSS pixels"),
    Column("is_simulated", "boolean", "true = a simulated participant", allowed=schema.BOOLEANS),
    Column(
        "over_quota",
        "boolean",
        "true = finished after the place had been given to somebody else",
        allowed=schema.BOOLEANS,
    ),
    Column("flags", "text", "What was noticed, names joined by ; (side_bias, honeypot, ...)"),
)

GENERATOR_COLUMNS = (
    Column("name", "text", "Name of the generator"),
    Column("vendor", "text", "Who publishes it"),
    Column("kind", "text", "What it does"),
    Column("open_weights", "boolean", "true = its weights are open", allowed=("true", "false")),
    Column("released", "text", "Date of its release, YYYY-MM-DD"),
    Column("cost_per_image_usd", "number", "Price of one image", "US dollars", minimum=0),
)
STIMULUS_COLUMNS = (
    Column("stimulus_id", "text", "Name of the stimulus"),
    Column("pair_id", "text", "The matched pair"),
    Column("origin", "text", "Where it comes from", allowed=schema.ORIGINS),
    Column("generator", "text", "Who made it; empty for real"),
    Column("category", "text", "Scene category"),
    Column("enhancement_level", "number", "0 = untouched, 1 = the full enhancement", minimum=0),
    Column(
        "is_catch",
        "boolean",
        "true = obvious: for practice and catch trials",
        allowed=schema.BOOLEANS,
    ),
    Column("credit", "text", "Author of the photograph or of the sample"),
    Column("licence", "text", "Licence of the image"),
    Column("original_sha256", "text", "SHA-256 of the original file"),
)
FILE_COLUMN = Column("file", "text", "The image as it was shown, in this data set")


def questions(study: Study) -> dict[str, design.Question]:
    """The background questions of every version of the design, the newest wording of each."""
    return {q.key: q for plan in plans(study) for q in plan.background}


def plans(study: Study) -> list[design.Study]:
    """The frozen designs, oldest first; of a study that was never frozen the present one."""
    frozen = [studies.frozen(version).study for version in study.versions.all()]
    return frozen or [studies.design_of(study)]


def background_column(question: design.Question) -> Column:
    """The column of a background question."""
    values = tuple(choice.value for choice in question.choices)
    only_one = question.kind in ("choice", "scale")
    return Column(
        f"background_{question.key}",
        "number" if question.kind == "number" else "text",
        "Background question" + ("; several answers are joined by ;" if not only_one else "")
        if question.kind == "multiple"
        else "Background question",
        allowed=values if only_one else (),
    )


def participants(study: Study, selection: Selection = EVERYBODY) -> Table:
    """One row per participant; background answers under the keys of their questions."""
    asked = list(questions(study).values())
    columns = (*PARTICIPANT_COLUMNS, *map(background_column, asked))
    people = selection.participants(study).iterator(chunk_size=2000)
    return table_of("participants", columns, (participant_row(p, asked) for p in people))


def participant_row(person: Participant, asked: Iterable[design.Question]) -> dict[str, Any]:
    """What is told of one participant: of a withdrawn one that, and nothing else."""
    if person.withdrawn_at is not None:
        return {"participant_id": person.code, "withdrawn": "true"}
    answers = person.background or {}
    return {
        "participant_id": person.code,
        "condition": person.condition,
        "language": person.language,
        "entered_at": iso(person.entered_at),
        "consented_at": iso(person.consented_at),
        "consent_version": person.consent_version,
        "completed_at": iso(person.completed_at),
        "withdrawn": "false",
        "source": person.source,
        "viewport": person.viewport,
        "is_simulated": boolean(person.is_simulated),
        "over_quota": boolean(person.over_quota),
        "flags": ";".join(person.flags),
    } | {f"background_{q.key}": _cell(answers.get(q.key)) for q in asked}


def features(study: Study) -> list[str]:
    """Names of the features that were measured on the stimuli."""
    return sorted({name for stimulus in study.stimuli.all() for name in stimulus.features})


def stimuli(study: Study, with_files: bool = False) -> Table:
    """One row per stimulus, with its measured features."""
    measured = features(study)
    columns = [*STIMULUS_COLUMNS, *(Column(f, "number", "Image feature") for f in measured)]
    if with_files:
        columns.append(FILE_COLUMN)
    return table_of("stimuli", columns, _stimulus_rows(study, measured))


def _stimulus_rows(study: Study, measured: list[str]) -> Iterator[dict[str, Any]]:
    for stimulus in study.stimuli.select_related("pair", "generator"):
        yield {
            "stimulus_id": stimulus.code,
            "pair_id": stimulus.pair.code if stimulus.pair else "",
            "origin": stimulus.origin,
            "generator": stimulus.generator.name if stimulus.generator else "",
            "category": stimulus.category,
            "enhancement_level": stimulus.enhancement_level,
            "is_catch": boolean(stimulus.is_catch),
            "credit": stimulus.credit,
            "licence": stimulus.licence,
            "original_sha256": stimulus.original_sha256,
            "file": image_path(stimulus),
        } | {name: stimulus.features.get(name) for name in measured}


def generators(study: Study) -> Table:
    """One row per generator whose images the study shows."""
    return table_of("generators", GENERATOR_COLUMNS, _generator_rows(study))


def _generator_rows(study: Study) -> Iterator[dict[str, Any]]:
    for generator in Generator.objects.filter(stimuli__study=study).distinct():
        weights = generator.open_weights
        yield {
            "name": generator.name,
            "vendor": generator.vendor,
            "kind": generator.kind,
            "open_weights": "" if weights is None else boolean(weights),
            "released": generator.released.isoformat() if generator.released else "",
            "cost_per_image_usd": generator.cost_per_image_usd,
        }


def image_path(stimulus: Stimulus) -> str:
    """Where an image lies in a data set that has them."""
    return f"materials/stimuli/{quote(stimulus.code, safe=' ')}.jpg"


def iso(moment: Any) -> str:
    """A time in ISO 8601, UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else ""


def boolean(value: bool) -> str:
    """A truth value as the contract writes it."""
    return "true" if value else "false"


def _cell(value: Any) -> Any:
    return ";".join(value) if isinstance(value, list) else value
