"""Responses that wait together are stored together, and none of them at another's cost."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from unittest.mock import Mock, patch

import pytest
from django.db import IntegrityError, OperationalError, connection
from django.urls import reverse
from django.utils import translation

from survey import committing, flow, integrity, prepared, server, visits
from survey.models import Participant, Response
from tests import factories
from tests.survey.busy_writer import wait_together


@pytest.fixture
def study(db):
    return factories.make_study()


@pytest.fixture
def people(study):
    return [factories.enrol(study, number) for number in range(6)]


@pytest.fixture
def sharing(settings):
    settings.SHARED_COMMITS = True
    yield
    committing.stop()


def sent(participant, **more):
    return flow.Sent(participant.token, factories.payload(participant, **more))


def codes(outcomes):
    """The faults; nothing where a response is stored."""
    return [getattr(outcome, "code", "") for outcome in outcomes]


def test_many_responses_are_read_by_one_statement_and_stored_by_one(people):
    wanted = [sent(one, response=("left", "right")[i % 2]) for i, one in enumerate(people)]
    with patch.object(prepared, "_execute", wraps=prepared._execute) as asked:
        outcomes = flow.record(wanted)

    each = 1 if connection.vendor == "postgresql" else len(people)
    assert asked.call_count == 2 * each
    assert [one.participant.pk for one in outcomes] == [one.pk for one in people]
    assert [one.response.response for one in outcomes] == ["left", "right"] * 3
    stored = Response.objects.order_by("trial__participant__pk")
    assert [one.response for one in stored] == ["left", "right"] * 3
    assert integrity.verify(people[0].study).faults == []


def test_a_stored_response_has_every_value_that_was_sealed(people):
    """Values go in as one text with PostgreSQL; none may change on its way."""
    numbers = {"rt_ms": 1e-05, "shown_ms": 1234.5999999046326, "frame_ms": 0.1 + 0.2}
    more = {"flags": ["fast"], "input_device": "touch", "layout": "stacked", "viewport_w": 390}
    (outcome, *_rest) = flow.record([sent(one, **numbers, **more) for one in people])

    stored = Response.objects.get(pk=outcome.response.pk)
    for field in Response._meta.concrete_fields:
        assert getattr(stored, field.attname) == getattr(outcome.response, field.attname)
    assert {name: getattr(stored, name) for name in numbers} == numbers


def test_what_cannot_be_stored_costs_the_others_nothing(people):
    gone, wrong, forged, early, *good = people
    late = visits.trial_token(visits.ahead(early).trials[1])
    wanted = [
        sent(gone),
        sent(wrong, response="both"),
        sent(forged, token="1:forged"),
        sent(early, token=late),
        sent(good[0]),
        flow.Sent(good[0].token, factories.payload(good[1])),
        sent(good[1]),
    ]
    flow.withdraw(gone)

    refused = ["withdrawn", "bad_response", "bad_token", "out_of_order", "", "bad_token", ""]
    assert codes(flow.record(wanted)) == refused
    people_stored = Response.objects.values_list("trial__participant", flat=True)
    assert sorted(people_stored) == sorted(one.pk for one in good)


def test_two_responses_of_one_participant_are_taken_in_their_order(people):
    """A browser waits for each, but a proxy may send one again, or a page two at once."""
    one, other, *_ = people
    (first, second, *_rest) = visits.ahead(one).trials
    wanted = [
        sent(one, response="right"),
        sent(one, response="left"),  # the first one wins
        sent(other),
        sent(one, token=visits.trial_token(second), response="left"),
    ]
    outcomes = flow.record(wanted)

    assert [outcome.replayed for outcome in outcomes] == [False, True, False, False]
    assert [outcomes[i].response.response for i in (0, 1, 3)] == ["right", "right", "left"]
    assert [outcomes[i].trial.pk for i in (0, 1, 3)] == [first.pk, first.pk, second.pk]
    assert integrity.verify(one.study).faults == []


def test_who_withdraws_between_the_look_and_the_insert_leaves_nothing(people):
    gone, *rest = people
    wanted = [sent(one) for one in people]
    look = visits.around

    def look_and_withdraw(keys):
        found = look(keys)
        flow.withdraw(Participant.objects.get(pk=gone.pk))
        return found

    with patch.object(visits, "around", look_and_withdraw):
        outcomes = flow.record(wanted)

    assert codes(outcomes) == ["withdrawn", *[""] * len(rest)]
    assert not Response.objects.filter(trial__participant=gone).exists()


def test_rows_are_inserted_in_the_order_of_their_keys(people):
    """Two processes that insert the same rows in two orders would wait for each other."""
    with patch.object(flow, "insert_where", wraps=flow.insert_where) as inserted:
        flow.record([sent(one) for one in reversed(people)])

    keys = [one.pk for one in inserted.call_args.args[0]]
    assert keys == sorted(keys)
    assert len(keys) == len(people)


def test_numbers_without_a_sign_of_their_own_keep_the_chain_whole(people):
    flow.record([sent(one, rt_ms=-0.0, confidence=-0.0) for one in people])

    assert integrity.verify(people[0].study).faults == []


def test_an_argument_that_spoils_the_job_fails_alone():
    def inverses(numbers):
        return [1 / number for number in numbers]

    jobs = [committing.Job(inverses, number, Mock()) for number in (1, 0, 2)]
    outcomes = committing._outcomes(jobs)

    assert (outcomes[0], type(outcomes[1]), outcomes[2]) == (1, ZeroDivisionError, 0.5)


def test_too_few_outcomes_are_nobodys():
    def forgetful(arguments):
        return arguments[1:]

    with pytest.raises(AssertionError, match="gave 1 outcomes of 2"):
        committing._outcomes([committing.Job(forgetful, n, Mock()) for n in (1, 2)])


def test_jobs_of_several_functions_keep_their_order():
    done = []

    def note(name):
        def function(arguments):
            done.append((name, arguments))
            return arguments

        return function

    one, other = note("one"), note("other")
    jobs = [committing.Job(f, i, Mock()) for i, f in enumerate((one, one, other, one))]

    assert committing._outcomes(jobs) == [0, 1, 2, 3]
    assert done == [("one", [0, 1]), ("other", [2]), ("one", [3])]


@pytest.mark.django_db(transaction=True)
def test_all_that_wait_are_done_at_once_and_each_gets_its_own(sharing):
    """And an error that is not one argument's own is told to all of them."""
    seen = []

    def double(numbers):
        seen.append(len(numbers))
        if 7 in numbers:
            raise OperationalError("the database is away")
        return [number * 2 if number else IntegrityError("none") for number in numbers]

    def wait_for(numbers):
        asked = wait_together([partial(committing.together, double, one) for one in numbers])
        return [type(one.exception()) if one.exception() else one.result() for one in asked]

    assert wait_for([1, 0, 3]) == [2, IntegrityError, 6]
    assert wait_for([1, 7]) == [OperationalError] * 2
    assert seen == [3, 2]


