"""The export: one row per planned trial, whole, typed, and readable by the analysis."""

import csv
import hashlib
import io
import json
import zipfile
from datetime import timedelta

import frictionless
import openpyxl
import pyarrow.parquet
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from analysis import data, schema
from survey import bots, export, flow
from survey.design import Choice, Question
from survey.export import tables
from survey.models import Participant, Trial
from tests import factories

AGE = Question("age", "number", texts={"en": "How old are you?", "ja": "何歳ですか"})
ART = Question(
    "art",
    "choice",
    texts={"en": "Do you draw?", "ja": "絵を描きますか"},
    choices=(
        Choice("yes", {"en": "Yes", "ja": "はい"}),
        Choice("no", {"en": "No", "ja": "いいえ"}),
    ),
)


@pytest.fixture
def asking(db):
    """A study with background questions and one of each task, with practice and catch trials."""
    blocks = (
        factories.block("liking", "prefer_pair", practice=1),
        factories.block("detection", confidence_steps=4, catch_trials=1),
        factories.block("singles", "detect_single"),
        factories.block("rating", "rate_single", question="appeal", scale_steps=7),
    )
    return factories.make_study(*blocks, pairs=4, catch=2, background=(AGE, ART))


def read_zip(study, **more):
    """The data set in memory."""
    return zipfile.ZipFile(io.BytesIO(b"".join(export.stream(study, **more))))


def table(archive, name):
    path = f"data/study-small_description-{name}_data.csv"
    return list(csv.DictReader(io.TextIOWrapper(archive.open(path), encoding="utf-8", newline="")))


def test_export_has_one_row_per_planned_trial_answered_or_not(study):
    done, begun = factories.complete(factories.enrol(study)), factories.enrol(study)
    factories.record(begun, factories.payload(begun))
    rows = table(read_zip(study), "trials")
    answered = [(row["participant_id"], bool(row["response"])) for row in rows]
    assert answered.count((done.code, True)) == 8
    assert answered.count((begun.code, True)) == 1
    assert answered.count((begun.code, False)) == 7


def test_export_rows_say_what_the_tables_say(asking):
    participant = factories.complete(factories.enrol(asking))
    rows = table(read_zip(asking), "trials")
    for row, trial in zip(rows, participant.trials.order_by("index"), strict=True):
        naive = {
            "row_id": f"{participant.code}-{trial.index}",
            "study_id": "small",
            "design_hash": participant.version.design_hash,
            "block": str(trial.block),
            "kind": trial.kind,
            "question": trial.question,
            "pair_id": trial.pair_code,
            "left_origin": trial.left.origin if trial.left else "",
            "right_stimulus_id": trial.right.code if trial.right else "",
            "generator": "Painter 1" if trial.stimulus and trial.stimulus.origin == "ai" else "",
            "category": "thing",
            "response": trial.answer.response,
            "language": "en",
            "is_simulated": "false",
        }
        assert {name: row[name] for name in naive} == naive


def test_export_derives_as_the_schema_does_row_by_row(asking):
    factories.complete(factories.enrol(asking))
    for row in table(read_zip(asking), "trials"):
        partner = "ai" if row["origin"] == "real" else ""
        derived = schema.derive(row | {"compared_with": partner})
        assert {name: row[name] or None for name in derived} == derived


def test_export_joins_flags_and_writes_times_in_utc(study):
    participant = factories.enrol(study)
    factories.record(participant, factories.payload(participant, flags=["fast", "focus_lost"]))
    row = table(read_zip(study), "trials")[0]
    stored = participant.trials.get(index=0).answer
    assert row["flags"].split(";")[:2] == ["fast", "focus_lost"]
    assert row["answered_at"] == stored.answered_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_export_of_a_withdrawn_participant_says_that_and_nothing_else(asking):
    participant = factories.complete(factories.enrol(asking))
    factories.complete(factories.enrol(asking, 1))
    flow.withdraw(participant)
    archive = read_zip(asking)
    people = {row.pop("participant_id"): row for row in table(archive, "participants")}
    told = {name: value for name, value in people[participant.code].items() if value}
    assert told == {"withdrawn": "true"}
    assert participant.code not in {row["participant_id"] for row in table(archive, "trials")}


def test_export_manifest_proves_every_file(asking):
    factories.complete(factories.enrol(asking))
    archive = read_zip(asking)
    manifest = json.loads(archive.read("manifest.json"))
    assert sorted(manifest) == sorted(set(archive.namelist()) - {"manifest.json"})
    for name, known in manifest.items():
        assert hashlib.sha256(archive.read(name)).hexdigest() == known["sha256"]
    rows = {name: known["rows"] for name, known in manifest.items() if known["rows"] is not None}
    counted = {name: archive.read(name).count(b"\n") - 1 for name in rows}
    assert rows == counted
    assert archive.namelist()[-1] == "manifest.json"


