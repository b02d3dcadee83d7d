"""Shared commits: nothing is acknowledged before the commit, and a failure undoes only itself."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError
from django.urls import reverse
from django.utils import translation

from survey import committing
from survey.models import Generator
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def shared(settings):
    settings.SHARED_COMMITS = True
    yield
    committing.stop()


def add(name):
    return lambda: Generator.objects.create(name=name).name


def test_the_result_comes_after_the_commit():
    assert committing.committed(add("one")) == "one"
    assert list(Generator.objects.values_list("name", flat=True)) == ["one"]


def test_many_jobs_are_all_stored():
    with ThreadPoolExecutor(16) as pool:
        names = list(pool.map(lambda n: committing.committed(add(f"g{n}")), range(64)))

    assert sorted(names) == sorted(Generator.objects.values_list("name", flat=True))


def test_a_job_that_fails_undoes_itself_and_no_other():
    def both():
        Generator.objects.create(name="half")
        return Generator.objects.create(name="taken")

    committing.committed(add("taken"))
    with ThreadPoolExecutor(8) as pool:
        bad = [pool.submit(committing.committed, both) for _ in range(4)]
        good = [pool.submit(committing.committed, add(f"g{n}")) for n in range(4)]
    errors = [type(job.exception()) for job in bad]

    assert errors == [IntegrityError] * 4
    assert [job.result() for job in good] == ["g0", "g1", "g2", "g3"]
    assert not Generator.objects.filter(name="half").exists()


def test_a_job_speaks_the_language_of_its_request():
    with translation.override("ja"):
        assert committing.committed(translation.get_language) == "ja"


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
