"""Whatever a visitor sends, the server answers: never with a failure, never with a traceback.

Short here. `HONMONO_FUZZ=50000 uv run pytest tests/security` sends that many requests a test.
"""

import json
import os
import string
from urllib.parse import quote

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from survey import design, flow, visits
from survey.models import Participant, Response
from tests import factories
from tests.security import description

EXAMPLES = int(os.environ.get("HONMONO_FUZZ", "60"))
short = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

RESPONSES = "/p/{token}/responses"
TRIALS = "/p/{token}/trials"

text = st.text(max_size=60)
path_text = st.text(string.printable + "é日\u202e\0", min_size=1, max_size=60)
numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -1, 2**63, float("inf"), float("nan")]),
)
values = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=8,
)
MEMBERS = sorted(
    description.description()["components"]["schemas"]["Response"]["properties"].keys()
)


@pytest.fixture
def participant(study) -> Participant:
    return factories.enrol(study)


@pytest.fixture
def browser() -> Client:
    """A client to which a failure of the server is an answer, as it is to a visitor."""
    return Client(raise_request_exception=False)


def check(response) -> None:
    assert response.status_code < 500
    assert b"Traceback" not in getattr(response, "content", b"")


@short
@given(data=st.data())
def test_response_with_any_members_is_answered_as_described(data, participant, browser):
    sensible = factories.payload(participant) if flow.step_of(participant) == "trials" else {}
    strange = data.draw(st.dictionaries(st.sampled_from(MEMBERS), values, max_size=4))
    url = RESPONSES.format(token=participant.token)

    response = browser.post(url, json.dumps(sensible | strange), "application/json")

    check(response)
    assert description.faults(RESPONSES, "post", response) == []
    if response.status_code == 200 and not response.json()["replayed"]:
        stored = Response.objects.order_by("trial__index").last()
        assert stored.flags == [flag for flag in stored.flags if flag.isidentifier()]


@short
@given(body=st.binary(max_size=300) | values.map(lambda value: json.dumps(value).encode()))
def test_response_with_any_body_is_answered_as_described(body, participant, browser):
    url = RESPONSES.format(token=participant.token)

    response = browser.post(url, body, "application/json")

    check(response)
    assert response.status_code == 400
    assert description.faults(RESPONSES, "post", response) == []
    assert Response.objects.count() == 0


@short
@given(token=path_text, kind=st.sampled_from(["trials", "responses", "background", "", "debrief"]))
def test_any_private_link_is_answered(token, kind, db, browser):
    check(browser.get(f"/p/{quote(token, safe='')}/{kind}"))
    check(browser.post(f"/p/{quote(token)}/{kind}", b"{}", "application/json"))


@short
@given(
    path=st.sampled_from(["/", "/s/", "/s/small/", "/i/", "/language/", "/health/", "/static/"]),
    rest=path_text,
    query=st.dictionaries(st.sampled_from(["next", "simulated", "PROLIFIC_PID", "x"]), text),
)
def test_any_address_is_answered(path, rest, query, study, browser):
    check(browser.get(path + quote(rest), query))


FORM = st.fixed_dictionaries(
    {},
    optional={
        "agree": text,
        "adult": text,
        "start_key": text | st.just("a" * 24),
        "viewport": text,
        "simulated": text,
        "csrfmiddlewaretoken": text,
    },
)


@short
@given(form=FORM)
def test_any_consent_form_is_answered(form, study, browser):
    before = Participant.objects.count()

    response = browser.post("/s/small/start", form)

    check(response)
    made = Participant.objects.count() - before
    assert made <= (response.status_code == 303)


@short
@given(form=st.dictionaries(st.sampled_from(["age", "gender", "art", "words", "x"]), text))
def test_any_background_form_is_answered(form, asked, browser):
    response = browser.post(f"/p/{asked.token}/background", form)

    check(response)


@pytest.fixture
def asked(db) -> Participant:
    """A participant who has answered everything but the background questions."""

    def texts(name):
        return {"en": name, "ja": name}

    choices = tuple(design.Choice(name, texts(name)) for name in ("a", "b"))
    kinds = {"gender": "choice", "art": "multiple", "age": "number", "words": "text"}
    questions = tuple(
        design.Question(
            key=key,
            kind=kind,
            required=False,
            texts=texts(key),
            choices=choices if kind in {"choice", "multiple"} else (),
        )
        for key, kind in kinds.items()
    )
    participant = factories.enrol(factories.make_study(background=questions))
    factories.answer_all(participant)
    return participant


HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "HTTP_ACCEPT_LANGUAGE",
            "HTTP_COOKIE",
            "HTTP_HOST",
            "HTTP_REFERER",
            "HTTP_X_FORWARDED_FOR",
            "HTTP_X_FORWARDED_PROTO",
            "HTTP_RANGE",
            "HTTP_IF_MODIFIED_SINCE",
        ]
    ),
    st.text(string.printable.strip(), max_size=80),
)


@short
@given(headers=HEADERS, path=st.sampled_from(["/", "/s/small/", "/admin/login/", "/static/x"]))
def test_any_header_is_answered(headers, path, study, browser):
    check(browser.get(path, **headers))


def test_description_fits_a_whole_run_and_its_errors(participant, browser):
    url, trials = RESPONSES.format(token=participant.token), TRIALS.format(token=participant.token)
    seen = []

    def send(payload):
        response = browser.post(url, json.dumps(payload), "application/json")
        seen.append(response.status_code)
        assert description.faults(RESPONSES, "post", response) == []

    while flow.step_of(participant) == flow.Step.TRIALS:
        assert description.faults(TRIALS, "get", browser.get(trials)) == []
        later = visits.ahead(participant).trials[-1]
        payload = factories.payload(participant)
        send(payload)
        send(payload)
        send(payload | {"token": "forged"})
        send(payload | {"token": visits.trial_token(later), "response": "nothing"})
    flow.withdraw(participant)

    assert description.faults(TRIALS, "get", browser.get(trials)) == []
    assert description.faults(TRIALS, "get", browser.get("/p/nobody/trials")) == []
    assert description.faults("/health/live", "get", browser.get("/health/live")) == []
    assert description.faults("/health/ready", "get", browser.get("/health/ready")) == []
    assert {200, 400} <= set(seen)


def test_description_refuses_what_does_not_fit(participant, browser):
    response = browser.get(TRIALS.format(token=participant.token))
    leak = response.json()
    leak["trials"][0]["origin"] = "ai"
    response.json = lambda: leak

    assert len(description.faults(TRIALS, "get", response)) == 1
