"""The whole demo study in Debian's Firefox: half by mouse, half by keyboard."""

import pytest

from tests.end_to_end import firefox

PATH = firefox.installed()
STATE = """(() => {
  const stage = document.querySelector("#stage");
  if (!stage) return document.readyState === "complete" ? "elsewhere" : "";
  if (!document.querySelector("#instructions").hidden) return "instructions";
  return stage.hidden ? "" : (stage.querySelector(".panel.open")?.id ?? "");
})()"""
#: A choice counts only after somebody can have seen the pictures.
SEEN_MS = 220


@pytest.fixture
def browser(tmp_path):
    with firefox.started(PATH, tmp_path) as window:
        yield window


def state_of(window):
    window.until(STATE)
    return window.read(STATE)


def act(window, state, by_keys):
    """Do what the present state of the trial page asks for."""
    if state == "instructions":
        window.key(" ") if by_keys else window.click("#start")
        window.until('document.querySelector("#instructions").hidden')
    elif state == "confidence":
        window.key("3") if by_keys else window.click("#confidence .buttons button:nth-child(3)")
    else:
        window.command("WebDriver:ExecuteAsyncScript", script=WAIT, args=[SEEN_MS])
        if state == "choice":
            window.key("f") if by_keys else window.click("#left")
        else:
            window.key(" ") if by_keys else window.click("#continue")


WAIT = "setTimeout(arguments[1], arguments[0])"


@pytest.mark.skipif(PATH is None, reason="Firefox is not here: apt-get install firefox-esr")
def test_demo_in_firefox(browser, website):
    browser.open(f"{website.url}/s/demo/")
    for name in ("agree", "adult"):
        browser.click(f"[name={name}]")
    browser.click("form button")
    browser.until("location.pathname.startsWith('/p/')")
    token = browser.read("location.pathname.split('/')[2]")
    while (state := state_of(browser)) != "elsewhere":
        part = browser.read("document.querySelector('#part-number').textContent")
        act(browser, state, by_keys=part == "2")
    assert browser.read("location.pathname").endswith("/background")
    browser.click("form button")
    browser.until("location.pathname.endsWith('/debrief')")
    rows = website.responses(token)
    assert [row["response"] for row in rows] == ["left"] * 34
    assert [row["input_device"] for row in rows] == ["mouse"] * 16 + ["keyboard"] * 18
    assert all(200 <= row["rt_ms"] < row["server_elapsed_ms"] for row in rows)
    assert {row["layout"] for row in rows} == {"side_by_side"}
    main = [row for row in rows if row["task"] == "detect_pair" and row["kind"] == "main"]
    hits = sum(row["left_origin"] != "real" for row in main)
    browser.until("document.querySelector('.score strong') !== null")
    assert browser.read("document.querySelector('.score strong').textContent") == str(hits)
    browser.until("document.querySelectorAll('.compare.sliding').length > 0")