def test_export_codebook_has_the_wording_in_each_language(asking):
    text = read_zip(asking).read("codebook.csv").decode()
    rows = {(r["table"], r["column"], r["block"]): r for r in csv.DictReader(io.StringIO(text))}
    art = rows["participants", "background_art", ""]
    assert art["text_en"] == "Do you draw? [yes = Yes; no = No]"
    assert art["text_ja"] == "絵を描きますか [yes = はい; no = いいえ]"
    assert art["allowed"] == "yes, no"
    assert rows["trials", "rt_ms", ""]["unit"] == "ms"
    assert rows["trials", "confidence", ""]["allowed"] == "0 to 1"
    assert rows["trials", "response", "liking"]["text_en"] == "Which one?"


def test_export_is_a_data_package_that_frictionless_accepts(asking, tmp_path):
    participant = factories.enrol(asking)
    factories.answer_all(participant)
    flow.finish(participant, {"age": 30, "art": "yes"})
    read_zip(asking).extractall(tmp_path)
    report = frictionless.Package(str(tmp_path / "datapackage.json")).validate()
    assert report.flatten(["type", "fieldName", "note"]) == []
    assert report.stats["tasks"] == 4


def test_export_is_read_by_the_analysis_after_a_simulated_participant(transactional_db, tmp_path):
    study = factories.make_study(background=(AGE, ART))
    codes = list(bots.run(study, 1))
    export.save(study, tmp_path / "small.zip")
    loaded = data.load(tmp_path / "small.zip")
    assert loaded.trials["participant_id"].unique().tolist() == codes
    assert len(loaded.trials) == 8
    assert loaded.trials["is_simulated"].all()
    assert loaded.warnings == []
    assert list(loaded.generators["name"]) == ["Painter 1"]
    assert list(loaded.participants["background_art"]) == [
        Participant.objects.get(code=codes[0]).background["art"]
    ]


# --- the other forms -----------------------------------------------------------------------------


def test_csv_is_the_trials_table_of_the_data_set(study):
    factories.complete(factories.enrol(study))
    inside = read_zip(study).read("data/study-small_description-trials_data.csv")
    assert b"".join(export.stream(study, "csv")) == inside


def test_xlsx_holds_text_as_text_and_numbers_as_numbers(study, tmp_path):
    participant = factories.enrol(study)
    study.stimuli.update(category='=HYPERLINK("http://evil.example","<&>")')
    factories.record(participant, factories.payload(participant))
    export.save(study, tmp_path / "small.xlsx", "xlsx")
    rows = list(openpyxl.load_workbook(tmp_path / "small.xlsx").active.iter_rows())
    header = [cell.value for cell in rows[0]]
    first = dict(zip(header, rows[1], strict=True))
    assert (len(rows), header) == (9, [c.name for c in tables.TRIAL_COLUMNS])
    assert first["category"].value == '=HYPERLINK("http://evil.example","<&>")'
    assert {cell.data_type for row in rows for cell in row if cell.value is not None} == {"s", "n"}
    assert first["category"].data_type == "s"
    assert (first["rt_ms"].value, first["trial_index"].value) == (0.05, 0)


def test_xlsx_goes_on_on_another_sheet_when_one_is_full(study, tmp_path, monkeypatch):
    monkeypatch.setattr("survey.export.formats.SHEET_ROWS", 6)
    factories.enrol(study)
    export.save(study, tmp_path / "small.xlsx", "xlsx")
    book = openpyxl.load_workbook(tmp_path / "small.xlsx")
    assert [sheet.max_row for sheet in book.worksheets] == [6, 4]
    assert [sheet["A1"].value for sheet in book.worksheets] == ["row_id", "row_id"]


def test_parquet_is_typed_and_equals_the_csv(study, tmp_path):
    factories.complete(factories.enrol(study))
    for kind in ("csv", "parquet"):
        export.save(study, tmp_path / f"small.{kind}", kind)
    table_ = pyarrow.parquet.read_table(tmp_path / "small.parquet")
    kinds = {field.name: str(field.type) for field in table_.schema}
    assert kinds["rt_ms"] == "double"
    assert kinds["correct"] == "bool"
    assert kinds["answered_at"] == "timestamp[us, tz=UTC]"
    as_csv, as_parquet = (data.load(tmp_path / f"small.{k}").trials for k in ("csv", "parquet"))
    times = as_parquet.pop("answered_at").astype(str).str.replace(" ", "T")
    assert times.tolist() == as_csv.pop("answered_at").astype(str).tolist()
    assert as_parquet.equals(as_csv)


