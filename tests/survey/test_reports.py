"""Data and reports in the admin: what they give, to whom, and under which policy."""

import io
import zipfile

import openpyxl
import pytest
from auditlog.models import LogEntry
from django.contrib.auth import get_user_model
from django.urls import reverse

from survey import tasks
from survey.models import Membership, Report
from tests import factories

Role = Membership.Role


@pytest.fixture(autouse=True)
def _lab(settings):
    settings.CLOSED_LAB = True


@pytest.fixture
def as_role(study, client):
    """Sign in as somebody with a role in the study."""

    def sign_in(role):
        user, _made = get_user_model().objects.get_or_create(username=role, is_staff=True)
        Membership.objects.get_or_create(user=user, study=study, role=role)
        client.force_login(user)
        return client

    return sign_in


def address(study, name, *more):
    return reverse(f"admin:survey_study_{name}", args=[study.pk, *more])


def made(study, **more):
    """A finished report with a page in English."""
    result = {"en": {"claims": [], "counts": {"participants": 3}, "settings": {"seed": 1}}}
    report = Report.objects.create(study=study, state="done", result=result, **more)
    folder = report.folder / "en"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<style>p {}</style><p>Found</p>")
    (folder / "results.json").write_text("{}")
    return report


# --- data ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "name", "start"),
    [
        ("psychds", "small-psychds.zip", b"PK"),
        ("csv", "small-csv.csv", b"row_id,"),
        ("xlsx", "small-xlsx.xlsx", b"PK"),
        ("parquet", "small-parquet.parquet", b"PAR1"),
        ("wide", "small-wide.csv", b"participant_id,"),
    ],
)
def test_download_streams_each_form_under_its_name(study, as_role, form, name, start):
    factories.complete(factories.enrol(study))
    response = as_role(Role.RESEARCHER).get(address(study, "download"), {"form": form})
    assert response.streaming
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'
    assert b"".join(response).startswith(start)


def test_download_begins_before_the_rows_are_read(study, as_role, django_assert_num_queries):
    factories.enrol(study)
    response = as_role(Role.OWNER).get(address(study, "download"), {"form": "csv"})
    with django_assert_num_queries(0):
        assert next(iter(response)).startswith(b"row_id,")


def test_download_keeps_whom_the_form_names(study, as_role):
    factories.enrol(study)
    robot = factories.complete(factories.enrol(study, 1, is_simulated=True))
    wanted = {"form": "xlsx", "completed_only": "on"}
    response = as_role(Role.OWNER).get(address(study, "download"), wanted)
    sheet = openpyxl.load_workbook(io.BytesIO(b"".join(response))).active
    assert {row[3].value for row in list(sheet.rows)[1:]} == {robot.code}


@pytest.mark.parametrize(
    ("query", "status"), [({"form": "exe"}, 404), ({"form": "csv", "since": "never"}, 400)]
)
def test_download_refuses_what_does_not_exist(study, as_role, query, status):
    assert as_role(Role.OWNER).get(address(study, "download"), query).status_code == status


def test_download_is_noted_without_what_is_in_it(study, as_role):
    factories.enrol(study)
    b"".join(as_role(Role.OWNER).get(address(study, "download"), {"form": "csv"}))
    note = LogEntry.objects.filter(additional_data__event="download").get()
    assert note.additional_data["form"] == "csv"


def test_release_is_all_that_a_reviewer_gets(study, as_role):
    client = as_role(Role.REVIEWER)
    page = client.get(address(study, "downloads")).content.decode()
    archive = zipfile.ZipFile(io.BytesIO(b"".join(client.get(address(study, "release")))))
    assert "suppressed.csv" in archive.namelist()
    assert ("Public release" in page, "Trials (CSV)" in page) == (True, False)
    for name in ("download", "reports", "watch"):
        assert client.get(address(study, name)).status_code == 403


# --- reports -------------------------------------------------------------------------------------


def test_reports_page_asks_the_worker(study, as_role, django_capture_on_commit_callbacks):
    client = as_role(Role.RESEARCHER)
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(address(study, "reports"), {"languages": ["ja"]})
    report = Report.objects.get()
    assert response.url == address(study, "report", report.pk)
    assert (report.state, report.asked_by.username) == ("waiting", "researcher")
    assert report.options["languages"] == ["ja"]
    assert tasks.run.get_backend()  # the queue that was written to is the configured one


def test_reports_page_wants_a_language(study, as_role):
    response = as_role(Role.OWNER).post(address(study, "reports"), {})
    assert response.status_code == 422
    assert not Report.objects.exists()


def test_report_that_runs_shows_progress_and_says_when_it_is_done(study, as_role):
    client = as_role(Role.OWNER)
    report = Report.objects.create(study=study, log="data of small\n", progress=40)
    page = client.get(address(study, "report_live", report.pk)).content.decode()
    report.state, report.finished_at = "done", report.asked_at
    report.save()
    after = client.get(address(study, "report_live", report.pk)).content.decode()
    assert ('value="40"' in page, "data-done" in page) == (True, False)
    assert "data-done" in after


def test_report_page_is_served_in_a_sandbox_and_nothing_else_is(study, as_role):
    client, report = as_role(Role.OWNER), made(study)
    response = client.get(address(study, "report_page", report.pk, "en"))
    rules = dict(rule.strip().partition(" ")[::2] for rule in _policy(response).split(";"))
    assert b"".join(response).endswith(b"<p>Found</p>")
    assert rules["sandbox"] == ""
    assert rules["default-src"] == "'none'"
    assert rules["style-src"] == "'unsafe-inline'"
    assert "script-src" not in rules
    assert "unsafe-inline" not in _policy(client.get(address(study, "report", report.pk)))


def _policy(response):
    return response["Content-Security-Policy"]


def test_report_files_come_as_a_zip(study, as_role):
    report = made(study)
    response = as_role(Role.OWNER).get(address(study, "report_files", report.pk, "en"))
    archive = zipfile.ZipFile(io.BytesIO(b"".join(response)))
    assert archive.namelist() == ["report.html", "results.json"]


@pytest.mark.parametrize("language", ["ja", "xx", "plan"])
def test_report_page_in_a_language_that_was_not_made_is_not_found(study, as_role, language):
    report = made(study)
    client = as_role(Role.OWNER)
    for name in ("report_page", "report_files"):
        assert client.get(address(study, name, report.pk, language)).status_code == 404


def test_report_of_another_study_is_not_found(study, as_role):
    other = made(factories.make_study(slug="other"))
    client = as_role(Role.OWNER)
    assert client.get(address(study, "report", other.pk)).status_code == 404
    assert client.get(address(study, "report_page", other.pk, "en")).status_code == 404


def test_reports_keep_every_report_with_its_settings(study, as_role):
    first, second = made(study, data_sha256="a" * 64), made(study, data_sha256="b" * 64)
    client = as_role(Role.OWNER)
    listed = [row["report"] for row in client.get(address(study, "reports")).context["reports"]]
    page = client.get(address(study, "report", first.pk)).content.decode()
    assert listed == [second, first]
    assert ("a" * 64 in page, "b" * 64 in page) == (True, False)
