"""Signs of inattention and of programs are kept as flags, and drop nobody."""

import csv

import pytest

from survey import attention, flow
from survey.attention import Given
from survey.export import records
from survey.models import Participant, Study
from tests import factories

CONSENT = {"agree": "on", "adult": "on", "start_key": "k" * 32}


def opened(client, seconds_ago, monkeypatch):
    """The consent form as it was delivered some time ago."""
    text = client.get("/s/small/").context["form"]["opened"].value()
    now = attention.time.time()
    monkeypatch.setattr(attention.time, "time", lambda: now + seconds_ago)
    return text


@pytest.mark.parametrize(
    ("seconds", "more", "flags"),
    [
        (30, {}, []),
        (1, {}, ["too_fast_start"]),
        (30, {"website": "https://spam.example"}, ["honeypot"]),
        (30, {"webdriver": "true"}, ["webdriver"]),
        (30, {"webdriver": "false"}, []),
        (0, {"website": "x", "webdriver": "true"}, ["honeypot", "too_fast_start", "webdriver"]),
    ],
)
def test_way_in_is_flagged_and_nobody_is_kept_out(client, study, monkeypatch, seconds, more, flags):
    form = CONSENT | {"opened": opened(client, seconds, monkeypatch)} | more
    assert client.post("/s/small/start", form).status_code == 303
    assert Participant.objects.get().flags == flags


@pytest.mark.parametrize("text", ["", "forged"])
def test_form_without_its_page_counts_as_too_fast(client, study, text):
    client.post("/s/small/start", CONSENT | {"opened": text})
    assert Participant.objects.get().flags == ["too_fast_start"]


def given(responses, task="detect_pair", block="one"):
    return [Given(block, task, response) for response in responses]


@pytest.mark.parametrize(
    ("left", "n", "biased"), [(11, 11, True), (16, 16, True), (13, 16, False), (9, 9, False)]
)
def test_side_bias_is_what_a_coin_hardly_ever_does(left, n, biased):
    responses = given(["left"] * left + ["right"] * (n - left))
    assert attention.has_side_bias(responses) == biased
    assert not attention.has_side_bias(given(["7"] * n, "rate_single"))


@pytest.mark.parametrize(
    ("responses", "straight"),
    [(["4"] * 10, True), (["4"] * 9, False), (["4"] * 9 + ["5"], False)],
)
def test_straight_lining_is_one_response_in_a_whole_block(responses, straight):
    rating = given(responses, "rate_single", "rating")
    assert attention.is_straight_lining([*given(["left", "right"]), *rating]) == straight


def test_habits_are_flagged_at_the_end_and_exported(db):
    study = factories.make_study(factories.block(trials=12), pairs=12)
    person = factories.enrol(study, flags=["honeypot"])
    factories.complete(person)  # always left
    flags = ["honeypot", "side_bias", "straight_lining"]
    assert (person.flags, person.completed_at is not None) == (flags, True)
    text = b"".join(records.participants(study).csv()).decode()
    assert [row["flags"] for row in csv.DictReader(text.splitlines())] == [";".join(flags)]


def test_withdrawal_erases_the_flags(study):
    person = factories.enrol(study, flags=["webdriver"])
    flow.withdraw(person)
    person.refresh_from_db()
    assert person.flags == []


@pytest.mark.parametrize(
    ("viewport", "allowed", "status"),
    [
        ("390x844", True, 303),
        ("390x844", False, 422),
        ("1440x400", False, 422),
        ("800x500", False, 303),
        ("", False, 303),
    ],
)
def test_small_window_is_turned_away_where_the_study_says_so(
    client, study, viewport, allowed, status
):
    Study.objects.update(allow_small_screens=allowed)
    page = client.post("/s/small/start", CONSENT | {"viewport": viewport})
    assert page.status_code == status
    assert Participant.objects.count() == (status == 303)
    assert ("This screen is too small" in page.content.decode()) == (status == 422)


def test_panel_gets_those_back_whose_screen_is_too_small(client, study):
    codes = {"completed": "DONE", "screened_out": "SMALL"}
    Study.objects.update(
        allow_small_screens=False, recruitment={"panel": "prolific", "codes": codes}
    )
    page = client.get("/s/small/?PROLIFIC_PID=60fd7a&STUDY_ID=s&SESSION_ID=1", follow=True)
    assert "complete?cc=SMALL" in page.content.decode()


def test_privacy_page_names_the_contact_of_its_study(client, study):
    own, general = client.get("/s/small/privacy"), client.get("/privacy")
    assert (own.status_code, general.status_code) == (200, 200)
    assert ("lab@example.org" in own.content.decode()) is True
    assert ("lab@example.org" in general.content.decode()) is False
    assert '/s/small/privacy"' in client.get("/s/small/").content.decode()


def test_privacy_page_of_a_draft_is_unknown(client, study):
    Study.objects.update(state="draft")
    assert client.get("/s/small/privacy").status_code == 404
