"""Shared commits: no acknowledgement before the commit; a failing job undoes only itself."""

import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from unittest.mock import Mock, patch

import pytest
from django.db import (
    DEFAULT_DB_ALIAS,
    DatabaseError,
    IntegrityError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.urls import reverse
from django.utils import translation

from survey import committing, flow, limits, server, visits
from survey.models import Generator
from tests import factories
from tests.survey.busy_writer import wait_together

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "sqlite", reason="only with SQLite all that writes shares commits"
    ),
]


@pytest.fixture(autouse=True)
def shared(settings):
    settings.SHARED_COMMITS = True
    yield
    committing.stop()


def add(name):
    def insert():
        sql = "INSERT INTO survey_generator (name, vendor, kind) VALUES (%s, '', '')"
        with connection.cursor() as cursor:
            cursor.execute(sql, [name])
        return name

    return insert


def test_the_result_comes_after_the_commit():
    assert committing.committed(add("one")) == "one"
    assert list(Generator.objects.values_list("name", flat=True)) == ["one"]


def test_many_jobs_are_all_stored():
    with ThreadPoolExecutor(16) as pool:
        names = list(pool.map(lambda n: committing.committed(add(f"g{n}")), range(64)))

    assert sorted(names) == sorted(Generator.objects.values_list("name", flat=True))


def test_a_statement_that_is_refused_leaves_the_others_alone():
    committing.committed(add("taken"))
    with ThreadPoolExecutor(8) as pool:
        bad = [pool.submit(committing.committed, add("taken")) for _ in range(4)]
        good = [pool.submit(committing.committed, add(f"g{n}")) for n in range(4)]
    errors = [type(job.exception()) for job in bad]

    assert errors == [IntegrityError] * 4
    assert [job.result() for job in good] == ["g0", "g1", "g2", "g3"]


def test_any_other_failure_is_told_to_everybody_in_the_commit():
    """A full disk may have rolled back what came before it, so nobody may be acknowledged."""

    def full():
        raise OperationalError("database or disk is full")

    asked = wait_together([partial(committing.committed, job) for job in (add("lost"), full)])

    assert [type(job.exception()) for job in asked] == [OperationalError] * 2
    assert not Generator.objects.exists()


def test_a_job_that_fails_in_its_own_code_leaves_the_others_alone():
    @transaction.atomic
    def faulty():
        add("undone")()
        raise ZeroDivisionError

    with ThreadPoolExecutor(4) as pool:
        bad = pool.submit(committing.committed, faulty)
        good = pool.submit(committing.committed, add("kept"))

    assert type(bad.exception()) is ZeroDivisionError
    assert good.result() == "kept"
    assert [one.name for one in Generator.objects.all()] == ["kept"]


def test_nobody_is_acknowledged_when_a_job_hides_that_it_broke_the_transaction():
    def broken():
        transaction.set_rollback(True)

    with pytest.raises(DatabaseError):
        committing.committed(broken)
    assert committing.committed(add("after")) == "after"


def test_nobody_is_acknowledged_when_the_database_has_undone_the_transaction():
    """As SQLite may do without memory, which the driver tells by an error of another kind."""

    def undone():
        connection.connection.rollback()

    def without_memory():
        connection.connection.rollback()
        raise MemoryError

    for job, error in ((undone, DatabaseError), (without_memory, MemoryError)):
        with pytest.raises(error):
            committing.committed(job)
    assert committing.committed(add("after")) == "after"


def test_the_writer_outlives_a_connection_that_cannot_be_renewed(monkeypatch):
    wrapper = type(connections[DEFAULT_DB_ALIAS])
    with monkeypatch.context() as patched:
        patched.setattr(wrapper, "close_if_unusable_or_obsolete", Mock(side_effect=MemoryError))
        with pytest.raises(MemoryError):
            committing.committed(add("lost"))

    assert committing.committed(add("after")) == "after"


def test_a_writer_that_could_not_start_is_started_by_the_next_job(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("no thread")))
        with pytest.raises(RuntimeError):
            committing.committed(add("lost"))

    assert committing.committed(add("after")) == "after"


def test_a_job_speaks_the_language_of_who_waits_for_it():
    with translation.override("ja"):
        assert committing.shared(translation.get_language)() == "ja"


def test_the_result_waits_until_others_can_see_the_row():
    """The writer has its own connection, so this one sees only what was committed."""
    committing.committed(add("seen"))

    assert Generator.objects.filter(name="seen").exists()


def test_responses_work_the_same_with_shared_commits(client):
    participant = factories.enrol(factories.make_study())
    path = reverse("responses", args=[participant.token])

    def send(number):
        payload = factories.payload(participant) if number == 0 else {"token": "1:bad"}
        return client.post(path, payload, content_type="application/json").json()

    assert send(0)["stored"]
    assert send(1)["error"] == "bad_token"


def test_the_whole_way_of_a_participant_waits_for_the_same_commits(client):
    """A lock of its own would make a request wait for the writer, and the writer for it."""
    study = factories.make_study()
    with patch.object(committing, "Job", wraps=committing.Job) as done:
        participant = factories.enrol(study)
        visits.ahead(participant)  # the stamp of the first delivery
        limits.count_start("somebody")
        flow.withdraw(participant)

    assert done.call_count == 4


def test_looking_at_the_next_trials_waits_for_nobody_who_writes(client):
    participant = factories.enrol(factories.make_study())
    visits.ahead(participant)
    with patch.object(committing, "Job", wraps=committing.Job) as done:
        visits.ahead(participant)
        client.get(reverse("trials", args=[participant.token]))

    assert done.call_count == 0


def test_a_statement_within_a_transaction_belongs_to_it():
    with transaction.atomic():
        Generator.objects.create(name="ours")
        committing.committed(add("mine"))
        transaction.set_rollback(True)

    assert not Generator.objects.exists()


def test_the_server_may_hold_a_connection_for_everybody(monkeypatch):
    """Up to the limit of the system, never below the present one, and without failing."""
    limit, infinite = Mock(), resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limits: limit(limits[0]))
    for soft, hard in ((1024, 4096), (256, infinite), (infinite, infinite), (100_000, 200_000)):
        monkeypatch.setattr(resource, "getrlimit", lambda _which, pair=(soft, hard): pair)
        server.allow_connections()

    assert [call.args[0] for call in limit.call_args_list] == [4096, server.CONNECTIONS + 1000]
