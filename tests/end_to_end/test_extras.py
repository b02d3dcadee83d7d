"""The learning mode, the others, the card, small screens, the privacy page: in a browser."""

import io
import json

import pytest
from PIL import Image

from tests.end_to_end.test_pages import SIZES, check

LANGUAGES = ("en", "ja")


def open_at(visit, size, language):
    width, height, touch = SIZES[size]
    return visit(width, height, language, touch=touch)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", SIZES)
def test_learning_mode_tells_the_truth_only_after_the_response(
    visit, website, screenshots, size, language
):
    visitor = open_at(visit, size, language)
    page, name = visitor.page, f"learn-{size}-{language}"
    visitor.open("/s/learn/")
    check(visitor, f"{name}-entry", screenshots)
    visitor.consent("learn")
    visitor.start_block()
    told = page.locator("#pair .told")
    assert told.all_inner_texts() == ["", ""]
    visitor.press("#left")
    page.locator("#answer.open").wait_for()
    row = website.responses(visitor.token)[0]
    words = {
        "en": {"real": "Photograph", "ai": "AI image", "enhanced": "Changed by an AI"},
        "ja": {"real": "写真", "ai": "AI画像", "enhanced": "AIが手を加えた画像"},
    }[language]
    assert told.all_inner_texts() == [words[row["left_origin"]], words[row["right_origin"]]]
    check(visitor, f"{name}-truth", screenshots)
    visitor.see()
    visitor.press("#continue")
    visitor.wait_for_trial()
    assert told.all_inner_texts() == ["", ""]


@pytest.mark.parametrize(("size", "language"), [("desk", "en"), ("phone", "ja")])
def test_lesson_ends_with_a_curve_and_the_glossary(visit, screenshots, size, language):
    visitor = open_at(visit, size, language)
    visitor.consent("learn")
    visitor.take_all_trials()
    visitor.page.wait_for_url("**/debrief")
    assert visitor.page.locator(".curve circle").count() == 4
    assert visitor.page.locator(".clues dt").count() == 7
    check(visitor, f"learn-{size}-{language}-debrief", screenshots)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", SIZES)
def test_debrief_compares_with_others_and_offers_a_card(
    visit, website, screenshots, size, language
):
    visitor = open_at(visit, size, language)
    page = visitor.page
    visitor.consent("crowd")
    early = visitor.context.request.get(f"{website.url}/p/{visitor.token}/card.png")
    assert early.status == 404
    visitor.take_all_trials()
    page.wait_for_url("**/debrief")
    assert page.locator(".interval.others").is_visible()
    check(visitor, f"crowd-{size}-{language}-debrief", screenshots)
    with page.expect_download() as download:
        visitor.press("#share")
    card = Image.open(io.BytesIO(download.value.path().read_bytes()))
    assert (card.format, card.size) == ("PNG", (1200, 630))


@pytest.mark.parametrize("language", LANGUAGES)
def test_card_goes_to_what_the_device_shares_with(visit, language):
    visitor = visit(390, 844, language, touch=True)
    visitor.context.add_init_script(
        """Object.assign(Navigator.prototype, {
          canShare: () => true,
          share: async (data) => (window.shared = [data.files[0].type, data.text]),
        });"""
    )
    visitor.consent("crowd")
    visitor.take_all_trials()
    visitor.page.wait_for_url("**/debrief")
    visitor.press("#share")
    visitor.until("window.shared !== undefined")
    kind, text = visitor.page.evaluate("window.shared")
    assert (kind, text) == ("image/png", f"{visitor.url}/s/crowd/")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", SIZES)
def test_small_screen_is_told_before_the_consent(visit, screenshots, size, language):
    visitor = open_at(visit, size, language)
    visitor.open("/s/large-screens/")
    small = size == "phone"
    visitor.until("document.querySelector('[name=viewport]').value !== ''")
    assert visitor.page.locator("#too-small").is_visible() == small
    assert visitor.page.locator("main form").first.is_visible() != small
    check(visitor, f"large-screens-{size}-{language}-entry", screenshots)


def test_larger_window_opens_the_consent(visit):
    visitor = visit(700, 900)
    visitor.open("/s/large-screens/")
    visitor.page.locator("#too-small").wait_for()
    visitor.page.set_viewport_size({"width": 900, "height": 900})
    visitor.page.locator("#too-small").wait_for(state="hidden")
    visitor.consent_here()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", SIZES)
