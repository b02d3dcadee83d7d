"""A researcher at a browser: from the sign-in to the public release, without a terminal."""

import base64
import csv
import io
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


COUNT_AS_PEOPLE = """
import django; django.setup()
from survey.models import Participant
Participant.objects.filter(study__slug="walk").update(is_simulated=False)
"""


def fetched(page, button: str) -> Path:
    """What a button downloads."""
    with page.expect_download() as download:
        page.locator(button).click()
    return download.value.path()


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def counts(rows: list[dict[str, str]]) -> dict[str, int]:
    """How often the side that is not real was found, counted without the column that says so."""
    mine = [row for row in rows if row["task"] == "detect_pair" and row["kind"] == "main"]
    found = [row[f"{row['response']}_origin"] != "real" for row in mine]
    return {"asked": len(mine), "found": sum(found)}


def test_study_goes_from_template_to_public_release(sign_in, website, screenshots, tmp_path):
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
    assert page.locator(".checklist .missing").count() == 3  # a contact, images and their audit
    check(visitor, "setup-checklist", screenshots)

    page.locator(".checklist .missing a[href*=contact]").first.click()
    page.wait_for_url("**/change/#*contact*")
    page.fill("#id_texts__en__contact", "The laboratory")
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    page.fill("#id_texts__ja__contact", "研究室")
    save(visitor)

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
    study = page.url.rsplit("/", 2)[0]
    visitor.open("/s/walk/")
    assert page.locator("main form[action$=start]").count() == 1

    page.goto(f"{study}/watch/?who=simulated")
    run(website, "manage.py", "simulate", "walk", "--participants", "5", "--http", website.url)
    visitor.until("document.querySelector('#updated').innerText.includes('5 simulated')")
    check(visitor, "setup-watch", screenshots)

    # As if they were people: the public release holds nobody else.
    run(website, "-c", COUNT_AS_PEOPLE)
    go(visitor, "downloads")
    check(visitor, "setup-downloads", screenshots)
    trials = rows_of(fetched(page, "button[value=csv]").read_text(encoding="utf-8-sig"))
    assert {row["design_hash"] for row in trials} == {frozen["design_hash"]}
    with zipfile.ZipFile(fetched(page, "button[formaction]")) as release:
        (name,) = [n for n in release.namelist() if n.endswith("trials_data.csv")]
        public = rows_of(release.read(name).decode("utf-8-sig"))
    assert counts(trials)["asked"] == 5 * 16
    assert counts(public) == counts(trials)
    assert {len(row["answered_at"]) for row in public} == {len("2026-01")}


def type_row(page, button, *values):
    """Add a row by the keyboard alone and fill in what follows, from its first field on."""
    page.locator("button[data-row=add]:visible", has_text=button).last.press("Enter")
    for number, value in enumerate(values):
        if number:
            page.keyboard.press("Tab")
        page.keyboard.insert_text(value)


def save(visitor):
    """Save the form; ends on the checklist."""
    visitor.page.locator("input[name=_save]").press("Enter")
    visitor.page.wait_for_url("**/checklist/**")


def stored(website, slug):
    """The lists of a study that stand as JSON in its table."""
    row = website.query("SELECT background, conditions FROM survey_study WHERE slug = ?", slug)[0]
    return [json.loads(row[name]) for name in ("background", "conditions")]


@pytest.mark.parametrize(
    ("size", "language", "scheme"), [("desk", "ja", "dark"), ("phone", "en", "light")]
)
def test_lists_of_the_design_are_edited_by_the_keyboard(
    sign_in, website, screenshots, size, language, scheme
):
    width, height, touch = SIZES[size]
    visitor = sign_in(width, height, language, touch=touch)
    take_second_step(visitor)
    page, slug = visitor.page, f"rows-{language}"
    page.emulate_media(color_scheme=scheme)
    visitor.open("/admin/survey/study/new/")
    page.fill("#id_slug", slug)
    page.locator("[name=template][value=labels]").check()
    page.locator(".submit-row [type=submit]").press("Enter")
    page.wait_for_url("**/checklist/")
    visitor.press("nav.tabs a >> nth=0")
    page.wait_for_url("**/change/")
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    before, _none = stored(website, slug)
    add = {"en": "Add a %s", "ja": "%sを追加"}[language]
    words = {"en": ("question", "condition"), "ja": ("質問", "条件")}[language]
    question, condition = (add % word for word in words)
    type_row(page, question, "Place")
    at = f"#id_background-{len(before)}"
    page.locator(f"{at}-texts__en").fill("Where?")
    page.locator(f"{at}-texts__ja").fill("どこで？")
    page.locator(f"{at}-choices button[data-row=add]").press("Enter")
    page.keyboard.insert_text("home")
    page.locator(f"{at}-choices button[data-row=add]").press("Enter")
    page.keyboard.insert_text("away")
    page.locator(f"{at}-choices [data-row=up]").last.press("Enter")
    for name in ("one", "two"):
        type_row(page, condition, name, "3")
    check(visitor, f"rows-{size}-{language}", screenshots)
    save(visitor)

    background, conditions = stored(website, slug)
    assert background[:-1] == before
    assert [one["value"] for one in background[-1]["choices"]] == ["away", "home"]
    assert [(one["name"], one["weight"]) for one in conditions] == [("one", 3), ("two", 3)]
    page.locator(".checklist .missing a[href*=background]").first.press("Enter")
    page.wait_for_url("**/change/#fault-background*")
    mark = page.locator(f"[id='fault-background[{len(before)}].key']")
    assert mark.is_visible()
    assert mark.evaluate("(one) => one.getBoundingClientRect().top < innerHeight")
    check(visitor, f"rows-{size}-{language}-faults", screenshots)
    page.locator(f"{at}-key").fill("place")
    page.locator(f"{at}-choices-0-DELETE").check()
    save(visitor)
    background, _conditions = stored(website, slug)
    assert (background[-1]["key"], len(background[-1]["choices"])) == ("place", 1)


def test_reasons_are_added_to_a_block_that_is_new(sign_in, website):
    visitor = sign_in()
    take_second_step(visitor)
    page = visitor.page
    visitor.open("/admin/survey/study/new/")
    page.fill("#id_slug", "reasons")
    page.locator("[name=template][value=demo]").check()
    visitor.press(".submit-row [type=submit]")
    page.wait_for_url("**/checklist/")
    visitor.press("nav.tabs a >> nth=0")
    page.locator("#blocks-group .add-row a").click()
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    page.fill("#id_blocks-2-key", "again")
    page.fill("#id_blocks-2-trials", "4")
    page.locator("#id_blocks-2-disclosures_0").check()
    page.locator("#id_blocks-2-reasons button[data-row=add]").click()
    page.keyboard.insert_text("detail")
    page.fill("#id_blocks-2-reasons-0-texts__en", "In the details")
    save(visitor)
    block = website.query("SELECT reasons, texts FROM survey_block WHERE key = 'again'")[0]
    assert json.loads(block["reasons"]) == ["detail"]
    assert json.loads(block["texts"])["en"]["reasons"] == {"detail": "In the details"}


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
