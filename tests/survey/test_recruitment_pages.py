"""What somebody from a panel sees: clean addresses, clear refusals, the way back at the end."""

import re
from urllib.parse import urlencode

import pytest
from django.core import signing
from django.urls import reverse

from survey import bots, flow, panels, reception, recruitment, studies
from survey.design import Question
from survey.models import EntryKey, PanelIdentity, Participant, Study
from tests import factories

CODES = {"completed": "DONE1", "screened_out": "OUT2", "failed_check": "FAIL3"}
ENTRY = "/s/small/"
PROLIFIC_LINK = {"PROLIFIC_PID": "60fd7a0a1111", "STUDY_ID": "there1", "SESSION_ID": "sitting1"}
MTURK_LINK = {
    "workerId": "A1WORKER",
    "hitId": "HIT1",
    "assignmentId": "ASSIGN1",
    "turkSubmitTo": "https://workersandbox.mturk.com",
}
MTURK_ORIGINS = " ".join(f"https://{host}" for host in panels.MTURK.hosts)
RETURN = "https://app.prolific.com/submissions/complete?cc="


def recruit(study: Study, **settings) -> Study:
    study.recruitment = settings
    study.save()
    return study


@pytest.fixture
def prolific(study):
    return recruit(study, panel="prolific", codes=CODES)


@pytest.fixture
def mturk(study):
    return recruit(study, panel="mturk")


@pytest.fixture
def sona(study):
    return recruit(study, panel="sona", return_url="https://sona.example.org/?c={panel_id}")


def arrive(client, link: dict, **more):
    return client.get(f"{ENTRY}?{urlencode(link)}", **more)


def consent(client, key: str = "a" * 24, **more):
    data = {"agree": "on", "adult": "on", "start_key": key}
    return client.post(f"{ENTRY}start", data, **more)


def enter(client, link: dict) -> Participant:
    """Come from the panel and consent."""
    arrive(client, link)
    answer = consent(client)
    assert answer.status_code == 303
    return Participant.objects.get(token=answer.url.split("/")[2])


def page(participant: Participant, name: str) -> str:
    return reverse(name, args=[participant.token])


def text_of(response) -> str:
    """The page as it is read: without tags, quotes as they are."""
    plain = re.sub(r"<[^>]+>", " ", response.content.decode())
    return re.sub(r"\s+", " ", plain.replace("&#x27;", "'").replace("&quot;", '"'))


def policy(response) -> dict[str, str]:
    parts = response["Content-Security-Policy"].split("; ")
    return dict(part.split(" ", 1) for part in parts)


# --- in ----------------------------------------------------------------------------------------


def test_entry_with_an_id_leads_to_the_address_without_it(prolific, client):
    answer = arrive(client, PROLIFIC_LINK)
    assert (answer.status_code, answer.url) == (303, ENTRY)
    assert "no-store" in answer["Cache-Control"]


def test_entry_keeps_the_id_in_a_signed_cookie_of_the_study_for_a_short_time(prolific, client):
    cookie = arrive(client, PROLIFIC_LINK).cookies[reception.COOKIE]
    kept = {name: cookie[name] for name in ("path", "httponly", "samesite", "max-age", "secure")}
    assert kept == {
        "path": ENTRY,
        "httponly": True,
        "samesite": "Lax",
        "max-age": 7200,
        "secure": "",
    }


def test_entry_cookie_is_secure_where_the_site_is(prolific, client, settings):
    settings.SESSION_COOKIE_SECURE = True
    cookie = arrive(client, PROLIFIC_LINK, secure=True).cookies[reception.COOKIE]
    assert cookie["secure"] is True


def test_entry_shows_the_consent_at_the_clean_address_and_stores_nothing(prolific, client):
    arrive(client, PROLIFIC_LINK)
    answer = client.get(ENTRY)
    assert answer.status_code == 200
    assert 'name="start_key"' in answer.content.decode()
    assert PROLIFIC_LINK["PROLIFIC_PID"] not in answer.content.decode()
    assert (Participant.objects.count(), PanelIdentity.objects.count()) == (0, 0)
    assert EntryKey.objects.count() == 0


