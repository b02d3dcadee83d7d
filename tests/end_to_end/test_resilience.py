"""What may go wrong: reloads, lost connections, servers and images, hasty fingers, two tabs."""

import pytest


@pytest.fixture
def desk(visit):
    """Somebody in the middle of the first block, with one response stored."""
    desk = visit(1440, 900)
    desk.consent("short")
    desk.start_block()
    desk.respond("#right")
    desk.wait_for_trial()
    return desk


def stored(website, desk):
    """The choices that the server has, in the order of the trials."""
    return [row["response"] for row in website.responses(desk.token)]


def wait_until_stored(website, desk, expected):
    """The browser sends on its own; give it time."""
    for _ in range(400):
        if stored(website, desk) == expected:
            return
        desk.page.wait_for_timeout(50)
    assert stored(website, desk) == expected


def pictures(desk):
    return desk.page.evaluate("[...document.querySelectorAll('#pair img')].map((i) => i.src)")


def test_reload_resumes_the_same_trial(desk, website):
    before = pictures(desk)
    desk.page.reload()
    desk.wait_for_trial()
    assert desk.number() == 2
    assert pictures(desk) == before
    desk.respond("#left")
    wait_until_stored(website, desk, ["right", "left"])


def test_without_connection_the_run_goes_on_and_nothing_is_lost(desk, website):
    desk.context.set_offline(True)
    desk.respond("#left")
    desk.wait_for_trial()
    desk.page.locator("#offline").wait_for()
    assert desk.number() == 3
    desk.respond("#right")
    desk.page.wait_for_timeout(1000)
    assert stored(website, desk) == ["right"]
    desk.context.set_offline(False)
    wait_until_stored(website, desk, ["right", "left", "right"])
    desk.page.locator("#offline").wait_for(state="hidden")
    desk.take_all_trials()
    assert len(stored(website, desk)) == 7


def test_responses_survive_a_closed_tab(desk, website):
    link = f"/p/{desk.token}/"
    desk.context.set_offline(True)
    desk.respond("#left")
    desk.wait_for_trial()
    desk.page.close()
    desk.context.set_offline(False)
    desk.page = desk.context.new_page()
    desk.open(link)
    desk.wait_for_trial()
    assert desk.number() == 3
    assert stored(website, desk) == ["right", "left"]


def test_a_server_that_restarts_loses_nothing(desk, website):
    website.stop()
    desk.respond("#left")
    desk.wait_for_trial()
    desk.respond("#left")
    desk.page.locator("#offline").wait_for()
    website.start()
    wait_until_stored(website, desk, ["right", "left", "left"])


def test_a_page_that_is_not_ours_is_no_acknowledgement(desk, website):
    desk.context.route("**/responses", lambda route: route.fulfill(body="<h1>Log in</h1>"))
    desk.respond("#left")
    desk.page.wait_for_timeout(1000)
    assert stored(website, desk) == ["right"]
    desk.context.unroute("**/responses")
    wait_until_stored(website, desk, ["right", "left"])


def test_an_image_that_fails_once_is_fetched_again(visit):
    desk = visit(1440, 900)
    failed = []

    def fail_first(route):
        if len(failed) < 2:
            failed.append(route.request.url)
            return route.abort()
        return route.continue_()

    desk.context.route("**/i/*.jpg", fail_first)
    desk.consent("short")
    desk.start_block()
    assert len(failed) == 2
    assert desk.page.evaluate(
        "[...document.querySelectorAll('#pair img')].every((i) => i.naturalWidth === 1024)"
    )


def test_an_image_that_cannot_be_had_is_named_and_can_be_tried_again(visit):
    desk = visit(1440, 900)
    desk.context.route("**/i/*.jpg", lambda route: route.abort())
    desk.consent("short")
    desk.page.locator("#start").wait_for()
    desk.press("#start")
    desk.page.get_by_text("A picture could not be loaded").wait_for()
    desk.context.unroute("**/i/*.jpg")
    desk.press("#again")
    desk.wait_for_trial()
    assert desk.number() == 1


def test_double_click_is_one_response(desk, website):
    desk.page.locator("#left").dblclick()
    desk.wait_for_trial()
    assert desk.number() == 3
    wait_until_stored(website, desk, ["right", "left"])


PRESS_AT_ONCE = """() => new Promise((done) => {
  const look = () => {
    const third = document.querySelector("#count").textContent.startsWith("3");
    const shown = document.querySelector("#choice.open");
    if (!third || !shown) return requestAnimationFrame(look);
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "f", bubbles: true }));
    setTimeout(() => done(document.querySelector("#count").textContent), 50);
  };
  document.querySelector("#left").click();
  look();
})"""


def test_keys_are_ignored_before_anybody_can_have_seen_the_stimuli(desk):
    assert desk.page.evaluate(PRESS_AT_ONCE) == "3 / 7"
    desk.wait_for_trial()
    desk.page.keyboard.press("f")
    desk.wait_for_trial()
    assert desk.number() == 4


def test_a_key_that_is_held_down_is_one_response(desk):
    desk.page.keyboard.down("f")
    for _ in range(20):
        desk.page.wait_for_timeout(40)
        desk.page.keyboard.down("f")
    desk.page.keyboard.up("f")
    assert desk.number() == 3


def test_two_tabs_store_each_trial_once(desk, website):
    other = desk.context.new_page()
    other.goto(desk.page.url)
    first = desk.page
    desk.page = other
    desk.wait_for_trial()
    desk.respond("#left")
    desk.wait_for_trial()
    desk.respond("#left")
    desk.wait_for_trial()
    wait_until_stored(website, desk, ["right", "left", "left"])
    desk.page = first
    desk.respond("#right")
    desk.until("document.querySelector('#count').textContent.startsWith('4')")
    assert stored(website, desk) == ["right", "left", "left"]


def test_after_withdrawing_in_another_tab_the_trial_page_says_so(desk):
    other = desk.context.new_page()
    other.goto(desk.page.url + "withdraw")
    other.locator("form button").click()
    desk.page.bring_to_front()
    desk.press("#left")
    desk.page.get_by_role("heading", name="You have withdrawn").wait_for()


@pytest.mark.parametrize(
    ("language", "message"), [("en", "This study needs JavaScript"), ("ja", "JavaScriptが必要です")]
)
def test_without_javascript_the_pages_say_what_is_missing(visit, language, message):
    desk = visit(1440, 900, language, java_script_enabled=False)
    desk.consent("short")
    assert message in desk.page.locator("noscript").inner_text()
    assert desk.page.locator("noscript p").is_visible()
    assert not desk.page.locator("#waiting").is_visible()


@pytest.mark.parametrize(
    ("path", "english", "japanese"),
    [
        ("/s/nowhere/", "Not found", "見つかりません"),
        ("/p/unknown/", "Unknown link", "リンクが見つかりません"),
    ],
)
def test_addresses_that_lead_nowhere_say_so(visit, path, english, japanese):
    for language, heading in (("en", english), ("ja", japanese)):
        desk = visit(1440, 900, language)
        desk.open(path)
        assert desk.page.get_by_role("heading", name=heading).is_visible()
