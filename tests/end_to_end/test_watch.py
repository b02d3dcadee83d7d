"""The researcher at a browser: the live page, the downloads, a report in two languages."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.end_to_end.website import ROOT

# Signing in has tests of its own, so the browser gets the session of somebody who has.
SIGN_IN = """
import django, json
django.setup()
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.plugins.otp_totp.models import TOTPDevice
from survey.models import Study
users = get_user_model().objects
user = users.filter(username="watcher").first() or users.create_superuser("watcher")
device, _made = TOTPDevice.objects.get_or_create(user=user, name="phone", confirmed=True)
session = import_module(settings.SESSION_ENGINE).SessionStore()
session[SESSION_KEY] = str(user.pk)
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session[DEVICE_ID_SESSION_KEY] = device.persistent_id
session.save()
print(json.dumps([session.session_key, Study.objects.get(slug="short").pk]))
"""
SIZES = [(1440, 900, "en"), (390, 844, "ja")]


def run(website, *command):
    """One command of the project beside the running server."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=website.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def signed_in(website):
    """The key of a session, and the number of the study `short`."""
    return json.loads(run(website, "-c", SIGN_IN))


@pytest.fixture
def researcher(visit, website, signed_in):
    """Open the pages of the study `short` as somebody who may see everything."""

    def open_browser(width=1440, height=900, language="en"):
        key, study = signed_in
        visitor = visit(width, height, language)
        visitor.context.add_cookies([{"name": "sessionid", "value": key, "url": website.url}])
        visitor.study = f"/admin/survey/study/{study}"
        return visitor

    return open_browser


def check(page, screenshots, name):
    """No barrier that axe can find, nothing that sticks out."""
    # Without preloading, which would write the admin's imported stylesheets into the page.
    found = Axe().run(page, options={"preload": False})
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if screenshots:
        page.screenshot(path=screenshots / f"{name}.png", full_page=True, caret="initial")


def simulate(website, people):
    run(website, "manage.py", "simulate", "short", "--participants", str(people))


@pytest.mark.parametrize(("width", "height", "language"), SIZES)
def test_watch_page_follows_the_study_without_a_reload(
    researcher, website, screenshots, width, height, language
):
    visitor = researcher(width, height, language)
    visitor.open(f"{visitor.study}/watch/?who=simulated")
    page = visitor.page
    completed = page.locator("#section-flow .number").nth(2)
    before = int(completed.inner_text()) if completed.count() else 0
    there = int(page.locator("#how-many-simulated").inner_text())
    page.locator("#table-flow summary").click()
    page.evaluate("window.sameDocument = true")
    simulate(website, 2)
    visitor.until(
        f'document.querySelectorAll("#section-flow .number")[2].innerText === "{before + 2}"'
    )
    assert page.evaluate("window.sameDocument")
    assert page.locator("#how-many-simulated").inner_text() == str(there + 2)
    assert page.locator("#table-flow").get_attribute("open") is not None
    check(page, screenshots, f"watch-{language}-{width}")


@pytest.mark.parametrize(("width", "height", "language"), SIZES)
def test_downloads_page_gives_the_data_set(
    researcher, website, screenshots, tmp_path, width, height, language
):
    visitor = researcher(width, height, language)
    visitor.open(f"{visitor.study}/downloads/")
    check(visitor.page, screenshots, f"downloads-{language}-{width}")
    with visitor.page.expect_download() as started:
        visitor.press("button[value=psychds]")
    path = tmp_path / "data.zip"
    started.value.save_as(path)
    assert "manifest.json" in zipfile.ZipFile(path).namelist()


def test_report_is_asked_for_watched_and_read_in_both_languages(
    researcher, website, screenshots, tmp_path
):
    simulate(website, 3)
    visitor = researcher()
    page = visitor.page
    visitor.open(f"{visitor.study}/reports/")
    check(page, screenshots, "reports")
    page.get_by_label("simulated participants too").check()
    visitor.press("form.downloads button")
    page.locator("progress").wait_for()
    check(page, screenshots, "report-running")
    page.get_by_role("link", name="Read it (English)").wait_for(timeout=300_000)
    check(page, screenshots, "report-done")
    for language in ("en", "ja"):
        address = page.locator(f'a[href$="/{language}/report.html"]').get_attribute("href")
        report = visitor.context.new_page()
        answer = report.goto(website.url + address)
        assert "sandbox" in answer.headers["content-security-policy"]
        assert report.locator("html").get_attribute("lang") == language
        assert report.locator("svg").count() > 0
        report.close()
    saved = Path(tmp_path / "files.zip")
    with page.expect_download() as started:
        page.locator('a[href$="/ja/files.zip"]').click()
    started.value.save_as(saved)
    assert "results.json" in zipfile.ZipFile(saved).namelist()
