"""The public release: nothing in it points to a person."""

import csv
import io
import json
import zipfile
from collections import Counter

import frictionless
import pytest
from django.core.management import call_command
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from analysis import data
from survey import export, flow
from survey.design import Choice, Question
from survey.export.anonymity import suppressed
from survey.models import PanelIdentity
from tests import factories

AGE = Question("age", "number", texts={"en": "Age?", "ja": "年齢"})
WHY = Question("why", "text", texts={"en": "Why?", "ja": "なぜ"})
ART = Question(
    "art",
    "choice",
    texts={"en": "Do you draw?", "ja": "絵を描きますか"},
    choices=tuple(Choice(value, {"en": value, "ja": value}) for value in ("yes", "no")),
)

cells = st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=3, max_size=3)


def finish(study, number, **answers):
    participant = factories.enrol(study, number)
    factories.answer_all(participant)
    flow.finish(participant, answers)
    return participant


@pytest.fixture
def study(db):
    """Twelve people of one kind, and one who stands out."""
    study = factories.make_study(background=(AGE, ART, WHY))
    for number in range(12):
        finish(study, number, age=30 + number % 10, art="yes", why=f"my name is Bob {number}")
    odd = finish(study, 12, age=81, art="no", why="I am the only painter of 81")
    PanelIdentity.objects.create(participant=odd, panel="prolific", panel_id="PANELID123")
    return study


def released(study, **more):
    return zipfile.ZipFile(io.BytesIO(b"".join(export.stream(study, "release", **more))))


def read(archive, name="data/study-small_description-participants_data.csv"):
    return list(csv.DictReader(io.TextIOWrapper(archive.open(name), encoding="utf-8", newline="")))


@given(st.lists(cells, max_size=40), st.integers(2, 6))
def test_suppression_leaves_nobody_in_a_small_group(rows, k):
    named = {str(number): row for number, row in enumerate(rows)}
    gone = suppressed(named, k)
    left = Counter(
        tuple("" if i in gone[name] else cell for i, cell in enumerate(row))
        for name, row in named.items()
    )
    assert all(size >= k for group, size in left.items() if any(group) or len(rows) >= k)


@given(st.lists(cells, max_size=40))
def test_suppression_leaves_large_groups_alone_and_fixed_cells_always(rows):
    named = {str(number): row for number, row in enumerate(rows)}
    groups = Counter(map(tuple, rows))
    if all(size >= 3 for size in groups.values()):
        assert not any(suppressed(named, 3).values())
    assert not any(0 in gone for gone in suppressed(named, 3, fixed=1).values())


def test_release_has_no_free_text_no_panel_id_and_no_exact_time(study):
    archive = released(study)
    text = b"".join(archive.read(name) for name in archive.namelist()).decode()
    exact = timezone.now().strftime("%Y-%m-%dT%H:")
    everything = b"".join(export.stream(study, "csv")).decode()
    assert exact in everything  # there is something that could leak
    tables = text.replace(archive.read("CHANGES.md").decode(), "")
    found = [word for word in ("Bob", "painter of", "PANELID123", exact) if word in tables]
    assert found == []


def test_release_keeps_what_many_share_and_empties_what_points_to_one(study):
    people = read(released(study))
    answers = Counter((row["background_age"], row["background_art"]) for row in people)
    assert answers == {("30 to 39", "yes"): 8, ("", ""): 5}


def test_release_lists_what_was_suppressed(study):
    archive = released(study)
    told = [
        (row["column"], row["what"], row["cells"])
        for row in read(archive, "suppressed.csv")
        if row["column"].startswith("background")
    ]
    few = "emptied: fewer than 5 share the answers"
    assert told == [
        ("background_age", "in bands of ten", ""),
        ("background_why", "left out: free text", ""),
        ("background_age", few, "5"),
        ("background_art", few, "5"),
    ]


def test_release_keeps_nobodys_window_and_the_month_only(study):
    archive = released(study)
    trials = read(archive, "data/study-small_description-trials_data.csv")
    assert "viewport_w" not in trials[0]
    assert {row["answered_at"] for row in trials} == {timezone.now().strftime("%Y-%m")}
    assert "viewport" not in read(archive)[0]


def test_release_follows_no_order_of_entry(study):
    codes = [row["participant_id"] for row in read(released(study))]
    trials = read(released(study), "data/study-small_description-trials_data.csv")
    assert codes == sorted(codes)
    assert list(dict.fromkeys(row["participant_id"] for row in trials)) == codes


def test_release_hides_a_language_that_points_to_one_in_both_tables(study):
    rare = study.participants.last()
    rare.language = "ja"
    rare.save()
    study.refresh_from_db()
    archive = released(study)
    trials = read(archive, "data/study-small_description-trials_data.csv")
    assert {row["language"] for row in read(archive)} <= {"en", ""}
    theirs = {row["language"] for row in trials if row["participant_id"] == rare.code}
    assert theirs == {""}


def test_release_counts_simulated_participants_apart(study):
    for number in range(20, 30):
        robot = factories.enrol(study, number, is_simulated=True)
        factories.answer_all(robot)
        flow.finish(robot, {"age": 81, "art": "no"})
    everybody = read(released(study, selection=export.Selection()))
    people = [row for row in everybody if row["is_simulated"] == "false"]
    assert len(read(released(study))) == 13
    assert len(everybody) == 23
    assert {row["background_age"] for row in people} <= {"30 to 39", ""}


def test_release_of_few_people_tells_no_answer(db):
    study = factories.make_study(background=(ART,))
    for number in range(4):
        finish(study, number, art="yes")
    assert {row["background_art"] for row in read(released(study))} == {""}


def test_release_is_valid_for_frictionless_and_for_the_analysis(study, tmp_path):
    call_command("release", "small", out=tmp_path / "public.zip")
    archive = zipfile.ZipFile(tmp_path / "public.zip")
    archive.extractall(tmp_path / "public")
    report = frictionless.Package(str(tmp_path / "public" / "datapackage.json")).validate()
    assert report.flatten(["type", "fieldName", "note"]) == []
    assert len(data.load(tmp_path / "public.zip").trials) == 13 * 8
    assert sorted(json.loads(archive.read("manifest.json"))) == sorted(archive.namelist()[:-1])
