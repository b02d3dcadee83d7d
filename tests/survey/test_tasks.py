"""Background work: the worker takes what is asked for, and says how it went."""

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from survey import bots, flow, tasks
from survey.design import AnalysisPlan
from survey.models import Report
from tests import factories

OPTIONS = {"languages": ["en", "ja"], "include_simulated": True}


@pytest.fixture
def answered(db):
    """A study that six simulated participants have completed."""
    study = factories.make_study(pairs=4)
    for number in range(6):
        factories.complete(factories.enrol(study, number, is_simulated=True))
    return study


def asked(study, kind=Report.Kind.REPORT, **options):
    return Report.objects.create(study=study, kind=kind, options=options or OPTIONS)


def test_report_is_made_in_both_languages_and_kept_with_what_it_was_made_from(answered):
    report = asked(answered)
    tasks.run.call(report.pk)
    report.refresh_from_db()
    assert (report.state, report.progress) == ("done", 100)
    assert sorted(report.result) == ["en", "ja"]
    for language in ("en", "ja"):
        results = json.loads((report.folder / language / "results.json").read_text())
        assert results["data"]["sha256"] == report.data_sha256
        assert results["data"]["participants"] == report.result[language]["counts"]["participants"]
        assert f'lang="{language}"' in (report.folder / language / "report.html").read_text()
    assert report.result["en"]["settings"]["include_simulated"] is True


def test_report_leaves_no_copy_of_the_data(answered):
    report = asked(answered)
    tasks.run.call(report.pk)
    assert [path.name for path in report.folder.rglob("*data*")] == []


def test_report_follows_the_frozen_plan(db):
    plan = AnalysisPlan(claims=("prefers_ai",), smallest_effects={"prefers_ai": 0.1}, alpha=0.01)
    study = factories.make_study(analysis_plan=plan)
    for number in range(6):
        factories.complete(factories.enrol(study, number, is_simulated=True))
    report = asked(study, languages=["en"], include_simulated=True)
    tasks.run.call(report.pk)
    report.refresh_from_db()
    used = report.result["en"]["settings"]
    assert (used["alpha"], used["confirmatory"]) == (0.01, ["prefers_ai"])


def test_report_that_fails_says_why(study):
    report = asked(study)  # nobody took part
    tasks.run.call(report.pk)
    report.refresh_from_db()
    assert report.state == "failed"
    assert "found no rows; allowed: at least one trial" in report.log
    assert report.finished_at is not None


def test_report_process_gets_no_secret(tmp_path, monkeypatch):
    for name in tasks.SECRETS:
        monkeypatch.setenv(name, "top-secret")
    monkeypatch.setenv("HARMLESS", "harmless")
    with (tmp_path / "said").open("w+") as said:
        tasks._start(["env"], said).wait()
        said.seek(0)
        told = said.read()
    assert ("harmless" in told, "top-secret" in told) == (True, False)


def test_power_is_simulated_with_the_given_options(study):
    options = {"participants": 20, "trials": 4, "items": 8, "share": 0.7, "runs": 2}
    report = asked(study, Report.Kind.POWER, **options)
    tasks.run.call(report.pk)
    report.refresh_from_db()
    assert report.state == "done"
    assert [line.split(":")[0] for line in report.result["lines"]] == [
        "closed form",
        "2 simulated studies",
    ]


def test_report_of_a_dead_worker_is_known_by_its_silence(study):
    now = timezone.now()
    alive, silent = now - timedelta(seconds=30), now - timedelta(minutes=3)
    states = [
        Report(study=study, state="running", alive_at=alive),
        Report(study=study, state="running", alive_at=silent),
        Report(study=study, state="done", alive_at=silent),
    ]
    assert [tasks.is_silent(report) for report in states] == [False, True, False]


def test_worker_takes_what_was_asked_for(transactional_db):
    study = factories.make_study()
    assert len(list(bots.run(study, 3))) == 3
    report = tasks.ask(study, Report.Kind.REPORT, {**OPTIONS, "languages": ["en"]})
    assert report.state == "waiting"
    call_command("db_worker", batch=True, interval=0, startup_delay=False, verbosity=0)
    report.refresh_from_db()
    assert (report.state, report.log.splitlines()[0]) == ("done", "data of small")
    assert DBTaskResult.objects.get().status == "SUCCESSFUL"


def test_report_counts_nobody_who_withdrew(answered):
    flow.withdraw(answered.participants.first())
    report = asked(answered, languages=["en"], include_simulated=True)
    tasks.run.call(report.pk)
    report.refresh_from_db()
    assert report.result["en"]["counts"]["participants"] == 5
