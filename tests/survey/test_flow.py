"""Next trials, record, finish, withdraw: one response a trial, in order, and the first one wins."""

from datetime import timedelta

import pytest
from django.core.signing import Signer
from django.urls import reverse
from django.utils import timezone

from survey import enrolment, flow, studies, visits
from survey.models import Participant, Response
from survey.prepared import moment
from tests import factories


@pytest.fixture
def participant(study):
    return factories.enrol(study)


def refused(participant, payload):
    """The code under which a payload is refused; nothing may have been stored."""
    before = Response.objects.count()
    with pytest.raises(flow.FlowError) as error:
        factories.record(participant, payload)
    assert Response.objects.count() == before
    return error.value.code


def test_next_trials_are_the_first_three_of_the_first_block(participant):
    trials = visits.ahead(participant).trials

    assert [trial.index for trial in trials] == [0, 1, 2]


def test_next_trials_never_reach_into_the_next_block(participant):
    for _ in range(2):
        factories.record(participant, factories.payload(participant))

    assert [(t.index, t.block) for t in visits.ahead(participant).trials] == [(2, 0), (3, 0)]


def test_first_delivery_is_kept(participant):
    first = moment(visits.ahead(participant).trials[0].delivered_at)
    again = participant.trials.get(index=0).delivered_at
    visits.ahead(participant)

    assert participant.trials.get(index=0).delivered_at == again
    assert first is None or first == again


def test_record_stores_the_response_with_both_clocks(participant):
    recorded = factories.record(participant, factories.payload(participant, rt_ms=0.25))

    stored = Response.objects.get()
    assert not recorded.replayed
    assert (stored.response, stored.rt_ms, stored.flags) == ("left", 0.25, [])
    assert stored.server_elapsed_ms > 0


@pytest.mark.django_db
def test_the_servers_clock_starts_when_a_trial_was_handed_out(monkeypatch):
    """With the answer three trials before, or the last one of the block before."""
    blocks = (factories.block("one", trials=5), factories.block("two", "prefer_pair", trials=3))
    participant = factories.enrol(factories.make_study(*blocks, pairs=5))
    begin = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: begin)
    visits.ahead(participant)
    for second in range(1, 9):
        payload = factories.payload(participant)
        monkeypatch.setattr(timezone, "now", lambda s=second: begin + timedelta(seconds=s))
        factories.record(participant, payload)

    elapsed = Response.objects.order_by("trial__index").values_list("server_elapsed_ms", flat=True)
    assert list(elapsed) == [1000, 2000, 3000, 3000, 3000, 1000, 2000, 3000]


def test_record_flags_more_time_in_the_browser_than_on_the_server(participant):
    factories.record(participant, factories.payload(participant, rt_ms=60_000))

    assert Response.objects.get().flags == ["rt_exceeds_server"]


def test_replay_returns_the_stored_response(participant):
    payload = factories.payload(participant)
    first = factories.record(participant, payload)

    again = factories.record(participant, payload | {"response": "right"})

    assert again.replayed
    assert again.response == first.response
    assert Response.objects.get().response == "left"


def test_replay_of_an_early_response_returns_that_one(participant):
    payload = factories.payload(participant)
    factories.record(participant, payload)
    factories.record(participant, factories.payload(participant, response="right"))

    assert factories.record(participant, payload).response.trial.index == 0


def test_record_refuses_a_later_trial(participant):
    later = visits.ahead(participant).trials[1]
    payload = factories.payload(participant, token=visits.trial_token(later))

    assert refused(participant, payload) == "out_of_order"


def test_record_refuses_a_foreign_token(study, participant):
    other = factories.enrol(study)

    assert refused(participant, factories.payload(other)) == "bad_token"


@pytest.mark.parametrize("token", [None, "", "1", "1:forged", 7, ["1"]])
def test_record_refuses_a_forged_token(participant, token):
    assert refused(participant, factories.payload(participant, token=token)) == "bad_token"


def test_a_token_that_was_signed_with_a_retired_key_is_still_taken(participant, monkeypatch):
    """A page that was open while the key changed."""
    (trial, *_rest) = visits.ahead(participant).trials
    old = Signer(key="the old key", salt="survey.trial").sign(str(trial.pk))
    payload = factories.payload(participant, token=old)
    assert refused(participant, payload) == "bad_token"

    monkeypatch.setattr(visits._signer, "fallback_keys", ["the old key"])
    assert factories.record(participant, payload).trial.pk == trial.pk


@pytest.mark.parametrize("response", ["real", "tie", "", None, 1, ["left"], {"a": 1}, True])
def test_record_refuses_what_is_not_among_the_choices(participant, response):
    assert refused(participant, factories.payload(participant, response=response)) == "bad_response"


@pytest.mark.parametrize("confidence", [None, "1", -0.1, 1.1, True, float("nan")])
def test_record_demands_a_confidence_where_the_block_asks(participant, confidence):
    for _ in range(4):
        factories.record(participant, factories.payload(participant))
    payload = factories.payload(participant, confidence=confidence)

    assert refused(participant, payload) == "bad_response"


