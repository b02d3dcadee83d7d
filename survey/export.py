"""The data of a study as files: one row per planned trial, in a Psych-DS data set.

Everything is written row by row, so that a large study needs no more memory than a small one.
"""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from django.utils import timezone

from analysis import schema
from survey import studies
from survey.models import Stimulus, Study, Trial

TRIAL_COLUMNS = [column.name for column in schema.COLUMNS + schema.DERIVED]

PARTICIPANT_COLUMNS = {
    "participant_id": "Opaque code of the participant",
    "condition": "Between-participants condition",
    "language": "Language of the pages",
    "entered_at": "When the participant entered (UTC)",
    "consented_at": "When the participant consented (UTC)",
    "consent_version": "Version of the consent text",
    "completed_at": "When the participant completed (UTC)",
    "withdrawn": "true = withdrawn and erased",
    "source": "open, prolific, mturk, sona, other",
    "viewport": "Window at the start, CSS pixels",
    "is_simulated": "true = a simulated participant",
    "over_quota": "true = finished after the place had been given to somebody else",
}

STIMULUS_COLUMNS = {
    "stimulus_id": "Name of the stimulus",
    "pair_id": "The matched pair",
    "origin": "real, ai or enhanced",
    "generator": "Who made it; empty for real",
    "category": "Scene category",
    "enhancement_level": "0 = untouched, 1 = the full enhancement",
    "is_catch": "true = obvious: for practice and catch trials",
    "credit": "Author of the photograph or of the sample",
    "licence": "Licence of the image",
    "original_sha256": "SHA-256 of the original file",
}

README_TEXT = """# {title}

Responses to the study `{slug}`, exported by Honmono on {date}.

- `data/*_description-trials_data.csv`: one row per planned trial, answered or not.
- `data/*_description-participants_data.csv`: one row per participant, with background answers.
- `data/*_description-stimuli_data.csv`: one row per stimulus.
- `codebook.csv`: every column with type, unit and meaning.
- `manifest.json`: rows and SHA-256 of each file.

UTF-8; an empty cell means not applicable or missing; times are ISO 8601 in UTC.

R: `trials <- read.csv("data/study-{name}_description-trials_data.csv", na.strings = "")`

Python: `trials = pandas.read_csv("data/study-{name}_description-trials_data.csv")`

Report: `python -m analysis report THIS_FILE.zip --out report`
"""


def trial_rows(study: Study) -> Iterator[dict[str, Any]]:
    """The rows of the trials table, in the order of participants and trials."""
    stimuli = {s.pk: s for s in study.stimuli.select_related("generator", "pair")}
    partners = _partner_origins(stimuli.values())
    trials = (
        Trial.objects.filter(participant__study=study)
        .select_related("answer", "participant__version")
        .order_by("participant_id", "index")
    )
    for trial in trials.iterator(chunk_size=2000):
        row = _plan(study, trial, stimuli) | _answer(trial)
        single = stimuli.get(trial.stimulus_id)
        partner = partners.get(single.pk, "") if single else ""
        yield row | schema.derive(row | {"compared_with": partner})


def _plan(study: Study, trial: Trial, stimuli: dict[int, Stimulus]) -> dict[str, Any]:
    participant = trial.participant
    sides = {
        "left_": stimuli.get(trial.left_id),
        "right_": stimuli.get(trial.right_id),
        "": stimuli.get(trial.stimulus_id),
    }
    row: dict[str, Any] = {
        "row_id": f"{participant.code}-{trial.index}",
        "study_id": study.slug,
        "design_hash": participant.version.design_hash,
        "participant_id": participant.code,
        "condition": participant.condition,
        "block": trial.block,
        "trial_index": trial.index,
        "kind": trial.kind,
        "repeat_of": trial.repeat_of,
        "task": trial.task,
        "question": trial.question,
        "pair_id": trial.pair_code,
        "exposure_ms": trial.exposure_ms,
        "disclosure": trial.disclosure,
        "study_version": participant.version.number,
        "mode": "study",
        "is_simulated": _boolean(participant.is_simulated),
    }
    for prefix, stimulus in sides.items():
        if stimulus is not None:
            row[f"{prefix}stimulus_id"] = stimulus.code
            row[f"{prefix}origin"] = stimulus.origin
            row[f"{prefix}generator"] = stimulus.generator.name if stimulus.generator else ""
    shown = sorted((s for s in sides.values() if s), key=lambda s: s.origin == "real")
    row["category"] = shown[0].category
    row["enhancement_level"] = shown[0].enhancement_level
    return row