def test_wide_has_one_row_per_participant_and_a_column_for_each_thing_shown(asking):
    done, left = factories.complete(factories.enrol(asking)), factories.enrol(asking, 1)
    gone = factories.enrol(asking, 2)
    flow.withdraw(gone)
    text = b"".join(export.stream(asking, "wide")).decode()
    rows = {row["participant_id"]: row for row in csv.DictReader(io.StringIO(text))}
    trial = done.trials.get(kind="main", task="detect_pair", pair_code="pair00")
    place = "detection_pair00"
    assert list(rows) == [done.code, left.code, gone.code]
    assert rows[done.code][f"{place}_correct"] == str(trial.left.origin == "ai").lower()
    assert rows[done.code][f"{place}_rt_ms"] == "0.05"
    assert float(rows[done.code][f"{place}_confidence"]) == 1
    assert rows[left.code][f"{place}_correct"] == ""
    assert {name for name in rows[gone.code] if rows[gone.code][name]} == {
        "participant_id",
        "withdrawn",
    }


# --- whose data ----------------------------------------------------------------------------------


def test_selection_keeps_who_is_meant_in_every_table(study):
    old = factories.complete(factories.enrol(study))
    Participant.objects.filter(pk=old.pk).update(entered_at=timezone.now() - timedelta(days=9))
    begun = factories.enrol(study, 1)
    robot = factories.complete(factories.enrol(study, 2, is_simulated=True))
    day = timezone.now().date()

    def kept(**more):
        archive = read_zip(study, selection=export.Selection(**more))
        people, trials = table(archive, "participants"), table(archive, "trials")
        codes = {row["participant_id"] for row in people}
        assert {row["participant_id"] for row in trials} == codes
        return codes

    assert kept() == {old.code, begun.code, robot.code}
    assert kept(completed_only=True) == {old.code, robot.code}
    assert kept(without_simulated=True) == {old.code, begun.code}
    assert kept(since=day) == {begun.code, robot.code}
    assert kept(until=day - timedelta(days=1)) == {old.code}


def test_export_with_images_names_a_file_for_each_stimulus(study):
    archive = read_zip(study, with_images=True)
    files = {row["stimulus_id"]: row["file"] for row in table(archive, "stimuli")}
    assert len(files) == 8
    assert {archive.read(file) for file in files.values()} == {factories.jpeg()}
    assert not any(stimulus.key in str(archive.namelist()) for stimulus in study.stimuli.all())


def test_export_of_a_study_that_nobody_entered_has_headers_only(study):
    archive = read_zip(study)
    assert table(archive, "trials") == []
    assert table(archive, "participants") == []
    assert len(table(archive, "stimuli")) == 8


def test_export_of_another_study_has_nothing_of_this_one(study):
    other = factories.make_study(slug="other")
    mine = factories.enrol(other)
    factories.enrol(study)
    text = b"".join(export.stream(other, "csv")).decode()
    assert {row["participant_id"] for row in csv.DictReader(io.StringIO(text))} == {mine.code}


# --- the command ---------------------------------------------------------------------------------


def test_export_writes_what_the_csv_module_would(asking):
    """Most of a line is put together by the database."""
    strange = 'a, "b"\nof c; 100 %s'
    factories.complete(factories.enrol(asking))
    asking.stimuli.filter(code="ai_00").update(code=strange)
    Trial.objects.filter(index=0).update(question="=1, 2", pair_code='"')
    written = b"".join(tables.trials(asking).csv())
    rows = list(csv.reader(io.StringIO(written.decode(), newline=""), strict=True))
    assert tables.csv_lines(rows) == written
    assert strange in {cell for row in rows for cell in row}
    assert {len(row) for row in rows} == {len(tables.TRIAL_COLUMNS)}


def test_export_writes_numbers_with_all_their_digits(asking):
    participant = factories.enrol(asking)
    factories.record(participant, factories.payload(participant, rt_ms=1234.5999999046326))
    factories.record(participant, factories.payload(participant, rt_ms=1e-05))
    written = b"".join(tables.trials(asking).csv()).decode()
    times = [float(row["rt_ms"] or 0) for row in csv.DictReader(io.StringIO(written))]
    assert times[:3] == [1234.5999999046326, 1e-05, 0]


@pytest.mark.parametrize("kind", ["psychds", "csv", "xlsx", "parquet", "wide"])
def test_export_command_writes_the_file(study, tmp_path, capsys, kind):
    factories.enrol(study)
    call_command("export", "small", out=tmp_path / "file", format=kind)
    assert (tmp_path / "file").stat().st_size > 0
    assert [path.name for path in tmp_path.glob("file*")] == ["file"]


def test_export_command_says_what_is_wrong(study, tmp_path):
    with pytest.raises(CommandError, match=r"There is no study nothing\. Studies here: small"):
        call_command("export", "nothing", out=tmp_path / "file")
    with pytest.raises(CommandError, match="There is no folder"):
        call_command("export", "small", out=tmp_path / "no" / "file")