def test_record_ignores_a_confidence_that_was_not_asked_for(participant):
    factories.record(participant, factories.payload(participant, confidence=0.5))

    assert Response.objects.get().confidence is None


@pytest.mark.parametrize("value", [-1, "12", True, 1e12, float("nan"), float("inf")])
def test_record_leaves_an_absurd_measurement_empty_and_flags_it(participant, value):
    factories.record(participant, factories.payload(participant, rt_ms=value))

    stored = Response.objects.get()
    assert (stored.rt_ms, stored.flags) == (None, ["bad_rt_ms"])


def test_record_keeps_only_flags_that_are_names(participant):
    factories.record(participant, factories.payload(participant, flags=["fast", "<b>", "a;b", 7]))

    assert Response.objects.get().flags == ["fast"]


@pytest.mark.parametrize("flags", ["fast", 7, {"fast": 1}, [None]])
def test_record_survives_flags_of_the_wrong_kind(participant, flags):
    factories.record(participant, factories.payload(participant, flags=flags))

    assert Response.objects.get().flags == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("task", "more", "good", "bad"),
    [
        ("prefer_pair", {"ties": True}, "tie", "none"),
        ("detect_single", {}, "real", "left"),
        ("rate_single", {"question": "appeal", "scale_steps": 7}, 7, 8),
        ("rate_single", {"question": "appeal", "scale_steps": 7}, 1, 0),
        ("rate_single", {"question": "appeal", "scale_steps": 7}, 4, 4.5),
    ],
)
def test_each_task_has_its_own_choices(task, more, good, bad):
    study = factories.make_study(factories.block("only", task, **more))
    participant = factories.enrol(study)

    assert refused(participant, factories.payload(participant, response=bad)) == "bad_response"
    factories.record(participant, factories.payload(participant, response=good))
    assert Response.objects.get().response == str(good)


@pytest.mark.django_db
def test_reasons_are_stored_only_if_the_block_offers_them():
    texts = factories.BLOCK_TEXTS | {"reasons": {"light": "Light"}}
    block = factories.block(reasons=("light",), texts={"en": texts, "ja": texts})
    participant = factories.enrol(factories.make_study(block))

    assert refused(participant, factories.payload(participant, reason="mood")) == "bad_response"
    factories.record(participant, factories.payload(participant, reason="light"))
    assert Response.objects.get().reason == "light"


def test_steps_lead_from_trials_over_background_to_the_debrief(participant):
    steps = [flow.step_of(participant)]
    factories.answer_all(participant)
    steps.append(flow.step_of(participant))
    flow.finish(participant, {"age_band": "18"})
    participant.refresh_from_db()
    steps.append(flow.step_of(participant))

    assert steps == [flow.Step.TRIALS, flow.Step.BACKGROUND, flow.Step.DEBRIEF]
    assert participant.background == {"age_band": "18"}


def test_finish_is_refused_before_the_last_response(participant):
    with pytest.raises(flow.FlowError) as error:
        flow.finish(participant, {})

    assert error.value.code == "too_early"
    assert Participant.objects.get().completed_at is None


def test_finish_keeps_the_first_background_answers(participant):
    factories.answer_all(participant)
    flow.finish(participant, {"age_band": "18"})
    flow.finish(participant, {"age_band": "60"})

    participant.refresh_from_db()
    assert participant.background == {"age_band": "18"}


def test_withdrawal_stops_everything(participant):
    payload = factories.payload(participant)
    factories.record(participant, payload)
    next_payload = factories.payload(participant)

    flow.withdraw(participant)

    participant.refresh_from_db()
    assert flow.step_of(participant) == flow.Step.WITHDRAWN
    assert refused(participant, next_payload) == "withdrawn"
    assert Response.objects.exclude(response="").count() == 0


def test_a_page_that_is_still_open_brings_back_no_times_of_who_withdrew(participant, client):
    flow.withdraw(participant)

    client.get(reverse("trials", args=[participant.token]))

    assert not participant.trials.filter(delivered_at__isnull=False).exists()


def test_a_response_on_its_way_is_stored_although_the_study_was_closed(participant):
    payload = factories.payload(participant)
    studies.close(participant.study)
    participant.refresh_from_db()

    assert not factories.record(participant, payload).replayed
    assert flow.step_of(participant) == flow.Step.CLOSED


def test_a_pause_lets_those_finish_who_have_started(study, participant):
    studies.pause(study)

    assert factories.complete(participant).completed_at is not None
    with pytest.raises(enrolment.NotOpenError):
        factories.enrol(study)


@pytest.mark.django_db
def test_feedback_is_given_only_where_the_block_tells():
    study = factories.make_study(
        factories.block(practice=1, catch_trials=0, feedback="practice"), catch=1
    )
    participant = factories.enrol(study)
    told = []
    while flow.step_of(participant) == flow.Step.TRIALS:
        recorded = factories.record(participant, factories.payload(participant))
        told.append(flow.feedback(participant, recorded.trial, recorded.response))

    assert told[0] in (True, False)
    assert told[1:] == [None] * 4
