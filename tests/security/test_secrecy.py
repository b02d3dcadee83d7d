"""The truth is not in the work that the server does, and nobody reaches what is another's."""

import json
import re
from collections import Counter
from unittest.mock import Mock, patch

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from survey import flow, prepared, shortpath, visits
from survey.models import Participant, Response
from tests import factories

CHOICES = {
    "detect_pair": ("left", "right"),
    "prefer_pair": ("left", "right"),
    "detect_single": ("real", "ai"),
}


@pytest.fixture
def participant(db) -> Participant:
    """Somebody at the start of many trials of the two tasks with a right answer."""
    blocks = (
        factories.block("pairs", "detect_pair", trials=16),
        factories.block("singles", "detect_single", trials=32),
    )
    return factories.enrol(factories.make_study(*blocks, pairs=32))


def work(client, participant, payload) -> tuple[tuple[str, ...], int]:
    """The statements that a response costs, without their values, and the answer's length."""
    url = f"/p/{participant.token}/responses"
    shortpath.is_link(participant.token)  # looked up once, whatever is answered
    hot = Mock(wraps=prepared._execute)
    with CaptureQueriesContext(connection) as queries, patch.object(prepared, "_execute", hot):
        response = client.post(url, json.dumps(payload), "application/json")
    assert response.status_code == 200
    state = response.json()
    known = {**state, "done": 0, "trials": len(state.get("trials", ())), "block": None}
    asked = [call.args[1] for call in hot.call_args_list] + [query["sql"] for query in queries]
    assert len(hot.call_args_list) == 2
    return tuple(shape(sql) for sql in asked), len(json.dumps(known))


def is_amid_its_block(participant, trial) -> bool:
    """Whether as many trials follow in the block as are handed out ahead, and one came before."""
    index = trial.index - participant.trials.filter(block__lt=trial.block).count()
    return 0 < index < participant.trials.filter(block=trial.block).count() - visits.AHEAD - 1


def shape(sql: str) -> str:
    """A statement without the values that differ from trial to trial anyway."""
    return re.split(r" (?:VALUES|WHERE|SET) |SAVEPOINT ", sql)[0]


def test_work_is_the_same_for_real_and_ai_and_for_right_and_wrong(client, participant):
    """Statements and lengths, not time: what is equal in these cannot differ by the truth."""
    seen: dict[tuple, set] = {}
    count: Counter = Counter()
    while flow.step_of(participant) == flow.Step.TRIALS:
        trial = visits.ahead(participant).trials[0]
        truth = (trial.left or trial.stimulus).origin
        choice = CHOICES[trial.task][count[trial.task, truth] % 2]
        count[trial.task, truth] += 1
        measured = work(client, participant, factories.payload(participant, response=choice))
        if is_amid_its_block(participant, trial):
            seen.setdefault((trial.task, truth, choice), set()).add(measured)

    for task, choices in (("detect_pair", ("left", "right")), ("detect_single", ("real", "ai"))):
        kinds = {key: work for key, work in seen.items() if key[0] == task}
        assert {key[1:] for key in kinds} == {(o, c) for o in ("real", "ai") for c in choices}
        assert len(set.union(*kinds.values())) == 1


def test_image_costs_no_statement_whatever_it_shows(client, study, django_assert_num_queries):
    keys = list(study.stimuli.values_list("key", flat=True))

    with django_assert_num_queries(0):
        images = [b"".join(client.get(f"/i/{key}.jpg").streaming_content) for key in keys]

    assert images == [factories.jpeg()] * len(keys)


def test_response_to_the_trial_of_another_is_refused(client, study):
    mine, other = factories.enrol(study), factories.enrol(study)
    foreign = factories.payload(other)

    response = client.post(f"/p/{mine.token}/responses", json.dumps(foreign), "application/json")

    assert (response.status_code, response.json()["error"]) == (400, "bad_token")
    assert Response.objects.count() == 0


@pytest.mark.parametrize("salt", ["survey.trial", "survey.simulation", ""])
def test_token_that_was_not_made_by_this_server_is_refused(client, study, salt):
    from django.core.signing import Signer

    mine = factories.enrol(study)
    trial = mine.trials.get(index=0)
    forged = Signer(key="another secret", salt=salt or None).sign(str(trial.pk))

    payload = {"token": forged, "response": "left"}
    response = client.post(f"/p/{mine.token}/responses", json.dumps(payload), "application/json")

    assert (response.status_code, response.json()["error"]) == (400, "bad_token")


def test_token_of_another_study_is_refused(client, study):
    other = factories.enrol(factories.make_study(slug="other"))
    mine = factories.enrol(study)
    payload = factories.payload(other)

    response = client.post(f"/p/{mine.token}/responses", json.dumps(payload), "application/json")

    assert response.status_code == 400


def test_sign_in_gives_a_new_session(client, admin_user, settings):
    """Whoever planted a session before the sign-in does not hold the one after it."""
    settings.CLOSED_LAB = True
    client.get("/admin/")
    session = client.session
    session["planted"] = True
    session.save()
    before = session.session_key
    client.cookies[settings.SESSION_COOKIE_NAME] = before

    client.post("/admin/login/", {"username": "admin", "password": "password", "next": "/admin/"})

    after = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert client.get("/admin/").status_code == 200
    assert after != before
    client.cookies[settings.SESSION_COOKIE_NAME] = before
    assert client.get("/admin/").status_code == 302


def test_participant_pages_set_no_session(client, study):
    participant = factories.enrol(study)
    paths = ("/", "/s/small/", f"/p/{participant.token}/", f"/p/{participant.token}/trials")

    cookies = {name for path in paths for name in client.get(path).cookies}

    assert cookies == {"csrftoken"}
