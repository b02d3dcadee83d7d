"""A researcher at a browser: from the sign-in to a study that is live, without a terminal."""

import base64
import json
import re
import zipfile
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django_otp.oath import totp

from survey.demo import STIMULI
from tests.end_to_end.test_pages import SIZES
from tests.end_to_end.test_watch import run

axe = Axe()

PASSWORD = "correct-horse-battery"
MAKE_USER = f"""
import django; django.setup()
from django.contrib.auth import get_user_model
users = get_user_model().objects
users.filter(username="lab").delete()
users.create_superuser("lab", password={PASSWORD!r})
"""


@pytest.fixture
def sign_in(visit, website):
    """A browser in which somebody has signed in, in both steps."""

    def signed_in(width=1440, height=900, language="en", touch=False):
        run(website, "-c", MAKE_USER)
        visitor = visit(width, height, language, touch=touch)
        visitor.open("/admin/")
        visitor.page.fill("#id_username", "lab")
        visitor.page.fill("#id_password", PASSWORD)
        visitor.press(".submit-row [type=submit]")
        visitor.page.locator("figure.qr svg").wait_for()
        letters = visitor.page.locator("code").text_content().replace(" ", "")
        visitor.secret = letters
        return visitor

    return signed_in


def check(visitor, name, screenshots):
    """No violation, no scrolling sideways; a picture for whoever wants to look.

    Without its preload, for which axe adds styles that our policy rightly refuses.
    """
    if screenshots:
        screenshots.mkdir(parents=True, exist_ok=True)
        visitor.page.screenshot(path=screenshots / f"{name}.png", full_page=True)
    found = axe.run(visitor.page, options={"preload": False}).response["violations"]
    faults = [(one["id"], node["html"][:120]) for one in found for node in one["nodes"]]
    assert (name, faults, visitor.scrolls_sideways()) == (name, [], False)


def take_second_step(visitor):
    """Type what an app would show."""
    code = totp(base64.b32decode(visitor.secret))
    visitor.page.fill("#id_code", f"{code:06}")
    visitor.press(".submit-row [type=submit]")
    visitor.page.locator("body.dashboard").wait_for()


def packed(folder: Path, *, without: str = "") -> Path:
    """The demo's images as a ZIP; without one of them it has a fault."""
    path = folder / f"images{without}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(STIMULI.iterdir()):
            if file.name != without:
                archive.write(file, file.name)
    return path


def go(visitor, tab):
    """Open a page of the study by its tab."""
    visitor.press(f"nav.tabs a[href$='/{tab}/']")
    visitor.page.wait_for_url(f"**/{tab}/")


def test_study_is_set_up_from_template_to_live(sign_in, screenshots, tmp_path):
    visitor = sign_in()
    page = visitor.page
    check(visitor, "setup-second-step", screenshots)
    take_second_step(visitor)
    check(visitor, "setup-dashboard", screenshots)

    page.get_by_role("link", name="New study").click()
    page.fill("#id_slug", "walk")
    page.get_by_label("Preference, then detection").check()
    check(visitor, "setup-new", screenshots)
    visitor.press(".submit-row [type=submit]")
    page.wait_for_url("**/checklist/")
    assert page.locator(".checklist .missing").count() == 2  # images and their audit
    check(visitor, "setup-checklist", screenshots)

    go(visitor, "images")
    page.set_input_files("#files", packed(tmp_path, without="img_1017.jpg"))
    visitor.press("#upload [type=submit]")
    page.locator("#live td").first.wait_for(timeout=60_000)
    assert "img_1017.jpg" in page.locator("#live").text_content()
    check(visitor, "setup-images-faults", screenshots)
    page.get_by_role("link", name="Choose other files").click()
    page.set_input_files("#files", packed(tmp_path))
    visitor.press("#upload [type=submit]")
    page.locator("ul.pairs").first.wait_for(timeout=120_000)
    assert page.locator("ul.pairs img").count() == 36
    check(visitor, "setup-images", screenshots)

    go(visitor, "checklist")
    page.get_by_role("link", name="Leak audit passed: mend").click()
    visitor.press(".submit-row [type=submit]")
    page.locator(".state.live").wait_for(timeout=60_000)
    check(visitor, "setup-audit", screenshots)

    go(visitor, "planner")
    page.fill("#id_effect", "0.6")
    visitor.press(".submit-row [type=submit]")
    assert "against 0.5" in page.locator("blockquote").text_content()
    check(visitor, "setup-planner", screenshots)
    page.get_by_role("link", name="Make 100 the quota").click()
    visitor.press("form.narrow [type=submit]")
    page.locator(".messagelist .success").wait_for()
    check(visitor, "setup-recruitment", screenshots)

    go(visitor, "checklist")
    page.get_by_role("link", name="Go live").click()
    check(visitor, "setup-go-live", screenshots)
    visitor.press(".submit-row [type=submit]")
    page.locator("h2", has_text="Preregistration").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the frozen design").click()
    frozen = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert page.locator(".hash").text_content() == frozen["design_hash"]
    visitor.open("/s/walk/")
    assert page.locator("main form[action$=start]").count() == 1