def _answer(trial: Trial) -> dict[str, Any]:
    answer = getattr(trial, "answer", None)
    if answer is None:
        return {}
    names = ("response", "confidence", "reason", "rt_ms", "server_elapsed_ms", "shown_ms")
    names += ("frame_ms", "language", "input_device", "layout", "viewport_w", "viewport_h", "dpr")
    names += ("shown_w", "shown_h", "images_loaded_ms", "focus_lost_ms")
    row = {name: getattr(answer, name) for name in names}
    return row | {"flags": ";".join(answer.flags), "answered_at": _time(answer.answered_at)}


def _partner_origins(stimuli: Iterable[Stimulus]) -> dict[int, str]:
    """For each photograph of a pair the origin of what it is paired with."""
    others = {s.pair_id: s.origin for s in stimuli if s.pair_id and s.origin != "real"}
    return {s.pk: others.get(s.pair_id, "") for s in stimuli if s.origin == "real"}


def participant_rows(study: Study, questions: list[str]) -> Iterator[dict[str, Any]]:
    """One row per participant; background answers under the keys of their questions."""
    for person in study.participants.order_by("pk").iterator(chunk_size=2000):
        answers = person.background or {}
        yield {
            "participant_id": person.code,
            "condition": person.condition,
            "language": person.language,
            "entered_at": _time(person.entered_at),
            "consented_at": _time(person.consented_at),
            "consent_version": person.consent_version,
            "completed_at": _time(person.completed_at),
            "withdrawn": _boolean(person.withdrawn_at is not None),
            "source": person.source,
            "viewport": person.viewport,
            "is_simulated": _boolean(person.is_simulated),
            "over_quota": _boolean(person.over_quota),
        } | {f"background_{key}": _cell(answers.get(key)) for key in questions}


def stimulus_rows(study: Study, features: list[str]) -> Iterator[dict[str, Any]]:
    """One row per stimulus, with its measured features."""
    for stimulus in study.stimuli.select_related("pair", "generator"):
        yield {
            "stimulus_id": stimulus.code,
            "pair_id": stimulus.pair.code if stimulus.pair else "",
            "origin": stimulus.origin,
            "generator": stimulus.generator.name if stimulus.generator else "",
            "category": stimulus.category,
            "enhancement_level": stimulus.enhancement_level,
            "is_catch": _boolean(stimulus.is_catch),
            "credit": stimulus.credit,
            "licence": stimulus.licence,
            "original_sha256": stimulus.original_sha256,
        } | {name: stimulus.features.get(name) for name in features}


def write_csv_file(study: Study, path: Path) -> None:
    """The trials table as a file; `path` appears only once it is complete."""
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("w", encoding="utf-8", newline="") as out:
        _write_table(out, TRIAL_COLUMNS, trial_rows(study))
    unfinished.replace(path)


def write_data_set(study: Study, path: Path) -> None:
    """The whole Psych-DS data set as one ZIP; `path` appears only once it is complete."""
    unfinished = path.with_name(path.name + ".part")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        DataSet(study, archive).write()
    unfinished.replace(path)