def test_start_makes_the_participant_of_the_id(prolific, client):
    participant = enter(client, PROLIFIC_LINK)
    assert participant.source == "prolific"
    assert recruitment.arrival_of(participant) == panels.Arrival(
        "prolific", "60fd7a0a1111", "there1", "sitting1"
    )


def test_start_without_a_cookie_is_refused(prolific, client):
    answer = consent(client)
    assert answer.status_code == 403
    assert "This study takes participants of Prolific." in text_of(answer)
    assert Participant.objects.count() == 0


def test_start_twice_makes_one_participant(prolific, client):
    first = enter(client, PROLIFIC_LINK)
    answer = consent(client)
    assert (answer.status_code, answer.url) == (303, page(first, "trial_page"))
    assert Participant.objects.count() == 1


def test_entry_of_an_open_study_refuses_the_link_of_a_panel(study, client):
    refused = arrive(client, PROLIFIC_LINK)
    assert client.get(ENTRY).status_code == 200
    assert refused.status_code == 400
    assert "the study does not recruit there" in text_of(refused)


def test_entry_without_an_id_is_refused_where_a_panel_recruits(prolific, client):
    answer = client.get(ENTRY)
    assert answer.status_code == 403
    assert "This study takes participants of Prolific." in text_of(answer)
    assert "lab@example.org" in text_of(answer)


def test_entry_without_an_id_is_open_where_the_study_wants_both(study, client):
    recruit(study, panel="prolific", codes=CODES, open_link=True)
    assert client.get(ENTRY).status_code == 200
    consent(client)
    assert Participant.objects.get().source == "open"


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("{{%PROLIFIC_PID%}}", "This link carries a placeholder instead of your ID."),
        ("", "This link does not carry your ID."),
        ("x" * 5000, "The ID in this link is too long."),
        ("a\x00b", "The ID in this link holds signs that no ID has."),
        ("<script>alert(1)</script>", "This link carries a placeholder instead of your ID."),
    ],
)
def test_entry_with_a_bad_id_says_what_is_wrong(prolific, client, value, fault):
    answer = arrive(client, PROLIFIC_LINK | {"PROLIFIC_PID": value})
    assert answer.status_code == 400
    assert fault in text_of(answer)
    assert reception.COOKIE not in answer.cookies
    assert "alert(1)" not in answer.content.decode()


def test_entry_with_the_placeholder_as_prolific_writes_it_is_refused(prolific, client):
    answer = client.get(
        ENTRY + "?PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}"
        "&SESSION_ID={{%SESSION_ID%}}"
    )
    assert answer.status_code == 400
    assert "placeholder" in text_of(answer)


def test_entry_refuses_in_the_language_of_the_reader(prolific, client):
    answer = client.get(ENTRY, headers={"accept-language": "ja"})
    assert 'lang="ja"' in answer.content.decode()
    assert answer.status_code == 403


@pytest.mark.parametrize("value", ["", "rubbish", "{}:1abcde:xyz"])
def test_cookie_that_is_not_ours_counts_for_nothing(prolific, client, value):
    client.cookies[reception.COOKIE] = value
    assert client.get(ENTRY).status_code == 403


def test_cookie_of_another_study_counts_for_nothing(prolific, client):
    recruit(factories.make_study(slug="other"), panel="prolific", codes=CODES)
    client.get(f"/s/other/?{urlencode(PROLIFIC_LINK)}")
    client.cookies[reception.COOKIE]["path"] = "/"
    assert client.get("/s/other/").status_code == 200
    assert client.get(ENTRY).status_code == 403


def test_cookie_expires(prolific, client, monkeypatch):
    arrive(client, PROLIFIC_LINK)
    assert client.get(ENTRY).status_code == 200
    monkeypatch.setattr(reception, "COOKIE_SECONDS", -1)
    assert client.get(ENTRY).status_code == 403


