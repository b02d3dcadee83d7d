"""The learning mode: the truth after each response, the glossary, the curve, marked data."""

import csv

import pytest
from django.urls import reverse

from analysis import schema
from survey import delivery, demo, learning, results, studies, visits
from survey.export import tables
from tests import factories


@pytest.fixture
def lesson(db):
    """Eight detection trials with the truth after each."""
    return factories.make_study(
        factories.block(trials=8, feedback="each"), pairs=8, mode="learning"
    )


def respond(client, participant):
    """The server's acknowledgement of a response to the next trial."""
    payload = factories.payload(participant)
    url = reverse("responses", args=[participant.token])
    return client.post(url, payload, content_type="application/json").json()


def test_truth_comes_with_the_acknowledgement_and_not_before(client, lesson):
    participant = factories.enrol(lesson)
    before = delivery.state(participant, {}, visits.ahead(participant))
    trial = visits.ahead(participant).trials[0]
    truth = ["Photograph" if s.origin == "real" else "AI image" for s in trial.shown()]
    assert [one["labels"] for one in before["trials"]] == [None] * 3
    answer = respond(client, participant)
    assert answer["feedback"]["labels"] == truth
    assert [one["labels"] for one in answer["trials"]] == [None] * 3


def test_feedback_of_a_study_has_no_labels(client, db):
    study = factories.make_study(factories.block(feedback="each"))
    assert respond(client, factories.enrol(study))["feedback"]["labels"] is None


@pytest.mark.parametrize("mode", ["learning", "study"])
def test_page_says_that_it_is_the_learning_mode(client, db, mode):
    study = factories.make_study(factories.block(feedback="each"), mode=mode)
    participant = factories.enrol(study)
    pages = ["/s/small/", reverse("trial_page", args=[participant.token])]
    badges = ["Learning mode" in client.get(page).content.decode() for page in pages]
    assert badges == [mode == "learning"] * 2


def test_glossary_is_on_its_own_page_and_in_the_debriefing(client, lesson):
    participant = factories.complete(factories.enrol(lesson))
    for page in ("/clues", reverse("debrief", args=[participant.token])):
        text = client.get(page).content.decode()
        assert [str(name) for name, _text in learning.CLUES if f"<dt>{name}</dt>" not in text] == []


def test_curve_has_a_point_for_each_quarter():
    hits = [False, False, True, False, True, True, True, True, True, False]
    points = learning.curve(hits).points
    assert [(point.hits, point.n) for point in points] == [(0, 2), (2, 3), (3, 3), (1, 2)]
    assert [point.across for point in points] == [12.5, 37.5, 62.5, 87.5]
    assert points[0].down == 100


def test_curve_needs_two_trials_a_quarter():
    assert learning.curve([True] * 7) is None


@pytest.mark.parametrize("mode", ["learning", "study"])
def test_only_the_learning_mode_shows_a_curve(db, mode):
    block = factories.block(trials=8, feedback="each")
    study = factories.make_study(block, pairs=8, mode=mode)
    participant = factories.complete(factories.enrol(study))
    assert (results.of(participant)["curve"] is not None) == (mode == "learning")


def test_mode_is_in_the_data_as_each_version_had_it(lesson):
    factories.enrol(lesson)
    studies.pause(lesson)
    studies.save_design(factories.plan(factories.block(trials=8), mode="study"))
    lesson.refresh_from_db()
    studies.go_live(lesson)
    factories.enrol(lesson)
    text = b"".join(tables.trials(lesson).csv()).decode()
    modes = [row["mode"] for row in csv.DictReader(text.splitlines())]
    assert modes == ["learning"] * 8 + ["study"] * 8
    assert set(modes) <= set(next(c for c in schema.COLUMNS if c.name == "mode").allowed)


def test_demo_lesson_runs_on_the_demo_images():
    plan = demo.demo_design("learn")
    assert (plan.mode, plan.blocks[0].feedback) == ("learning", "each")