def test_privacy_page_and_glossary_are_accessible(visit, screenshots, size, language):
    visitor = open_at(visit, size, language)
    visitor.open("/s/short/")
    visitor.press("main a[href$=privacy]")
    visitor.page.wait_for_url("**/s/short/privacy")
    check(visitor, f"privacy-{size}-{language}", screenshots)
    visitor.open("/clues")
    check(visitor, f"clues-{size}-{language}", screenshots)


def test_evidence_becomes_flags_and_the_honeypot_is_out_of_sight(visit, website):
    visitor = visit(1440, 900)
    visitor.open("/s/short/")
    trap = visitor.box("[name=website]")
    assert trap["x"] + trap["width"] < 0
    visitor.page.locator("[name=website]").evaluate("(field) => (field.value = 'x')")
    visitor.consent_here()
    flags = website.query("SELECT flags FROM survey_participant WHERE token = ?", visitor.token)
    assert set(json.loads(flags[0]["flags"])) >= {"honeypot", "webdriver"}
    visitor.start_block()
    visitor.respond()
    visitor.wait_for_trial()
    assert '"webdriver"' in website.responses(visitor.token)[0]["flags"]


def test_full_screen_by_keyboard_leaves_the_response_keys_to_the_trial(visit):
    visitor = visit(1440, 900)
    page = visitor.page
    visitor.consent("short")
    visitor.start_block()
    button = page.get_by_role("button", name="Full screen")
    button.focus()
    page.keyboard.press("Space")
    pressed = "document.querySelector('#whole-screen').getAttribute('aria-pressed')"
    visitor.until(f"{pressed} === 'true'")
    assert page.evaluate("document.fullscreenElement === document.documentElement")
    assert page.locator("#announcement").inner_text() == "Full screen is on. Esc leaves it."
    assert visitor.number() == 1
    page.keyboard.press("f")
    visitor.until("document.querySelector('#count').textContent.startsWith('2')")
    assert page.evaluate("document.fullscreenElement !== null")
    visitor.press("#whole-screen")
    visitor.until(f"{pressed} === 'false'")
    assert page.evaluate("document.fullscreenElement === null")


def test_without_full_screen_in_the_browser_there_is_no_button(visit):
    visitor = visit(1440, 900)
    visitor.context.add_init_script(
        "Object.defineProperty(Document.prototype, 'fullscreenEnabled', { value: false });"
    )
    visitor.consent("whole-screen")
    visitor.page.locator("#start").wait_for()
    assert visitor.page.locator("#start-whole").is_hidden()
    visitor.start_block()
    assert visitor.page.locator("#whole-screen").is_hidden()


@pytest.mark.parametrize(("width", "height", "language"), [(1440, 900, "en"), (390, 844, "ja")])
def test_study_asks_for_the_full_screen(visit, screenshots, width, height, language):
    visitor = visit(width, height, language)
    visitor.consent("whole-screen")
    visitor.page.locator("#start-whole").wait_for()
    assert visitor.page.locator("#start").is_hidden()
    if screenshots:
        visitor.page.screenshot(path=screenshots / f"ask-{language}-{width}.png")
    visitor.page.keyboard.press("Space")
    visitor.wait_for_trial()
    assert visitor.page.evaluate("document.fullscreenElement === document.documentElement")


def test_study_that_asks_for_the_full_screen_goes_on_without_it(visit):
    visitor = visit(1440, 900)
    visitor.consent("whole-screen")
    visitor.page.locator("#start-without").focus()
    visitor.page.keyboard.press("Enter")
    visitor.wait_for_trial()
    assert visitor.page.evaluate("document.fullscreenElement === null")
    assert visitor.page.locator("#whole-screen").is_visible()


@pytest.mark.parametrize("answer", ["Promise.reject(new TypeError())", "new Promise(() => {})"])
def test_browser_that_refuses_the_full_screen_is_no_dead_end(answer, visit):
    visitor = visit(1440, 900)
    visitor.context.add_init_script(f"Element.prototype.requestFullscreen = () => {answer};")
    visitor.consent("whole-screen")
    visitor.page.locator("#start-whole").wait_for()
    visitor.press("#start-whole")
    visitor.wait_for_trial()


def test_study_may_do_without_the_full_screen(visit):
    visitor = visit(1440, 900)
    visitor.consent("window")
    visitor.start_block()
    assert visitor.page.locator("#whole-screen").is_hidden()
