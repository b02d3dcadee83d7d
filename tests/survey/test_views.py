"""Every address of a participant: what it answers, and to whom."""

import json
from unittest.mock import Mock

import pytest
from django.urls import reverse

from survey import design, flow, image_set, studies
from survey.models import Participant, Response, Stimulus, Study
from survey.shortpath import short_path
from tests import factories

CONSENT = {"agree": "on", "adult": "on", "start_key": "k" * 32}


@pytest.fixture
def participant(study):
    return factories.enrol(study)


def url(name, participant):
    return reverse(name, args=[participant.token])


def post(client, participant, payload, **more):
    body = payload if isinstance(payload, str) else json.dumps(payload)
    more.setdefault("content_type", "application/json")
    return client.post(url("responses", participant), body, **more)


@pytest.mark.parametrize("name", ["trials", "responses"])
@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_nobody_waits_for_the_body_of_who_has_no_link(db, rf, name, method):
    """Forty who send it slowly would take all threads."""
    request = rf.generic(method, f"/p/nobody/{name}")
    request._stream = Mock(read=Mock(side_effect=AssertionError("the body was read")))

    assert short_path(Mock())(request).status_code in (404, 405)


# --- before the start


def test_home_lists_open_studies_only(client, study):
    factories.make_study(slug="hidden", live=False)

    cards = client.get("/").context["studies"]

    assert [card["url"] for card in cards] == ["/s/small/"]


def test_entry_creates_nothing(client, study):
    response = client.get("/s/small/")

    assert response.status_code == 200
    assert Participant.objects.count() == 0


def test_start_creates_a_participant_and_leads_to_the_private_link(client, study):
    response = client.post("/s/small/start", CONSENT | {"viewport": "390x844"})

    participant = Participant.objects.get()
    assert (response.status_code, response["Location"]) == (303, url("trial_page", participant))
    assert (participant.viewport, participant.consent_version) == ("390x844", "1")


def test_a_double_click_on_start_creates_one_participant(client, study):
    first = client.post("/s/small/start", CONSENT)
    again = client.post("/s/small/start", CONSENT)

    assert first["Location"] == again["Location"]
    assert Participant.objects.count() == 1


@pytest.mark.parametrize("missing", ["agree", "adult", "start_key"])
def test_start_without_consent_or_age_creates_nothing(client, study, missing):
    fields = {name: value for name, value in CONSENT.items() if name != missing}

    response = client.post("/s/small/start", fields)

    assert response.status_code == 422
    assert missing in response.context["form"].errors
    assert Participant.objects.count() == 0


def test_start_by_get_is_refused(client, study):
    assert client.get("/s/small/start").status_code == 405
    assert Participant.objects.count() == 0


def test_start_demands_the_csrf_token(study):
    from django.test import Client

    response = Client(enforce_csrf_checks=True).post("/s/small/start", CONSENT)

    assert response.status_code == 403
    assert response.context["title"] == "The form was not accepted"


@pytest.mark.parametrize("state", ["draft", "paused", "closed"])
def test_a_study_that_is_not_open_says_so(client, study, state):
    Study.objects.update(state=state)

    pages = [client.get("/s/small/"), client.post("/s/small/start", CONSENT)]

    assert [page.status_code for page in pages] == [403, 403]
    assert pages[0].context["message"] == pages[1].context["message"] != ""
    assert Participant.objects.count() == 0


@pytest.mark.parametrize("path", ["/s/none/", "/s/none/credits", "/s/none/consent.md", "/nowhere"])
def test_an_unknown_address_has_a_clear_page(client, db, path):
    response = client.get(path)

    assert response.status_code == 404
    assert response.context["title"] == "Not found"


@pytest.mark.parametrize(("accept", "title"), [("en", "Looking at pictures"), ("ja", "絵を見る")])
def test_entry_speaks_the_language_of_the_browser(client, study, accept, title):
    response = client.get("/s/small/", headers={"accept-language": accept})

    assert response.context["study"]["title"] == title


def test_the_language_link_is_remembered(client, study):
    response = client.get("/language/ja?next=/s/small/")

    assert response["Location"] == "/s/small/"
    assert client.get("/s/small/").context["study"]["title"] == "絵を見る"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:1"])
def test_the_language_link_never_leads_away(client, target):
    assert client.get("/language/ja", {"next": target})["Location"] == "/"


def test_an_unknown_language_is_not_found(client, db):
    assert client.get("/language/xx").status_code == 404


