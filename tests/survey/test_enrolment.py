"""Who may start: quota, places, balance."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from survey import design, enrolment, flow, studies
from survey.models import Allocation, Participant, Study, Trial
from tests import factories


def exposures(study):
    """How often each pair is held, counted afresh from the rows."""
    held = Trial.objects.filter(participant__holds_place=True, kind="main", block_key="detection")
    return Counter(held.values_list("pair_code", flat=True))


def allocated(study):
    """The same as the allocation has it, whose other counts are right too."""
    allocation = Allocation.objects.get(study=study)
    people = study.participants.filter(is_simulated=False)
    assert allocation.places == people.filter(holds_place=True).count()
    assert allocation.numbers == Counter(people.values_list("condition", flat=True))
    counts = allocation.exposures["detection"]
    return Counter({unit: n for unit, n in counts.items() if unit.startswith("pair") and n})


def test_start_writes_participant_and_plan(study):
    participant = factories.enrol(study)

    assert participant.trials.count() == participant.planned == 8
    assert participant.version == study.versions.get()


def test_start_is_the_same_for_a_repeated_request(study):
    first = enrolment.start(study=study, language="en", start_key="the-same-key-of-a-double-click")
    again = enrolment.start(study=study, language="en", start_key="the-same-key-of-a-double-click")

    assert first == again
    assert Participant.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"state": Study.State.DRAFT}, "not opened yet"),
        ({"state": Study.State.PAUSED}, "taking a break"),
        ({"state": Study.State.CLOSED}, "is closed"),
        ({"closes_at": timezone.now()}, "is closed"),
        ({"opens_at": timezone.now() + timedelta(days=1)}, "not opened yet"),
        ({"quota": 0}, "All places"),
    ],
)
def test_start_is_refused_with_the_reason(study, change, reason):
    Study.objects.update(**change)
    study.refresh_from_db()

    with pytest.raises(enrolment.NotOpenError, match=reason):
        factories.enrol(study)
    assert Participant.objects.count() == 0


def test_quota_admits_exactly_that_many(study):
    Study.objects.update(quota=3)
    study.refresh_from_db()
    for _ in range(3):
        factories.enrol(study)

    with pytest.raises(enrolment.NotOpenError):
        factories.enrol(study)


def test_a_dropout_gives_the_place_back_and_finishes_over_quota(study):
    Study.objects.update(quota=1, slot_minutes=10)
    study.refresh_from_db()
    late = factories.enrol(study)
    Participant.objects.update(entered_at=timezone.now() - timedelta(minutes=11))

    factories.complete(factories.enrol(study))
    late.refresh_from_db()
    finished = factories.complete(late)

    assert (finished.over_quota, finished.holds_place) == (True, False)
    assert enrolment.places_taken(study) == 1


def test_a_dropout_who_finishes_while_there_is_room_counts_again(study):
    Study.objects.update(quota=3, slot_minutes=10)
    study.refresh_from_db()
    late = factories.enrol(study)
    Participant.objects.update(entered_at=timezone.now() - timedelta(minutes=11))
    factories.enrol(study)
    late.refresh_from_db()

    finished = factories.complete(late)

    assert (finished.over_quota, finished.holds_place) == (False, True)
    assert exposures(study) == allocated(study)


def test_withdrawal_gives_the_place_and_the_exposures_back(study):
    Study.objects.update(quota=1)
    study.refresh_from_db()
    flow.withdraw(factories.complete(factories.enrol(study)))

    assert enrolment.places_taken(study) == 0
    assert allocated(study) == Counter()
    factories.enrol(study)


def test_withdrawal_after_a_late_finish_gives_the_exposures_back(study):
    Study.objects.update(quota=1, slot_minutes=10)
    study.refresh_from_db()
    late = factories.enrol(study)
    Participant.objects.update(entered_at=timezone.now() - timedelta(minutes=11))
    factories.complete(factories.enrol(study))
    late.refresh_from_db()

    flow.withdraw(factories.complete(late))

    assert exposures(study) == allocated(study)


def test_a_simulated_withdrawal_leaves_the_exposures_alone(study):
    factories.complete(factories.enrol(study))

    flow.withdraw(factories.complete(factories.enrol(study, is_simulated=True)))

    assert exposures(study) == allocated(study)


def test_block_orders_are_balanced_within_each_condition(db):
    conditions = (design.Condition("a"), design.Condition("b"))
    study = factories.make_study(conditions=conditions, block_order="counterbalanced")
    first = Counter()
    for _ in range(8):
        participant = factories.enrol(study)
        first[participant.condition, participant.trials.get(index=0).block_key] += 1

    assert set(first.values()) == {2}
    assert len(first) == 4


def test_simulated_participants_count_for_nothing(study):
    Study.objects.update(quota=1)
    study.refresh_from_db()
    for _ in range(3):
        factories.complete(factories.enrol(study, is_simulated=True))

    assert enrolment.places_taken(study) == 0
    assert Allocation.objects.get().exposures == {}
    assert factories.enrol(study).number == 0


def test_simulation_pass_cannot_be_guessed():
    genuine = enrolment.simulation_pass()

    assert enrolment.is_simulation_pass(genuine)
    assert not enrolment.is_simulation_pass("simulated")
    assert not enrolment.is_simulation_pass(genuine[:-1] + "x")


@pytest.mark.django_db
def test_conditions_fill_by_their_weights():
    conditions = (design.Condition("a", 2), design.Condition("b", 1))
    study = factories.make_study(conditions=conditions)
    for _ in range(9):
        factories.enrol(study)

    filled = Counter(Participant.objects.values_list("condition", flat=True))
    assert filled == {"a": 6, "b": 3}


@pytest.mark.django_db
def test_exposures_stay_within_one_block_with_dropouts():
    """120 participants, 30 % of whom drop out: every pair is shown about equally often."""
    study = factories.make_study(factories.block(trials=4), pairs=10)
    rng = random.Random(1)
    for _ in range(120):
        participant = factories.enrol(study)
        if rng.random() < 0.3:
            long_ago = timezone.now() - timedelta(minutes=study.slot_minutes + 1)
            Participant.objects.filter(pk=participant.pk).update(entered_at=long_ago)

    shown = exposures(study)
    assert shown == allocated(study)
    assert max(shown.values()) - min(shown.values()) <= 4


@pytest.mark.django_db(transaction=True)
def test_sixteen_at_once_keep_quota_numbers_and_balance():
    study = factories.make_study(factories.block(trials=4), pairs=8)
    Study.objects.update(quota=10)
    study.refresh_from_db()

    def start(number):
        try:
            return factories.enrol(study, number).number
        except enrolment.NotOpenError:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        numbers = [n for n in pool.map(start, range(16)) if n is not None]

    assert sorted(numbers) == list(range(10))
    assert set(exposures(study).values()) == {5}
    assert exposures(study) == allocated(study)


@pytest.mark.django_db(transaction=True)
def test_four_servers_start_as_one_would():
    """64 at once for 48 places: places, numbers, conditions, orders and exposures as one by one."""
    study = crowded()
    for _ in range(48):
        factories.enrol(study)
    one_by_one = who_was_given_what(study)
    call_command("flush", interactive=False, verbosity=0)
    study = crowded()

    numbers = started_by_servers(servers=4, each=16)

    assert sorted(number for server in numbers for number in server) == list(range(48))
    assert all(numbers)  # so that they really were at it together
    assert who_was_given_what(study) == one_by_one
    assert exposures(study) == allocated(study)


def crowded() -> Study:
    conditions = (design.Condition("a", 2), design.Condition("b", 1))
    study = factories.make_study(conditions=conditions, block_order="counterbalanced", pairs=6)
    Study.objects.update(quota=48)
    study.refresh_from_db()
    return study


def who_was_given_what(study):
    """Conditions with their block orders, and how often the pairs are shown."""
    first = Trial.objects.filter(participant__study=study, index=0)
    groups = Counter(first.values_list("participant__condition", "block_key"))
    return groups, sorted(exposures(study).values())


def started_by_servers(servers: int, each: int) -> list[list[int]]:
    """The running numbers that each of some processes gave out, all at the same time."""
    command = [sys.executable, "-m", "tests.survey.starting", str(each)]
    environment = os.environ | {
        "DATABASE_URL": own_address(),
        "DJANGO_SETTINGS_MODULE": "survey.settings",
        "SECRET_KEY": settings.SECRET_KEY,
    }
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with ExitStack() as stack:
        processes = [
            stack.enter_context(subprocess.Popen(command, env=environment, **pipes))
            for _server in range(servers)
        ]
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * servers
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        return [json.loads(process.communicate()[0]) for process in processes]


def own_address() -> str:
    """The address of the test database, for another process."""
    own = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{own['NAME']}"
    who = f"{own['USER']}:{own['PASSWORD']}" if own["PASSWORD"] else own["USER"]
    return f"postgres://{who}@{own['HOST']}:{own['PORT']}/{own['NAME']}"


def test_a_changed_design_becomes_a_new_version_and_old_participants_keep_theirs(study):
    before = factories.enrol(study)
    studies.pause(study)
    studies.save_design(factories.plan(minimum_age=21))
    study.refresh_from_db()
    studies.go_live(study)

    after = factories.enrol(study)

    assert (before.version.number, after.version.number) == (1, 2)
    assert before.version.design_hash != after.version.design_hash


def test_a_pause_without_a_change_keeps_the_version(study):
    studies.pause(study)
    study.refresh_from_db()
    studies.go_live(study)

    assert study.versions.count() == 1


@pytest.mark.parametrize("state", [Study.State.LIVE, Study.State.CLOSED])
def test_a_running_design_cannot_be_changed(study, state):
    Study.objects.update(state=state)

    with pytest.raises(studies.StudyError, match="pause it before"):
        studies.save_design(factories.plan(minimum_age=21))


@pytest.mark.django_db
def test_a_study_without_enough_stimuli_does_not_go_live():
    with pytest.raises(studies.StudyError, match="needs 4"):
        factories.make_study(pairs=3)
    assert Study.objects.get().state == Study.State.DRAFT