def test_preview_is_walked_like_a_study_and_stores_nothing(sign_in, website, screenshots):
    visitor = sign_in()
    take_second_step(visitor)
    before = website.query("SELECT count(*) AS n FROM survey_participant")[0]["n"]
    pk = website.query("SELECT id FROM survey_study WHERE slug = 'short'")[0]["id"]
    visitor.open(f"/admin/survey/study/{pk}/preview/")
    check(visitor, "preview-entry", screenshots)
    for box in visitor.page.get_by_role("checkbox").all():
        box.check()
    visitor.press("form button")
    visitor.page.wait_for_url("**/preview/trial/")
    states = list(visitor.walk())
    assert ("choice" in states, "instructions" in states) == (True, True)
    check(visitor, "preview-background", screenshots)
    visitor.press("main form button")
    visitor.page.wait_for_url("**/preview/debrief/")
    check(visitor, "preview-debrief", screenshots)
    assert website.query("SELECT count(*) AS n FROM survey_participant")[0]["n"] == before


PAGES = {
    "dashboard": "/admin/",
    "studies": "/admin/survey/study/",
    "new": "/admin/survey/study/new/",
    "study": "/admin/survey/study/%s/change/",
    "history": "/admin/survey/study/%s/history/",
    "images": "/admin/survey/study/%s/images/",
    "checklist": "/admin/survey/study/%s/checklist/",
    "audit": "/admin/survey/study/%s/audit/",
    "planner": "/admin/survey/study/%s/planner/",
    "recruitment": "/admin/survey/study/%s/recruitment/",
    "members": "/admin/survey/study/%s/members/",
    "pause": "/admin/survey/study/%s/pause/",
    "pairs": "/admin/survey/pair/",
    "stimuli": "/admin/survey/stimulus/",
    "generators": "/admin/survey/generator/",
    "generator": "/admin/survey/generator/add/",
    "participants": "/admin/survey/participant/",
    "responses": "/admin/survey/response/",
    "password": "/admin/password_change/",
}


@pytest.mark.parametrize(
    ("size", "language", "scheme"), [("desk", "en", "dark"), ("phone", "ja", "light")]
)
def test_every_page_of_the_set_up_is_accessible(
    sign_in, website, screenshots, size, language, scheme
):
    width, height, touch = SIZES[size]
    visitor = sign_in(width, height, language, touch=touch)
    take_second_step(visitor)
    visitor.page.emulate_media(color_scheme=scheme)
    live = website.query("SELECT id FROM survey_study WHERE slug = 'short'")[0]["id"]
    for name, path in PAGES.items():
        visitor.open(path % live if "%s" in path else path)
        visitor.page.evaluate(
            "document.querySelectorAll('details').forEach((d) => (d.open = true))"
        )
        assert re.search("Honmono", visitor.page.title())
        check(visitor, f"admin-{size}-{language}-{name}", screenshots)
