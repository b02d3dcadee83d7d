"""Whole studies, from the consent to the debrief, as different people take them."""

from statistics import median

import pytest


@pytest.fixture
def desk(visit):
    """Somebody at a desk, with a mouse."""
    return visit(1440, 900)


def detections(rows):
    """The main trials of the detection block."""
    return [row for row in rows if row["task"] == "detect_pair" and row["kind"] == "main"]


def test_demo_by_mouse_stores_every_response(desk, website):
    desk.consent("demo")
    desk.take_all_trials()
    rows = website.responses(desk.token)
    assert [row["index"] for row in rows] == list(range(34))
    assert {row["input_device"] for row in rows} == {"mouse"}
    assert {row["layout"] for row in rows} == {"side_by_side"}
    assert {(row["viewport_w"], row["viewport_h"]) for row in rows} == {(1440, 900)}
    assert min(row["rt_ms"] for row in rows) >= 200
    assert 4 < median(row["frame_ms"] for row in rows if row["frame_ms"]) < 60
    desk.fill_background()
    scored = [row for row in detections(rows) if row["response"] == "left"]
    hits = sum(row["left_origin"] != "real" for row in scored)
    assert desk.page.locator(".score strong").inner_text() == str(hits)
    assert desk.page.locator(".gallery li").count() == 16


def test_short_study_by_touch_stacks_pairs_and_calls_them_a_and_b(visit, website):
    phone = visit(390, 844, "ja", touch=True)
    phone.consent("short")
    phone.start_block()
    assert phone.page.locator("html").get_attribute("lang") == "ja"
    assert phone.page.get_by_role("button", name="画像A").is_visible()
    assert phone.page.get_by_role("button", name="画像B").is_visible()
    assert phone.box("#left")["y"] + phone.box("#left")["height"] <= phone.box("#right")["y"]
    phone.page.set_viewport_size({"width": 320, "height": 640})  # the narrowest, or a large zoom
    phone.until("document.documentElement.scrollWidth === 320")
    phone.page.set_viewport_size({"width": 390, "height": 844})
    phone.respond("#right")
    phone.take_all_trials()
    phone.fill_background()
    rows = website.responses(phone.token)
    assert len(rows) == 7
    assert {row["input_device"] for row in rows} == {"touch"}
    assert {row["layout"] for row in rows} == {"stacked"}
    assert rows[0]["response"] == "right"
    assert {row["language"] for row in rows} == {"ja"}


def tab_to(page, selector):
    """Go on with Tab until something has the focus, as somebody without a mouse does."""
    for _ in range(60):
        if page.evaluate("(s) => document.activeElement.matches(s)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached with Tab")


def test_short_study_by_keyboard_only(desk, website):
    page = desk.page
    desk.open("/s/short/")
    for name in ("agree", "adult"):
        tab_to(page, f"[name={name}]")
        page.keyboard.press("Space")
    page.keyboard.press("Enter")
    for block in range(2):
        page.locator("#start").wait_for()
        page.keyboard.press("Space")
        for number in range(4 - block):
            desk.wait_for_trial()
            assert desk.number() == 4 * block + number + 1
            page.keyboard.press(("f", "j", "ArrowLeft", "ArrowRight")[number])
            if block:
                page.keyboard.press("3")
            if block and number == 0:
                page.locator("#answer.open").wait_for()
                desk.see()
                page.keyboard.press("Space")
    page.wait_for_url("**/background")
    tab_to(page, "[name=age]")
    page.keyboard.press("Space")
    tab_to(page, "[name=seen]")
    page.keyboard.type("No")
    page.keyboard.press("Enter")
    page.wait_for_url("**/debrief")
    rows = website.responses(desk.token)
    chosen = ["left", "right", "left", "right"]
    assert [row["response"] for row in rows] == [*chosen, *chosen[:3]]
    assert {row["input_device"] for row in rows} == {"keyboard"}
    assert {row["confidence"] for row in rows[4:]} == {2 / 3}


