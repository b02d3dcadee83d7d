"""The whole data set as one ZIP in the form of Psych-DS, written from start to end."""

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from django.utils import timezone

from survey.export import codebook, records, tables
from survey.export.tables import EVERYBODY, Selection, Table
from survey.models import Study, media_path

README = """# {title}

Responses to the study `{slug}`, exported by Honmono on {date}.

- `data/study-{name}_description-trials_data.csv`: one row per planned trial, answered or not.
- `data/study-{name}_description-participants_data.csv`: one row per participant, with background
  answers. Of a participant who withdrew, the row says so and nothing else, and no trials are left.
- `data/study-{name}_description-stimuli_data.csv`: one row per stimulus.
- `data/study-{name}_description-generators_data.csv`: one row per generator.
- `codebook.csv`: every column with type, unit, allowed values and meaning, and what participants
  were asked, in each language.
- `CHANGES.md`: the versions of the design. `datapackage.json`: the tables for Frictionless.
- `manifest.json`: rows and SHA-256 of each file. It is written last: where it is missing, the
  download was cut off.
{more}
UTF-8; an empty cell means not applicable or missing; times are ISO 8601 in UTC.

R:

```r
trials <- read.csv("data/study-{name}_description-trials_data.csv", na.strings = "",
                   colClasses = c(study_version = "character"))
main <- subset(trials, kind == "main" & is_simulated == "false" & !is.na(response))
aggregate(I(correct == "true") ~ participant_id, main, mean)
```

Python:

```python
import pandas as pd

trials = pd.read_csv("data/study-{name}_description-trials_data.csv")
main = trials[(trials["kind"] == "main") & ~trials["is_simulated"] & trials["response"].notna()]
main.groupby("participant_id")["correct"].mean()
```

Report: `python -m analysis report THIS_FILE.zip --out report`
"""

TABLES = ("trials", "participants", "stimuli", "generators")


class DataSet:
    """One Psych-DS data set while it is being written; what the tables tell can be replaced."""

    def __init__(
        self, study: Study, selection: Selection = EVERYBODY, *, with_images: bool = False
    ) -> None:
        self.study, self.selection, self.with_images = study, selection, with_images
        self.name = study.slug.replace("-", "").replace("_", "")
        self.manifest: dict[str, dict[str, Any]] = {}

    def tables(self) -> list[Table]:
        """The tables in the order in which they are written."""
        return [
            tables.trials(self.study, self.selection),
            records.participants(self.study, self.selection),
            records.stimuli(self.study, with_files=self.with_images),
            records.generators(self.study),
        ]

    def more_files(self) -> dict[str, str]:
        """Further files: name -> text."""
        return {}

    def readme_lines(self) -> list[str]:
        """What the README says of further files."""
        return ["- `materials/stimuli/`: the images as shown."] if self.with_images else []

    def write(self, out: BinaryIO) -> Iterator[None]:
        """Write every file, piece by piece; the manifest comes last and proves the rest."""
        written = self.tables()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as self.archive:
            for table in written:
                yield from self._table(table)
            self._describe(written)
            if self.with_images:
                yield from self._images()
            self._json("manifest.json", self.manifest.copy())
        yield

    def _describe(self, written: list[Table]) -> None:
        """Everything that says what the tables mean."""
        for table in written:
            self._json(self._path(table, "json"), codebook.sidecar(table))
        names, rows = codebook.rows(self.study, written)
        lines = tables.csv_lines([names, *([row.get(name) for name in names] for row in rows)])
        self._file("codebook.csv", lines)
        self._json("dataset_description.json", self._description(written))
        resources = [codebook.resource(table, self._path(table, "csv")) for table in written]
        self._json("datapackage.json", {"name": self.name.lower(), "resources": resources})
        self._file("CHANGES.md", self._changes().encode())
        self._file("README.md", self._readme().encode())
        for name, text in self.more_files().items():
            self._file(name, text.encode())

    def _path(self, table: Table, suffix: str) -> str:
        return f"data/study-{self.name}_description-{table.name}_data.{suffix}"

    def _table(self, table: Table) -> Iterator[None]:
        path = self._path(table, "csv")
        digest = hashlib.sha256()
        with self.archive.open(path, "w", force_zip64=True) as file:
            for data in table.csv():
                digest.update(data)
                file.write(data)
                yield
        self.manifest[path] = {"rows": table.rows, "sha256": digest.hexdigest()}

    def _images(self) -> Iterator[None]:
        for stimulus in self.study.stimuli.all():
            data = media_path("stimuli", f"{stimulus.key}.jpg").read_bytes()
            self._file(records.image_path(stimulus), data, zipfile.ZIP_STORED)
            yield

    def _file(self, path: str, data: bytes, compression: int = zipfile.ZIP_DEFLATED) -> None:
        self.archive.writestr(path, data, compress_type=compression)
        self.manifest[path] = {"rows": None, "sha256": hashlib.sha256(data).hexdigest()}

    def _json(self, path: str, content: Any) -> None:
        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        self._file(path, text.encode())

    def _description(self, written: Iterable[Table]) -> dict[str, Any]:
        columns = dict.fromkeys(name for table in written for name in table.names)
        return {
            "@context": "https://schema.org/",
            "@type": "Dataset",
            "name": self._title(),
            "description": self.study.text("summary", "en") or f"Responses to {self.study.slug}",
            "variableMeasured": list(columns),
            "dateCreated": timezone.now().date().isoformat(),
        }

    def _title(self) -> str:
        return self.study.text("title", "en") or self.study.slug

    def _changes(self) -> str:
        lines = [
            f"- version {v.number}, frozen at {records.iso(v.frozen_at)}, "
            f"design hash {v.design_hash}"
            for v in self.study.versions.all()
        ]
        return "# Versions of the design\n\n" + "\n".join(lines) + "\n"

    def _readme(self) -> str:
        return README.format(
            title=self._title(),
            slug=self.study.slug,
            name=self.name,
            date=timezone.now().date().isoformat(),
            more="".join(f"{line}\n" for line in self.readme_lines()),
        )