@pytest.mark.django_db(transaction=True)
def test_a_job_that_asks_for_another_does_not_wait_for_itself(sharing):
    def outer(arguments):
        return [committing.together(lambda inner: inner, argument) for argument in arguments]

    (asked,) = wait_together([partial(committing.together, outer, "done")])

    assert asked.result() == "done"


@pytest.mark.django_db(transaction=True)
def test_a_crowd_that_answers_through_the_server_is_stored_together_and_once_each(sharing, client):
    study = factories.make_study()
    people = [factories.enrol(study, number) for number in range(12)]
    payloads = [factories.payload(one) for one in people]
    sizes, record = [], flow.record

    def counted(responses):
        sizes.append(len(responses))
        return record(responses)

    def answer(number):
        try:
            path = reverse("responses", args=[people[number % 12].token])
            return client.post(path, payloads[number % 12], content_type="application/json").json()
        finally:
            connection.close()

    with patch.object(flow, "record", counted):
        asked = wait_together([partial(answer, number) for number in range(24)])
    answers = [one.result() for one in asked]

    assert sizes[0] == 24
    assert all(one["stored"] for one in answers)
    assert sum(one["replayed"] for one in answers) == 12
    assert Response.objects.count() == 12


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time")
def test_a_response_waits_for_who_withdraws_and_is_not_stored(monkeypatch):
    study = factories.make_study()
    gone, *rest = people = [factories.enrol(study, number) for number in range(3)]
    wanted = [sent(one) for one in people]
    withdrawing, go_on = threading.Event(), threading.Event()

    def note(*_args):  # the last step of a withdrawal, within its transaction
        withdrawing.set()
        assert go_on.wait(10)

    def in_a_thread(function, argument):
        try:
            return function(argument)
        finally:
            connection.close()

    monkeypatch.setattr(flow.trail, "note", note)
    with ThreadPoolExecutor(2) as pool:
        withdrawal = pool.submit(in_a_thread, flow.withdraw, gone)
        assert withdrawing.wait(10)
        recording = pool.submit(in_a_thread, flow.record, wanted)
        time.sleep(0.3)
        assert not recording.done()
        go_on.set()
        withdrawal.result(10)
        outcomes = recording.result(10)

    assert codes(outcomes) == ["withdrawn", *[""] * len(rest)]
    assert not Response.objects.filter(trial__participant=gone).exists()
    assert integrity.verify(study).faults == []


@pytest.mark.django_db(transaction=True)
def test_a_response_has_the_language_in_which_its_trial_was_handed_out(sharing, client):
    """Another page may have changed it meanwhile; from the next trial on it is that one."""
    participant = factories.enrol(factories.make_study())
    client.cookies["django_language"] = "ja"
    path = reverse("responses", args=[participant.token])
    for _ in range(2):
        client.post(path, factories.payload(participant), content_type="application/json")

    stored = Response.objects.order_by("trial__index").values_list("language", flat=True)
    assert list(stored) == ["en", "ja"]


@pytest.mark.django_db(transaction=True)
def test_a_refusal_is_said_in_the_language_of_the_participant(sharing, client):
    participant = factories.enrol(factories.make_study())
    Participant.objects.update(language="ja")
    path = reverse("responses", args=[participant.token])

    answer = client.post(path, {"token": "1:bad"}, content_type="application/json")

    with translation.override("ja"):
        expected = translation.gettext("This answer does not belong here.")
    assert answer.json() == {"error": "bad_token", "message": expected}
    assert expected != "This answer does not belong here."


@pytest.mark.django_db(transaction=True)
def test_the_serving_process_shares_commits(settings, monkeypatch):
    """It is forked from the one that reads the settings, so a variable set later is not enough."""
    settings.SHARED_COMMITS = False
    monkeypatch.setenv("SHARED_COMMITS", "")
    seen = []
    granian = Mock(serve=lambda: seen.append(settings.SHARED_COMMITS))
    monkeypatch.setattr(server, "Granian", lambda *args, **kwargs: granian)
    monkeypatch.setattr(server, "check_port", lambda host, port: None)

    server.serve("127.0.0.1", 0)

    assert seen == [True]
