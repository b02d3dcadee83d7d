"""The rules of the Psych-DS schema (version 1), tried on our ZIP one by one.

Where the schema's own validator would report an error, its code stands beside the test.
"""

import csv
import io
import json
import re
import zipfile
from pathlib import PurePosixPath

import pytest

from survey import export
from survey.design import Choice, Question
from tests import factories

#: `fileRegex` of the schema, and the keywords that it knows.
NAME = re.compile(r"([a-z]+-[a-zA-Z0-9]+)(_[a-z]+-[a-zA-Z0-9]+)*_data\.csv")
KEYWORDS = {
    *("study", "site", "subject", "session", "task", "condition", "trial", "stimulus"),
    "description",
}
YES = Choice("yes", {"en": "Yes, with milk", "ja": "はい"})
NO = Choice("no", {"en": "No", "ja": "いいえ"})
TEA = Question("tea", "choice", texts={"en": "Tea?", "ja": "お茶？"}, choices=(YES, NO))


@pytest.fixture(params=["psychds", "release"])
def archive(request, db):
    """A data set, and a public release, of a study whose name is no value of a keyword as it is."""
    study = factories.make_study(slug="tea-or-2-coffees", background=(TEA,))
    for number in range(6):
        factories.complete(factories.enrol(study, number))
    factories.enrol(study, 6)
    data = b"".join(export.stream(study, request.param, with_images=True))
    return zipfile.ZipFile(io.BytesIO(data))


def data_files(archive, suffix: str) -> list[str]:
    return [name for name in archive.namelist() if re.fullmatch(rf"data/.*\{suffix}", name)]


def table(archive, name: str) -> list[list[str]]:
    text = io.TextIOWrapper(archive.open(name), encoding="utf-8", newline="")
    return list(csv.reader(text, strict=True))


def names_of(described: dict) -> list[str]:
    variables = described["variableMeasured"]
    return [one if isinstance(one, str) else one["name"] for one in variables]


def test_description_has_the_required_fields(archive):
    """JSON_KEY_REQUIRED, INCORRECT_DATASET_TYPE, INVALID_JSONLD_FORMATTING"""
    described = json.loads(archive.read("dataset_description.json").decode())
    assert described["@context"] == "https://schema.org/"
    assert described["@type"] == "Dataset"
    for field in ("name", "description"):
        assert isinstance(described[field], str)
        assert described[field].strip()
    assert isinstance(described["variableMeasured"], list)


def test_every_column_is_measured_and_every_variable_is_a_column(archive):
    """CSV_COLUMN_MISSING_FROM_METADATA, VARIABLE_MISSING_FROM_CSV_COLUMNS"""
    described = json.loads(archive.read("dataset_description.json"))
    columns = {name for file in data_files(archive, ".csv") for name in table(archive, file)[0]}
    assert {"participant_id", "response", "background_tea", "original_sha256"} <= columns
    assert sorted(names_of(described)) == sorted(columns)


def test_names_of_data_files_are_keywords_with_values(archive):
    """FILENAME_KEYWORD_FORMATTING_ERROR, FILENAME_UNOFFICIAL_KEYWORD_WARNING"""
    files = [PurePosixPath(name).name for name in data_files(archive, ".csv")]
    assert len(files) == 4
    for file in files:
        assert NAME.fullmatch(file)
        pairs = [pair.partition("-") for pair in file.removesuffix("_data.csv").split("_")]
        assert {keyword for keyword, _dash, _value in pairs} <= KEYWORDS


def test_data_folder_holds_tables_with_their_sidecars_and_nothing_else(archive):
    """FILE_NOT_CHECKED, MISSING_SIDECAR_METADATA"""
    inside = [name for name in archive.namelist() if name.startswith("data/")]
    tables = data_files(archive, ".csv")
    sidecars = [name.removesuffix(".csv") + ".json" for name in tables]
    assert sorted(inside) == sorted([*tables, *sidecars])


def test_sidecars_describe_the_columns_of_their_table(archive):
    """INVALID_JSON_FORMATTING, INVALID_OBJECT_TYPE"""
    for file in data_files(archive, ".csv"):
        described = json.loads(archive.read(file.removesuffix(".csv") + ".json").decode())
        assert (described["@context"], described["@type"]) == ("https://schema.org/", "Dataset")
        assert names_of(described) == table(archive, file)[0]
        variables = described["variableMeasured"]
        assert {variable["@type"] for variable in variables} == {"PropertyValue"}
        assert all(variable["description"] for variable in variables)


def test_tables_are_well_formed(archive):
    """CSV_FORMATTING_ERROR, CSV_HEADER_REPEATED, CSV_HEADER_LENGTH_MISMATCH, FILE_EMPTY"""
    for file in data_files(archive, ".csv"):
        header, *rows = table(archive, file)
        assert (file, len(set(header)), "" in header) == (file, len(header), False)
        assert {len(row) for row in rows} == {len(header)}


def test_row_ids_are_unique(archive):
    """ROWID_VALUES_NOT_UNIQUE"""
    (trials,) = [name for name in data_files(archive, ".csv") if "description-trials" in name]
    header, *rows = table(archive, trials)
    ids = [row[header.index("row_id")] for row in rows]
    assert (len(ids), len(set(ids))) == (56, 56)


def test_recommended_files_stand_where_the_schema_looks_for_them(archive):
    """MISSING_README_DOC, MISSING_CHANGES_DOC, MISSING_MATERIALS_DIRECTORY"""
    assert {"README.md", "CHANGES.md"} <= set(archive.namelist())
    folders = {name.partition("/")[0] for name in archive.namelist() if "/" in name}
    assert folders <= {"data", "materials"}
