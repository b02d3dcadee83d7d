"""Two tabs, Back, reload, replays, forged and foreign tokens, withdrawal: in any order.

Hypothesis walks through what two participants may do to the server, and compares the database
with a model after every step.
"""

import json
import os

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from survey import delivery, design, flow, integrity, visits
from survey.models import Participant, Response, Stimulus, Study
from tests import factories

#: 25 steps an example; HONMONO_STEPS=10000 is the long form.
STEPS = int(os.environ.get("HONMONO_STEPS", "2500"))

PEOPLE = st.integers(0, 1)
SIDES = st.sampled_from(["left", "right"])


class Flow(RuleBasedStateMachine):
    """What the server holds, beside a model of what it must hold."""

    @initialize()
    def begin(self):
        self.example = transaction.atomic()  # undone at the end: each example starts afresh
        self.example.__enter__()
        self.study = Study.objects.get()
        self.people = [factories.enrol(self.study) for _ in range(2)]
        self.stored = [{}, {}]  # index of the trial -> the first response
        self.payloads = [[], []]  # everything that was ever sent, to be sent again
        self.withdrawn = [False, False]
        self.completed = [False, False]

    def person(self, who):
        return Participant.objects.select_related("study", "version").get(pk=self.people[who].pk)

    def send(self, who, payload, sender=None):
        """Send a payload; returns the code of the refusal, or nothing."""
        try:
            recorded = factories.record(self.person(who if sender is None else sender), payload)
        except flow.FlowError as error:
            return error.code
        index = recorded.response.trial.index
        assert recorded.replayed == (index in self.stored[who])
        self.stored[who].setdefault(index, payload["response"])
        expected = "" if self.withdrawn[who] else self.stored[who][index]
        assert recorded.response.response == expected
        return None

    @rule(who=PEOPLE, side=SIDES)
    def answer_the_next_trial(self, who, side):
        waiting = visits.ahead(self.person(who)).trials
        if waiting:
            payload = factories.payload(self.person(who), response=side)
            self.payloads[who].append(payload)
            code = self.send(who, payload)
            assert code == ("withdrawn" if self.withdrawn[who] else None)

    @rule(who=PEOPLE, data=st.data(), side=SIDES)
    def send_an_old_one_again_from_another_tab(self, who, data, side):
        if self.payloads[who]:
            payload = data.draw(st.sampled_from(self.payloads[who]))
            self.send(who, payload | {"response": side})

    @rule(who=PEOPLE, ahead=st.integers(1, 2))
    def answer_a_later_trial_first(self, who, ahead):
        waiting = visits.ahead(self.person(who)).trials
        if len(waiting) > ahead:
            token = visits.trial_token(waiting[ahead])
            payload = {"token": token, "response": "left", "confidence": 1}
            code = self.send(who, payload)
            assert code == ("withdrawn" if self.withdrawn[who] else "out_of_order")

    @rule(who=PEOPLE)
    def answer_somebody_elses_trial(self, who):
        waiting = visits.ahead(self.person(1 - who)).trials
        if waiting:
            payload = {"token": visits.trial_token(waiting[0]), "response": "left", "confidence": 1}
            assert self.send(1 - who, payload, sender=who) == "bad_token"

    @rule(who=PEOPLE, token=st.one_of(st.text(max_size=20), st.none(), st.integers()))
    def send_a_forged_token(self, who, token):
        assert self.send(who, {"token": token, "response": "left"}) == "bad_token"

    @rule(who=PEOPLE, response=st.sampled_from(["tie", "real", "", None, 7]))
    def send_nonsense(self, who, response):
        if visits.ahead(self.person(who)).trials:
            payload = factories.payload(self.person(who), response=response)
            code = self.send(who, payload)
            assert code == ("withdrawn" if self.withdrawn[who] else "bad_response")

    @rule(who=PEOPLE)
    def reload(self, who):
        person = self.person(who)
        state = delivery.state(person, {}, visits.ahead(person))
        if state["step"] == flow.Step.TRIALS:
            assert state["done"] == len(self.stored[who])
            assert state["trials"][0]["number"] == len(self.stored[who])
            self.nothing_tells_the_truth(state)

    def nothing_tells_the_truth(self, state):
        """The same page with real and AI swapped differs in nothing but the keys."""
        text = json.dumps(state, default=str)
        for stimulus in Stimulus.objects.all():
            assert stimulus.code not in text
        for word in ("origin", "enhanced", "Painter", "catch", "pair0"):
            assert word not in text

    @rule(who=PEOPLE)
    def finish(self, who):
        person = self.person(who)
        if self.completed[who]:
            flow.finish(person, {"answer": "no"})  # the second time does nothing
        elif self.withdrawn[who] or len(self.stored[who]) < person.planned:
            with pytest.raises(flow.FlowError):
                flow.finish(person, {"answer": "yes"})
        else:
            flow.finish(person, {"answer": "yes"})
            self.completed[who] = True

    @precondition(lambda self: not all(self.withdrawn))
    @rule(who=PEOPLE, really=st.integers(0, 5))
    def withdraw(self, who, really):
        if really == 0:
            flow.withdraw(self.person(who))
            self.withdrawn[who], self.completed[who] = True, False

    @invariant()
    def the_database_holds_the_first_responses(self):
        for who, person in enumerate(getattr(self, "people", [])):
            rows = Response.objects.filter(trial__participant=person).order_by("trial__index")
            found = list(rows.values_list("trial__index", "response"))
            kept = sorted(self.stored[who].items())
            assert found == [(i, "" if self.withdrawn[who] else answer) for i, answer in kept]
            assert [index for index, _ in found] == list(range(len(found)))

    def teardown(self):
        if hasattr(self, "study"):
            faults = integrity.verify(self.study).faults
            transaction.set_rollback(True)
            self.example.__exit__(None, None, None)
            assert faults == []


@pytest.mark.django_db
def test_no_order_of_events_loses_or_doubles_a_response():
    blocks = (
        factories.block("preference", "prefer_pair", trials=2),
        factories.block(trials=2, practice=1, feedback="practice", confidence_steps=4),
    )
    factories.make_study(*blocks, pairs=2, catch=1, conditions=(design.Condition("all"),))

    run_state_machine_as_test(
        Flow,
        settings=settings(
            max_examples=STEPS // 25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.django_db(transaction=True)
def test_sixteen_tabs_at_once_store_one_response():
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connection

    participant = factories.enrol(factories.make_study())
    payload = factories.payload(participant)

    def send(number):
        try:
            side = "left" if number % 2 else "right"
            own = Participant.objects.select_related("study", "version").get(pk=participant.pk)
            return factories.record(own, payload | {"response": side})
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        recorded = list(pool.map(send, range(16)))

    assert sum(not r.replayed for r in recorded) == 1
    assert {r.response.response for r in recorded} == {Response.objects.get().response}