#: Press a button and count what happens until the next pictures are revealed: frames, time, and
#: whether the fixation mark was there. Its own look comes before that of the page in each frame.
REVEAL = """(selector) => new Promise((done) => {
  const stage = document.querySelector("#stage");
  const before = document.querySelector("#left img");
  const mark = stage.querySelector(".frame:not([hidden]) .fixation");
  let frames = 0, fixated = false;
  const begun = performance.now();
  const look = (now) => {
    frames += 1;
    const next = document.querySelector("#left img");
    if (!stage.hidden && !stage.matches(".waiting") && next !== before) {
      return done({ frames, fixated, ms: now - begun });
    }
    fixated ||= !stage.hidden && getComputedStyle(mark).visibility === "visible";
    requestAnimationFrame(look);
  };
  document.querySelector(selector).click();
  requestAnimationFrame(look);
})"""


def test_next_pair_is_revealed_in_the_first_frame_after_the_response(desk):
    desk.consent("short")
    desk.start_block()
    desk.page.wait_for_load_state("networkidle")  # the next pictures are there
    assert desk.page.evaluate(REVEAL, "#left")["frames"] == 2  # looked at before it and after it


def test_every_task_stores_its_kind_of_response(desk, website):
    desk.consent("every-task")
    desk.start_block()
    desk.respond("#ai")
    desk.wait_for_trial()
    desk.page.keyboard.press("j")
    desk.page.locator("#confidence.open").wait_for()
    desk.page.keyboard.press("Enter")  # too early: nothing is chosen yet
    desk.page.keyboard.press("ArrowRight")
    desk.page.keyboard.press("Enter")
    desk.page.locator("#reason.open").wait_for()
    desk.page.keyboard.press("2")
    desk.page.locator("#answer.open").wait_for()
    desk.see()
    desk.page.keyboard.press("Space")
    desk.start_block()
    for _ in range(2):
        desk.wait_for_trial()
        desk.page.keyboard.press("5")
    desk.page.locator("#start").wait_for()
    shown = desk.page.evaluate(REVEAL, "#start")
    assert shown["fixated"]
    assert shown["ms"] >= 500
    desk.until("document.querySelector('#left canvas') !== null")
    desk.wait_for_trial()
    desk.respond("#tie")
    desk.start_block()
    labels = desk.page.locator("#pair .told").all_inner_texts()
    assert sorted(labels) == ["AI image", "Photograph"]
    desk.take_all_trials()
    rows = website.responses(desk.token)
    assert [row["response"] for row in rows[:5]] == ["ai", "ai", "5", "5", "tie"]
    given = [(row["confidence"], row["reason"]) for row in rows[:2]]
    assert given == [(0.8, "detail"), (0.51, "light")]
    assert {row["layout"] for row in rows[:4]} == {""}
    assert 190 <= rows[4]["shown_ms"] < 400


def test_language_switch_in_the_middle_keeps_the_trial(desk):
    desk.consent("short")
    desk.start_block()
    desk.respond()
    desk.wait_for_trial()
    picture = "document.querySelector('#left img').src"
    before = desk.page.evaluate(picture)
    desk.press("nav a[lang=ja]")
    desk.page.wait_for_url("**/p/**")
    desk.wait_for_trial()
    assert desk.number() == 2
    assert desk.page.evaluate(picture) == before
    assert desk.page.locator("#left .in-row span").first.inner_text() == "左"


def test_withdrawing_erases_the_responses(desk, website):
    desk.consent("short")
    desk.start_block()
    desk.respond()
    desk.wait_for_trial()
    token = desk.token
    assert [row["response"] for row in website.responses(token)] == ["left"]
    desk.press("text=Withdraw")
    desk.press("form button")
    desk.page.get_by_role("heading", name="You have withdrawn").wait_for()
    rows = website.responses(token)
    assert [(row["response"], row["rt_ms"]) for row in rows] == [("", None)]
    desk.open(f"/p/{token}/")
    assert desk.page.get_by_role("heading", name="You have withdrawn").is_visible()