def test_cookie_of_a_panel_that_the_study_has_left_counts_for_nothing(prolific, client):
    arrive(client, PROLIFIC_LINK)
    recruit(prolific, panel="mturk")
    assert client.get(ENTRY).status_code == 403


def test_home_lists_only_studies_with_an_open_link(prolific, client):
    factories.make_study(slug="open")
    text = client.get("/").content.decode()
    assert ("/s/open/" in text, ENTRY in text) == (True, False)


def test_bots_take_part_in_a_study_of_a_panel(prolific):
    codes = list(bots.run(prolific, 1))
    participant = Participant.objects.get()
    assert codes == [participant.code]
    assert (participant.is_simulated, participant.source) == (True, "open")
    assert participant.completed_at is not None


# --- again -------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", ["60fd7a0a1111", "60FD7A0A1111", " 60fd7a0a1111  "])
def test_second_entry_resumes_at_the_private_link(prolific, client, again):
    participant = enter(client, PROLIFIC_LINK)
    factories.record(participant, factories.payload(participant))
    client.cookies.clear()
    link = PROLIFIC_LINK | {"PROLIFIC_PID": again, "SESSION_ID": "sitting2"}
    answer = arrive(client, link, follow=True)
    assert answer.redirect_chain == [(ENTRY, 303), (page(participant, "trial_page"), 303)]
    assert answer.context["done"] == 1
    assert Participant.objects.count() == 1


def test_second_entry_resumes_while_the_study_is_paused(prolific, client):
    participant = enter(client, PROLIFIC_LINK)
    studies.pause(prolific)
    answer = arrive(client, PROLIFIC_LINK, follow=True)
    assert answer.redirect_chain[-1] == (page(participant, "trial_page"), 303)


def test_second_entry_after_the_end_shows_the_way_back_and_no_result(prolific, client):
    participant = factories.complete(enter(client, PROLIFIC_LINK))
    answer = arrive(client, PROLIFIC_LINK, follow=True)
    assert answer.status_code == 409
    assert "You have taken part already" in text_of(answer)
    assert f'href="{RETURN}DONE1"' in answer.content.decode()
    assert participant.token not in answer.content.decode()


def test_second_entry_with_another_submission_after_the_end_is_not_paid_again(prolific, client):
    factories.complete(enter(client, PROLIFIC_LINK))
    answer = arrive(client, PROLIFIC_LINK | {"SESSION_ID": "sitting2"}, follow=True)
    assert answer.status_code == 409
    assert "Everybody can take part once." in text_of(answer)
    assert "DONE1" not in answer.content.decode()


def test_second_consent_after_the_end_is_refused(prolific, client):
    factories.complete(enter(client, PROLIFIC_LINK))
    answer = consent(client, key="b" * 24)
    assert answer.status_code == 409
    assert Participant.objects.count() == 1


def test_second_entry_after_a_withdrawal_is_a_new_one(prolific, client):
    participant = enter(client, PROLIFIC_LINK)
    client.post(page(participant, "withdraw"))
    assert arrive(client, PROLIFIC_LINK, follow=True).status_code == 200
    assert (PanelIdentity.objects.count(), EntryKey.objects.count()) == (0, 0)


# --- out ---------------------------------------------------------------------------------------


def test_nothing_tells_the_code_before_the_end(client, db):
    asked = Question("age", "number", texts={"en": "How old are you?", "ja": "何歳ですか"})
    recruit(factories.make_study(background=(asked,)), panel="prolific", codes=CODES)
    participant = enter(client, PROLIFIC_LINK)
    seen = []

    def look():
        for name in ("trial_page", "trials", "background", "debrief", "withdraw"):
            seen.append(client.get(page(participant, name), follow=True).content.decode())
        seen.append(client.get(ENTRY, follow=True).content.decode())

    look()
    for _ in range(participant.planned - 1):
        factories.record(participant, factories.payload(participant))
    look()
    assert [text for text in seen if re.search("DONE1|OUT2|FAIL3|prolific.com", text)] == []
    factories.complete(participant)
    assert f"{RETURN}DONE1" in client.get(page(participant, "debrief")).content.decode()