def test_consent_can_be_kept_as_a_file(client, study):
    response = client.get("/s/small/consent.md")

    assert response.content.decode() == factories.TEXTS["consent"]
    assert response["Content-Disposition"] == 'attachment; filename="small-consent.md"'


def test_consent_of_a_draft_is_not_public(client, db):
    factories.make_study(live=False)

    assert client.get("/s/small/consent.md").status_code == 404


def test_markdown_of_a_study_is_sanitised(client, db):
    consent = "**Bold** <script>alert(1)</script><img src=x onerror=alert(1)> [x](javascript:1)"
    texts = factories.TEXTS | {"consent": consent}
    factories.make_study(texts={"en": texts, "ja": texts})

    html = client.get("/s/small/").context["study"]["consent_html"]

    assert html == '<p><strong>Bold</strong>  <a rel="noopener noreferrer">x</a></p>'


# --- with a private link


def test_trials_and_responses_lead_through_the_study(client, participant):
    state = client.get(url("trials", participant)).json()
    while state["step"] == "trials":
        payload = {"token": state["trials"][0]["token"], "response": "left", "confidence": 1}
        state = post(client, participant, payload).json()

    assert (state["step"], state["url"]) == ("background", url("background", participant))
    assert (state["done"], state["total"]) == (8, 8)
    assert Response.objects.count() == 8


def test_instructions_come_with_the_first_trial_of_a_block_only(client, participant):
    first = client.get(url("trials", participant)).json()["block"]
    second = post(client, participant, factories.payload(participant)).json()["block"]

    assert (first["started"], second["started"]) == (False, True)
    assert (first["instructions"] != "", second["instructions"]) == (True, "")


def test_a_replay_is_acknowledged_as_such(client, participant):
    payload = factories.payload(participant)

    answers = [post(client, participant, payload).json()["replayed"] for _ in range(2)]

    assert answers == [False, True]
    assert Response.objects.count() == 1


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"token": "1:x", "response": "left"}, "bad_token"),
        ({}, "bad_token"),
        ([1], "bad_request"),
        ("{not json", "bad_request"),
        ("[" * 10_000, "bad_request"),
        (json.dumps({"token": "x" * 30_000}), "bad_request"),
    ],
)
def test_bad_responses_have_a_code_and_a_message(client, participant, payload, code):
    response = post(client, participant, payload)

    assert (response.status_code, response.json()["error"]) == (400, code)
    assert response.json()["message"]
    assert Response.objects.count() == 0


def test_responses_demand_json(client, participant):
    payload = json.dumps(factories.payload(participant))

    response = post(client, participant, payload, content_type="text/plain")

    assert response.json()["error"] == "bad_request"


def test_messages_are_in_the_language_of_the_participant(client, study):
    participant = factories.enrol(study)
    Participant.objects.update(language="ja")

    message = post(client, participant, {}).json()["message"]

    assert not message.isascii()


def test_the_language_switch_moves_the_participant(client, participant):
    client.get("/language/ja?next=/")
    client.get(url("trial_page", participant))

    assert Participant.objects.get().language == "ja"


@pytest.mark.parametrize("name", ["trials", "responses"])
def test_an_unknown_private_link_is_told_in_json(client, study, name):
    address = reverse(name, args=["unknown"])
    send = client.get if name == "trials" else client.post

    response = send(address)

    assert (response.status_code, response.json()["error"]) == (404, "unknown_link")


@pytest.mark.parametrize("name", ["trial_page", "background", "debrief", "withdraw"])
def test_an_unknown_private_link_has_a_clear_page(client, study, name):
    response = client.get(reverse(name, args=["unknown"]))

    assert (response.status_code, response.context["title"]) == (404, "Unknown link")


def test_trials_of_a_closed_study_lead_to_a_clear_page(client, participant):
    studies.close(participant.study)

    state = client.get(url("trials", participant)).json()
    page = client.get(state["url"])

    assert state["step"] == "closed"
    assert (page.status_code, "answers so far are kept" in page.context["message"]) == (403, True)


BACKGROUND = [
    {
        "key": "age_band",
        "kind": "choice",
        "required": True,
        "texts": {"en": "How old are you?", "ja": "年齢は？"},
        "choices": [
            {"value": "young", "texts": {"en": "Young", "ja": "若い"}},
            {"value": "old", "texts": {"en": "Old", "ja": "年配"}},
        ],
    },
    {"key": "years", "kind": "number", "texts": {"en": "Years?", "ja": "何年？"}},
    {"key": "remark", "kind": "text", "texts": {"en": "Remarks?", "ja": "ご意見"}},
]