class DataSet:
    """One Psych-DS data set while it is being written into a ZIP."""

    def __init__(self, study: Study, archive: zipfile.ZipFile) -> None:
        self.study, self.archive = study, archive
        self.name = study.slug.replace("-", "").replace("_", "")
        self.manifest: dict[str, dict[str, Any]] = {}

    def write(self) -> None:
        """Write every file; the manifest comes last and so proves that nothing is missing."""
        questions = {q.key: q for q in studies.design_of(self.study).background}
        features = sorted({name for s in self.study.stimuli.all() for name in s.features})
        tables = self._tables(list(questions), features)
        for name, (columns, rows) in tables.items():
            self._table(name, columns, rows)
        codebook = self._codebook(questions, features)
        self._file("codebook.csv", _csv_text(list(codebook[0]), codebook))
        for name, (columns, _rows) in tables.items():
            meaning = {row["column"]: row for row in codebook if row["table"] == name}
            self._json(self._data_path(name, "json"), _sidecar(name, columns, meaning))
        self._json("dataset_description.json", self._description(tables))
        self._json("datapackage.json", self._data_package(tables, codebook))
        self._file("CHANGES.md", self._changes())
        self._file("README.md", self._readme())
        self._json("manifest.json", self.manifest.copy())

    def _tables(self, questions: list[str], features: list[str]) -> dict[str, Any]:
        people = [*PARTICIPANT_COLUMNS, *(f"background_{key}" for key in questions)]
        return {
            "trials": (TRIAL_COLUMNS, trial_rows(self.study)),
            "participants": (people, participant_rows(self.study, questions)),
            "stimuli": ([*STIMULUS_COLUMNS, *features], stimulus_rows(self.study, features)),
        }

    def _data_path(self, name: str, suffix: str) -> str:
        return f"data/study-{self.name}_description-{name}_data.{suffix}"

    def _table(self, name: str, columns: list[str], rows: Iterable[dict[str, Any]]) -> None:
        path = self._data_path(name, "csv")
        digest = hashlib.sha256()
        with self.archive.open(path, "w", force_zip64=True) as raw:
            out = io.TextIOWrapper(_Digesting(raw, digest), encoding="utf-8", newline="")
            count = _write_table(out, columns, rows)
            out.flush()
            out.detach()
        self.manifest[path] = {"rows": count, "sha256": digest.hexdigest()}

    def _file(self, path: str, text: str) -> None:
        data = text.encode()
        self.archive.writestr(path, data)
        self.manifest[path] = {"rows": None, "sha256": hashlib.sha256(data).hexdigest()}

    def _json(self, path: str, content: Any) -> None:
        self._file(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")

    def _codebook(self, questions: dict[str, Any], features: list[str]) -> list[dict[str, str]]:
        rows = [
            _entry("trials", c.name, c.meaning, c.type, c.unit, ", ".join(c.allowed))
            for c in schema.COLUMNS + schema.DERIVED
        ]
        rows += [_entry("participants", name, text) for name, text in PARTICIPANT_COLUMNS.items()]
        for key, question in questions.items():
            allowed = ", ".join(choice.value for choice in question.choices)
            wording = " / ".join(f"{lang}: {text}" for lang, text in question.texts.items())
            rows.append(_entry("participants", f"background_{key}", wording, allowed=allowed))
        rows += [_entry("stimuli", name, text) for name, text in STIMULUS_COLUMNS.items()]
        rows += [_entry("stimuli", name, "Image feature", "number") for name in features]
        return rows

    def _description(self, tables: dict[str, Any]) -> dict[str, Any]:
        columns = {column: None for names, _rows in tables.values() for column in names}
        return {
            "@context": "https://schema.org/",
            "@type": "Dataset",
            "name": self.study.text("title", "en") or self.study.slug,
            "description": self.study.text("summary", "en") or f"Responses to {self.study.slug}",
            "variableMeasured": list(columns),
            "dateCreated": timezone.now().date().isoformat(),
        }

    def _data_package(self, tables: dict[str, Any], codebook: list[dict[str, str]]) -> Any:
        types = {(row["table"], row["column"]): row["type"] for row in codebook}
        kinds = {"text": "string", "time": "datetime"}
        return {
            "name": self.name,
            "resources": [
                {
                    "name": name,
                    "path": self._data_path(name, "csv"),
                    "profile": "tabular-data-resource",
                    "schema": {
                        "fields": [
                            {"name": c, "type": kinds.get(types[name, c], types[name, c])}
                            for c in columns
                        ]
                    },
                }
                for name, (columns, _rows) in tables.items()
            ],
        }

    def _changes(self) -> str:
        lines = [
            f"- version {v.number}, frozen at {_time(v.frozen_at)}, design hash {v.design_hash}"
            for v in self.study.versions.all()
        ]
        return "# Versions of the design\n\n" + "\n".join(lines) + "\n"

    def _readme(self) -> str:
        return README_TEXT.format(
            title=self.study.text("title", "en") or self.study.slug,
            slug=self.study.slug,
            name=self.name,
            date=timezone.now().date().isoformat(),
        )


class _Digesting(io.RawIOBase):
    """Passes bytes on and digests them on the way."""

    def __init__(self, target: Any, digest: Any) -> None:
        self.target, self.digest = target, digest

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.digest.update(data)
        self.target.write(data)
        return len(data)


def _entry(
    table: str, column: str, meaning: str, type_: str = "text", unit: str = "", allowed: str = ""
) -> dict[str, str]:
    names = ("table", "column", "type", "unit", "allowed", "meaning")
    return dict(zip(names, (table, column, type_, unit, allowed, meaning), strict=True))


def _sidecar(name: str, columns: list[str], meaning: dict[str, dict[str, str]]) -> dict[str, Any]:
    return {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "name": name,
        "variableMeasured": [
            {"@type": "PropertyValue", "name": c, "description": meaning[c]["meaning"]}
            for c in columns
        ],
    }


def _write_table(out: TextIO, columns: list[str], rows: Iterable[dict[str, Any]]) -> int:
    writer = csv.DictWriter(out, columns, restval="", extrasaction="raise", lineterminator="\n")
    writer.writeheader()
    count = 0
    for row in rows:
        writer.writerow(row)
        count += 1
    return count


def _csv_text(columns: list[str], rows: list[dict[str, str]]) -> str:
    out = io.StringIO()
    _write_table(out, columns, rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    return ";".join(value) if isinstance(value, list) else value


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _time(value: Any) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if value else ""
