"""Watching a study: counts, balance, and estimates that may be looked at as often as one likes."""

import re
from datetime import date, datetime, timedelta
from math import isnan, sqrt

import numpy as np
import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from survey import arrivals, conduct, flow, monitor, studies, visits
from survey.conduct import Key
from survey.design import AnalysisPlan
from survey.models import Audit, Membership, Participant
from tests import factories

PAIRS = Key("accuracy", "detect_pair", "", "real_vs_ai")


@pytest.fixture(autouse=True)
def _lab(settings):
    settings.CLOSED_LAB = True


def answer(participant, hits):
    """Find the AI image in the first `hits` detection trials and nowhere else."""
    found = 0
    while flow.step_of(participant) == flow.Step.TRIALS:
        trial = visits.ahead(participant).trials[0]
        is_left = trial.left.origin == "ai"
        if trial.task == "detect_pair" and trial.kind == "main":
            found += 1
            is_left = is_left == (found <= hits)
        side = "left" if is_left else "right"
        factories.record(participant, factories.payload(participant, response=side))
    flow.finish(participant, {})


def enrolment(study, simulated=False):
    return monitor.enrolment(study, monitor.census(study), simulated)


def conduct_of(study):
    return conduct.of(study, enrolment(study).done)


def member(study, role, name="somebody"):
    user = get_user_model().objects.create_user(name, password="secret-123", is_staff=True)
    Membership.objects.create(user=user, study=study, role=role)
    return user


def address(study, name):
    return reverse(f"admin:survey_study_{name}", args=[study.pk])


# --- who came --------------------------------------------------------------------------------


def test_enrolment_counts_each_step_of_people_alone(study):
    study.quota = 10
    study.save()
    done, begun, gone = (factories.enrol(study, number) for number in range(3))
    factories.enrol(study, 3)
    factories.complete(factories.enrol(study, 4, is_simulated=True))
    factories.complete(done)
    factories.record(begun, factories.payload(begun))
    flow.withdraw(gone)
    came = enrolment(study)
    assert (came.entered, came.started, came.completed, came.withdrawn) == (4, 2, 1, 1)
    assert (came.places, came.quota) == (3, 10)
    assert enrolment(study, simulated=True).quota is None
    assert enrolment(study, simulated=True).completed == 1


def test_enrolment_tells_the_median_of_the_durations(study):
    for number, minutes in enumerate((1, 2, 9)):
        person = factories.complete(factories.enrol(study, number))
        end = person.consented_at + timedelta(minutes=minutes)
        Participant.objects.filter(pk=person.pk).update(completed_at=end)
    assert enrolment(study).median_minutes == pytest.approx(2)