def questions():
    plain = design.to_dict(factories.plan()) | {"background": BACKGROUND}
    return design.from_dict(plain).background


def test_every_page_leads_to_where_the_participant_stands(client, db):
    participant = factories.enrol(factories.make_study(background=questions()))
    names = ("trial_page", "background", "debrief")

    def open_pages():
        pages = [client.get(url(name, participant)) for name in names]
        return [page["Location"] if page.status_code == 302 else "here" for page in pages]

    trial, background, debrief = (url(name, participant) for name in names)
    assert open_pages() == ["here", trial, trial]
    factories.answer_all(participant)
    assert open_pages() == [background, "here", background]
    flow.finish(participant, {})
    assert open_pages() == [debrief, debrief, "here"]
    flow.withdraw(participant)
    withdraw = url("withdraw", participant)
    assert open_pages() == [withdraw, withdraw, withdraw]


@pytest.fixture
def asked(db):
    participant = factories.enrol(factories.make_study(background=questions()))
    factories.answer_all(participant)
    return participant


def test_without_background_questions_the_end_comes_at_once(client, participant):
    factories.answer_all(participant)

    response = client.get(url("background", participant))

    assert response["Location"] == url("debrief", participant)
    assert Participant.objects.get().completed_at is not None


def test_background_answers_complete_the_participant(client, asked):
    fields = {"age_band": "old", "years": "12", "remark": ""}

    response = client.post(url("background", asked), fields)

    asked.refresh_from_db()
    assert (response.status_code, response["Location"]) == (303, url("debrief", asked))
    assert asked.background == {"age_band": "old", "years": 12.0}


@pytest.mark.parametrize(
    "fields", [{}, {"age_band": "middle"}, {"age_band": "old", "years": "many"}]
)
def test_bad_background_answers_are_asked_again(client, asked, fields):
    response = client.post(url("background", asked), fields)

    asked.refresh_from_db()
    assert (response.status_code, asked.completed_at) == (422, None)
    assert response.context["form"].errors


def test_debrief_tells_score_preference_and_pairs(client, study):
    participant = factories.complete(factories.enrol(study))

    result = client.get(url("debrief", participant)).context["result"]

    correct = [row.trial for row in Response.objects.filter(trial__task="detect_pair")]
    by_hand = sum(trial.left.origin == "ai" for trial in correct)
    assert (result["detection"].correct, result["detection"].n) == (by_hand, 4)
    liked = Response.objects.filter(trial__task="prefer_pair", trial__left__origin="ai").count()
    assert (result["preference"]["chose_ai"], result["preference"]["n"]) == (liked, 4)
    assert len(result["pairs"]) == 4


def test_withdrawal_asks_first_and_then_erases(client, study):
    participant = factories.complete(factories.enrol(study))

    asked = client.get(url("withdraw", participant))
    kept = Response.objects.exclude(response="").count()
    done = client.post(url("withdraw", participant))
    after = client.get(done["Location"])

    assert (asked.context["withdrawn"], kept) == (False, 8)
    assert after.context["withdrawn"]
    assert Response.objects.exclude(response="").count() == 0


# --- images and headers


def test_images_have_the_same_headers_whatever_they_show(client, study):
    seen = set()
    for stimulus in Stimulus.objects.all():
        response = client.get(reverse("image", args=[stimulus.key]))
        seen.add(tuple(sorted(response.items())))
        list(response.streaming_content)  # reads to the end, and so closes the file

    assert len(seen) == 1
    names = {name for name, _value in seen.pop()}
    assert names.isdisjoint({"ETag", "Last-Modified", "Content-Disposition"})


@pytest.mark.parametrize("key", ["nothing", "..", "a-b", "%2e%2e%2fsecret"])
def test_only_served_images_are_served(client, study, key):
    assert client.get(f"/i/{key}.jpg").status_code == 404


def test_the_original_is_out_of_reach(client, db, tmp_path):
    study = studies.save_design(factories.plan())
    image_set.import_stimuli(study, factories.write_images(tmp_path / "in"), jobs=1)
    original = Stimulus.objects.first().original

    for path in (f"/i/{original}", f"/media/originals/{original}", f"/originals/{original}"):
        assert client.get(path).status_code == 404


PAGES = ["/", "/s/small/", "/s/small/credits", "/nowhere", "/admin/login/"]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_the_strict_policy(client, study, path):
    policy = client.get(path)["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_private_pages_are_not_cached_and_tell_no_referrer(client, participant):
    response = client.get(url("trial_page", participant))

    assert "no-store" in response["Cache-Control"]
    assert response["Referrer-Policy"] == "same-origin"