def test_debrief_leads_back_to_prolific_with_the_code_in_words(prolific, client):
    participant = factories.complete(enter(client, PROLIFIC_LINK))
    answer = client.get(page(participant, "debrief"))
    assert f'href="{RETURN}DONE1"' in answer.content.decode()
    assert "Your code there: DONE1" in text_of(answer)
    assert policy(answer)["form-action"] == "'self'"


def test_debrief_of_an_open_participant_leads_nowhere(study, client):
    participant = factories.complete(factories.enrol(study))
    answer = client.get(page(participant, "debrief"))
    assert answer.context["way_back"] is None
    assert 'id="way-back"' not in answer.content.decode()


def test_debrief_shows_nothing_after_a_withdrawal(prolific, client):
    participant = factories.complete(enter(client, PROLIFIC_LINK))
    flow.withdraw(participant)
    answer = client.get(page(participant, "debrief"), follow=True)
    assert "DONE1" not in answer.content.decode()


def test_debrief_gives_the_sona_credit_to_the_id(sona, client):
    participant = factories.complete(enter(client, {"survey_code": "12345"}))
    answer = client.get(page(participant, "debrief"))
    assert 'href="https://sona.example.org/?c=12345"' in answer.content.decode()


def test_full_study_screens_out_whoever_comes_from_the_panel(prolific, client):
    prolific.quota = 0
    prolific.save()
    answer = arrive(client, PROLIFIC_LINK, follow=True)
    assert answer.status_code == 403
    assert f'href="{RETURN}OUT2"' in answer.content.decode()


def test_study_that_fills_up_before_the_consent_screens_out(prolific, client):
    arrive(client, PROLIFIC_LINK)
    prolific.quota = 0
    prolific.save()
    answer = consent(client)
    assert answer.status_code == 403
    assert f'href="{RETURN}OUT2"' in answer.content.decode()


def test_full_study_tells_no_code_to_a_passer_by(study, client):
    recruit(study, panel="prolific", codes=CODES, open_link=True)
    study.quota = 0
    study.save()
    answer = client.get(ENTRY)
    assert answer.status_code == 403
    assert "OUT2" not in answer.content.decode()


# --- MTurk -------------------------------------------------------------------------------------


def own_tab(framed) -> str:
    """Where the frame's button leads, as a browser reads it."""
    found = re.search(r'href="([^"]+)" target="_blank"', framed.content.decode())
    return ENTRY + found[1].replace("&amp;", "&")


def test_mturk_frame_may_be_shown_by_mturk_only_and_sets_no_cookie(mturk, client):
    answer = arrive(client, MTURK_LINK)
    assert answer.status_code == 200
    assert "X-Frame-Options" not in answer
    assert policy(answer)["frame-ancestors"] == MTURK_ORIGINS
    assert policy(answer)["form-action"] == MTURK_ORIGINS
    assert dict(answer.cookies) == {}


@pytest.mark.parametrize("path", ["/", ENTRY, f"{ENTRY}?{urlencode(MTURK_LINK)}&own_tab=1"])
def test_mturk_may_not_frame_any_other_page(mturk, client, path):
    answer = client.get(path)
    assert answer["X-Frame-Options"] == "DENY"
    assert policy(answer)["frame-ancestors"] == "'none'"


def test_mturk_link_to_a_study_of_another_panel_may_not_be_framed(prolific, client):
    answer = arrive(client, MTURK_LINK)
    assert (answer.status_code, answer["X-Frame-Options"]) == (400, "DENY")


def test_mturk_preview_offers_nothing_and_stores_nothing(mturk, client):
    answer = arrive(client, {"assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE", "hitId": "HIT1"})
    assert answer.status_code == 200
    assert "This is a preview. Accept the task to take part." in text_of(answer)
    assert "<form" not in answer.content.decode()
    assert "own_tab" not in answer.content.decode()
    assert (Participant.objects.count(), PanelIdentity.objects.count()) == (0, 0)