def test_enrolment_fetches_few_times_of_many_participants(study, monkeypatch):
    monkeypatch.setattr(monitor, "POINTS", 3)
    begin = timezone.make_aware(datetime(2026, 3, 1, 23, 30))
    for number in range(11):  # the last ones after midnight, and out of order
        person = factories.enrol(study, number)
        moment = begin + timedelta(minutes=7 * (number * 5 % 11))
        Participant.objects.filter(pk=person.pk).update(consented_at=moment)
    Participant.objects.filter(number__lt=2).update(completed_at=begin + timedelta(days=1))

    came = enrolment(study)

    minutes = [(at - begin) // timedelta(minutes=7) for _number, at in came.entered_at]
    assert [number for number, _at in came.entered_at] == [1, 4, 7, 10, 11]
    assert minutes == [0, 3, 6, 9, 10]
    assert [number for number, _at in came.completed_at] == [1, 2]
    assert came.days == [(date(2026, 3, 1), 5, 0), (date(2026, 3, 2), 6, 2)]


def test_enrolment_counts_who_started_and_left(study):
    left, quick = factories.enrol(study), factories.enrol(study)
    factories.record(left, factories.payload(left))
    flow.withdraw(left)
    factories.complete(quick)

    assert enrolment(study).started == 2


def test_exposures_count_the_pairs_that_were_given_out(db):
    study = factories.make_study(factories.block(trials=2), pairs=4, catch=1)
    for number in range(4):
        factories.enrol(study, number)
        factories.enrol(study, 100 + number, is_simulated=True)
    counts = monitor.exposures(study)
    assert counts == {"detection": {f"pair0{number}": 2 for number in range(4)}}
    assert sum(monitor.exposures(study, simulated=True)["detection"].values()) == 8


def test_exposures_leave_out_an_image_whose_pair_has_no_other(db):
    study = factories.make_study(factories.block(trials=2), pairs=4, catch=1, live=False)
    study.stimuli.get(pair__code="pair03", origin="ai").delete()
    served = studies.served_digest(study)
    Audit.objects.create(study=study, passed=True, verdict="too_few", served=served)
    studies.go_live(study)
    factories.enrol(study, 0, is_simulated=True)
    for simulated in (False, True):
        assert list(monitor.exposures(study, simulated)["detection"]) == [
            f"pair0{number}" for number in range(3)
        ]


def test_arrivals_fetch_what_came_since_the_last_look(study, django_assert_num_queries):
    people = [factories.enrol(study, number) for number in range(4)]
    begin = timezone.now()

    def complete(number, minutes):
        moment = begin + timedelta(minutes=minutes)
        Participant.objects.filter(pk=people[number].pk).update(completed_at=moment)

    def look(count):
        numbers = {person.pk: number for number, person in enumerate(people)}
        return [numbers[pk] for pk in arrivals.in_order(study, False, "completed_at", count)]

    complete(0, 0)
    complete(1, 30)
    assert look(2) == [0, 1]
    complete(2, 29)  # its commit came late
    with django_assert_num_queries(1) as seen:
        assert look(3) == [0, 2, 1]
    assert '"completed_at" >= ' in seen.captured_queries[0]["sql"]
    complete(3, 31)
    assert look(4) == [0, 2, 1, 3]
    flow.withdraw(people[0])
    assert look(3) == [2, 1, 3]
    for person in people[1:]:
        flow.withdraw(person)
    assert look(0) == []


# --- what they answered ------------------------------------------------------------------------


def test_conduct_estimates_the_mean_of_the_participants_shares(study):
    for number, hits in enumerate((4, 2, 1)):
        answer(factories.enrol(study, number), hits)
    found = {running.key: running for running in conduct_of(study).estimates}
    liked = Key("ai_choice_share", "prefer_pair", "", "real_vs_ai")
    assert set(found) == {PAIRS, liked}
    assert found[PAIRS].mean == pytest.approx([1, 3 / 4, 7 / 12])
    assert found[liked].mean == pytest.approx([1, 1, 1])


def test_conduct_shows_no_interval_before_thirty_participants(study):
    for number in range(31):
        answer(factories.enrol(study, number), number % 5)
    running = next(e for e in conduct_of(study).estimates if e.key == PAIRS)
    assert running.is_open
    assert all(isnan(bound) for bound in (*running.low[:29], *running.high[:29]))
    x = np.array([number % 5 / 4 for number in range(31)])
    squared = (-2 * np.log(0.05) + np.log(1 - 2 * np.log(0.05))) / 200
    t = 30 * squared + 1
    reach = x[:30].std() * sqrt(2 * t / (30**2 * squared) * np.log(sqrt(t) / 0.05))
    assert running.high[29] - running.mean[29] == pytest.approx(reach)
    assert running.low[29] == pytest.approx(max(0, running.mean[29] - reach))


def test_conduct_averages_photographs_and_ai_images_in_single_tasks(db):
    study = factories.make_study(factories.block("single", "detect_single", trials=4), pairs=4)
    factories.complete(factories.enrol(study))  # says ai every time
    found = conduct_of(study).estimates
    assert [(e.key.task, e.key.contrast, e.mean.tolist()) for e in found] == [
        ("detect_single", "real_vs_ai", [0.5])
    ]


def test_conduct_counts_sides_and_flags(study):
    person = factories.enrol(study)
    factories.record(person, factories.payload(person, flags=["fast"]))
    factories.complete(person)  # left every time
    found = conduct_of(study)
    left = sum(trial.left.origin == "ai" for trial in person.trials.select_related("left"))
    assert found.left.mean.tolist() == [1.0]
    assert (found.sums.pairs, found.sums.ai_left) == (8, left)
    assert found.sums.flags["fast"] == 1
    assert found.sums.flagged_people["fast"] == found.sums.flagged == 1


def test_conduct_forgets_who_withdraws(study):
    people = [factories.enrol(study, number) for number in range(2)]
    for person, hits in zip(people, (4, 0), strict=True):
        answer(person, hits)
    before = next(e for e in conduct_of(study).estimates if e.key == PAIRS)
    flow.withdraw(people[0])
    after = next(e for e in conduct_of(study).estimates if e.key == PAIRS)
    assert (before.mean.tolist(), after.mean.tolist()) == ([1.0, 0.5], [0.0])


def test_conduct_looks_at_each_participant_once(study, django_assert_num_queries):
    answer(factories.enrol(study), 2)
    conduct_of(study)
    answer(factories.enrol(study, 1), 2)
    assert conduct_of(study).looked_at == 2
    done = enrolment(study).done
    with django_assert_num_queries(1):  # the plan
        conduct.of(study, done)


def test_conduct_puts_who_is_late_in_the_right_place(study):
    people = [factories.enrol(study, number) for number in range(3)]
    for person, hits in zip(people, (4, 0, 2), strict=True):
        answer(person, hits)
    begin = timezone.now()
    for number, person in enumerate(people):
        moment = begin + timedelta(seconds=number)
        Participant.objects.filter(pk=person.pk).update(completed_at=moment)
    done = enrolment(study).done
    looks = [conduct.of(study, some) for some in ([done[0], done[2]], done, done[1:])]
    means = [next(e.mean for e in did.estimates if e.key == PAIRS) for did in looks]
    assert [mean.tolist() for mean in means] == [[1, 0.75], [1, 0.5, 0.5], [0, 0.25]]
    assert [did.sums.pairs for did in looks] == [16, 24, 16]


def test_conduct_of_many_is_spread_over_several_looks(study, monkeypatch):
    monkeypatch.setattr(conduct, "AT_ONCE", 2)
    for number in range(3):
        answer(factories.enrol(study, number), 2)
    looks = [conduct_of(study) for _look in range(2)]
    assert [(found.looked_at, found.waiting) for found in looks] == [(2, 1), (3, 0)]


def test_response_times_are_those_of_main_trials(study):
    factories.complete(factories.enrol(study))
    times = conduct.response_times(study, enrolment(study).done)
    assert times == {"detect_pair": [0.05] * 4, "prefer_pair": [0.05] * 4}


def test_response_times_are_fetched_once_and_go_with_their_participant(
    study, django_assert_num_queries
):
    people = [factories.complete(factories.enrol(study, number)) for number in range(2)]
    done = enrolment(study).done
    conduct.response_times(study, done[:1])
    with django_assert_num_queries(1):
        assert len(conduct.response_times(study, done)["detect_pair"]) == 8
    with django_assert_num_queries(0):
        conduct.response_times(study, done)
    flow.withdraw(people[0])
    times = conduct.response_times(study, enrolment(study).done)
    assert len(times["detect_pair"]) == 4


# --- the page ------------------------------------------------------------------------------------


def test_watch_page_shows_an_assistant_neither_truth_nor_responses(study, client):
    for number in range(31):
        answer(factories.enrol(study, number), 3)
    client.force_login(member(study, Membership.Role.RESEARCHER, "researcher"))
    seen = client.get(address(study, "watch")).content.decode()
    client.force_login(member(study, Membership.Role.ASSISTANT))
    for name in ("watch", "watch_live"):
        page = client.get(address(study, name)).content.decode()
        for secret in ("Accuracy", "AI-choice", "75.0%", "AI image", "Response times"):
            assert secret in seen  # there is something that could leak
            assert secret not in page
        assert "31 people have completed" in page


def test_watch_page_has_a_table_behind_every_picture_and_words_for_it(study, client):
    for number in range(31):
        answer(factories.enrol(study, number), 3)
    client.force_login(member(study, Membership.Role.OWNER))
    page = client.get(address(study, "watch_live")).content.decode()
    sections = re.findall(r"<section.*?</section>", page, re.S)
    drawn = [section for section in sections if "<svg" in section]
    names = [re.search('id="section-(.*?)"', section)[1].split("-")[0] for section in drawn]
    expected = ["enrolment", "flow", "accuracy", "ai_choice_share", "exposures", "sides", "times"]
    assert [name for name in names if name != "flags"] == expected
    assert all("<table>" in section for section in drawn)
    assert all(
        re.search(r'aria-(label="[^"]|hidden)', svg)
        for svg in re.findall("<svg.*?>", page)
        if "class=" in svg
    )


def test_watch_page_never_has_a_p_value_or_an_inline_style(study, client):
    for number in range(31):
        answer(factories.enrol(study, number), 3)
    client.force_login(member(study, Membership.Role.OWNER))
    page = client.get(address(study, "watch")).content.decode()
    assert re.findall(r"\bp\s*[=<]|style=|<script(?! [^>]*src)", page) == []
    assert "Valid for this set of images only" in page


def test_watch_page_shows_simulated_participants_only_when_asked_or_alone(study, client):
    client.force_login(member(study, Membership.Role.OWNER))
    factories.enrol(study, 0, is_simulated=True)
    alone = client.get(address(study, "watch"))
    factories.enrol(study, 1)
    mixed, asked = (client.get(address(study, "watch") + q) for q in ("", "?who=simulated"))
    assert [page.context["simulated"] for page in (alone, mixed, asked)] == [True, False, True]


def test_watch_page_renews_how_many_there_are_of_each_kind(study, client):
    client.force_login(member(study, Membership.Role.OWNER))
    factories.enrol(study, 0, is_simulated=True)
    factories.enrol(study, 1, is_simulated=True)
    factories.enrol(study, 2)
    page = client.get(address(study, "watch_live")).content.decode()
    counts = re.findall(r'<span id="how-many-(\w+)">(\d+)</span>', page)
    assert counts == [("people", "1"), ("simulated", "2")]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "less than a second"), (12.5, "less than 13 seconds"), (300, "less than 5.0 minutes")],
)
def test_watch_page_tells_short_durations_in_seconds(seconds, words, study, client):
    client.force_login(member(study, Membership.Role.OWNER))
    person = factories.complete(factories.enrol(study))
    end = person.consented_at + timedelta(seconds=seconds)
    Participant.objects.filter(pk=person.pk).update(completed_at=end)
    page = client.get(address(study, "watch_live")).content.decode()
    assert f"Half of those who completed took {words}." in page


def test_watch_page_names_the_stopping_rule_of_the_frozen_plan(db, client):
    plan = AnalysisPlan(stopping_rule="Stop at 200 participants.")
    study = factories.make_study(analysis_plan=plan)
    client.force_login(member(study, Membership.Role.OWNER))
    assert "Stop at 200 participants." in client.get(address(study, "watch")).content.decode()


def test_watch_page_of_an_empty_study_says_so(study, client):
    client.force_login(member(study, Membership.Role.OWNER))
    page = client.get(address(study, "watch")).content.decode()
    assert "Nobody has entered yet." in page
    assert timezone.localtime().strftime("%H:%M") in page