def test_mturk_frame_says_what_is_wrong_with_a_link(mturk, client):
    answer = arrive(client, MTURK_LINK | {"turkSubmitTo": "https://evil.example"})
    assert "This link names an address for your result that is not known here." in text_of(answer)
    assert "own_tab" not in answer.content.decode()
    assert "evil" not in answer.content.decode()


def test_mturk_frame_says_that_the_study_is_full(mturk, client):
    mturk.quota = 0
    mturk.save()
    answer = arrive(client, MTURK_LINK)
    assert "All places in this study are taken." in text_of(answer)
    assert "own_tab" not in answer.content.decode()


def test_mturk_worker_takes_part_in_a_tab_and_submits_in_the_frame(mturk, client):
    framed = arrive(client, MTURK_LINK)
    opened = client.get(own_tab(framed))
    assert (opened.status_code, opened.url) == (303, ENTRY)
    consented = consent(client)
    participant = Participant.objects.get(token=consented.url.split("/")[2])
    before = arrive(client, MTURK_LINK).content.decode()
    factories.complete(participant)
    after = arrive(client, MTURK_LINK).content.decode()
    form = (
        '<form method="post" action="https://workersandbox.mturk.com/mturk/externalSubmit"',
        '<input type="hidden" name="assignmentId" value="ASSIGN1">',
        '<input type="hidden" name="outcome" value="completed">',
    )
    assert [part in before for part in form] == [False, False, False]
    assert [part in after for part in form] == [True, True, True]
    assert "csrfmiddlewaretoken" not in after


def test_mturk_debrief_may_post_to_mturk_and_may_not_be_framed(mturk, client):
    client.get(f"{ENTRY}?{urlencode(MTURK_LINK)}&own_tab=1")
    answer = consent(client)
    participant = Participant.objects.get(token=answer.url.split("/")[2])
    factories.complete(participant)
    debrief = client.get(page(participant, "debrief"))
    assert "https://workersandbox.mturk.com/mturk/externalSubmit" in debrief.content.decode()
    assert policy(debrief)["form-action"] == f"'self' {MTURK_ORIGINS}"
    assert policy(debrief)["frame-ancestors"] == "'none'"


def test_mturk_second_assignment_of_a_worker_cannot_be_submitted(mturk, client):
    client.get(f"{ENTRY}?{urlencode(MTURK_LINK)}&own_tab=1")
    answer = consent(client)
    factories.complete(Participant.objects.get(token=answer.url.split("/")[2]))
    second = arrive(client, MTURK_LINK | {"assignmentId": "ASSIGN2"})
    assert "Everybody can take part once." in text_of(second)
    assert "<form" not in second.content.decode()


# --- any other panel ---------------------------------------------------------------------------


def test_other_panel_with_renamed_parameters_from_link_to_return(study, client):
    recruit(
        study,
        panel="other",
        label="Crowd",
        parameters={"panel_id": "uid", "submission": "ticket"},
        codes={"completed": "OK"},
        return_url="https://crowd.example.org/end?u={panel_id}&t={submission}&c={code}",
    )
    participant = factories.complete(enter(client, {"uid": "u/1", "ticket": "t1"}))
    answer = client.get(page(participant, "debrief"))
    assert participant.source == "other"
    assert answer.context["way_back"].url == "https://crowd.example.org/end?u=u%2F1&t=t1&c=OK"


def test_cookie_holds_no_more_than_the_link(prolific, client):
    cookie = arrive(client, PROLIFIC_LINK).cookies[reception.COOKIE]
    kept = signing.loads(cookie.value, salt=f"survey.arrival/{prolific.pk}")
    assert kept == {
        "panel": "prolific",
        "panel_id": "60fd7a0a1111",
        "panel_study": "there1",
        "submission": "sitting1",
        "submit_to": "",
    }
