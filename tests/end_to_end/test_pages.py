"""Every page and state, in both languages and several sizes: accessible, light, well laid out."""

import pytest
from axe_playwright_python.sync_playwright import Axe

AXE_SCRIPT = Axe().axe_script


def violations(visitor):
    """What axe finds wrong with the page as it is now."""
    page = visitor.page
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    return [
        (fault["id"], node["html"][:120], node["failureSummary"][:200])
        for fault in found
        for node in fault["nodes"]
    ]


def test_axe_finds_a_fault_that_is_planted(visit):
    desk = visit(1440, 900)
    desk.open("/")
    assert violations(desk) == []
    desk.page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert [fault for fault, _html, _summary in violations(desk)] == ["button-name"]


def check(visitor, name, screenshots):
    """No violation, no scrolling sideways; a picture for whoever wants to look."""
    if screenshots:
        screenshots.mkdir(parents=True, exist_ok=True)
        visitor.page.screenshot(path=screenshots / f"{name}.png", full_page=True)
    assert violations(visitor) == [], name
    assert not visitor.scrolls_sideways(), name


SIZES = {"desk": (1440, 900, False), "phone": (390, 844, True)}


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("slug", ["short", "every-task"])
def test_every_page_is_accessible(visit, screenshots, language, size, slug):
    width, height, touch = SIZES[size]
    visitor = visit(width, height, language, touch=touch)
    prefix = f"{slug}-{size}-{language}"
    for path, name in (("/", "home"), (f"/s/{slug}/", "entry"), ("/nowhere", "not-found")):
        visitor.open(path)
        check(visitor, f"{prefix}-{name}", screenshots)
    visitor.open(f"/s/{slug}/")
    visitor.press("form button")
    visitor.page.locator(".errorlist").first.wait_for()
    check(visitor, f"{prefix}-consent-missing", screenshots)
    visitor.consent(slug)
    seen = set()
    for state in visitor.walk():
        block = visitor.page.locator("#part-number").text_content()
        if (state, block) not in seen:
            seen.add((state, block))
            check(visitor, f"{prefix}-{block}-{state}", screenshots)
    if visitor.page.url.endswith("background"):
        check(visitor, f"{prefix}-background", screenshots)
        visitor.fill_background()
    check(visitor, f"{prefix}-debrief", screenshots)
    visitor.open(f"/s/{slug}/credits")
    check(visitor, f"{prefix}-credits", screenshots)
    visitor.page.go_back()
    visitor.press("main a[href$=withdraw]")
    visitor.page.wait_for_url("**/withdraw")
    check(visitor, f"{prefix}-withdraw", screenshots)
    visitor.press("form button")
    visitor.page.locator("main form").wait_for(state="detached")
    check(visitor, f"{prefix}-withdrawn", screenshots)


@pytest.mark.parametrize("size", [(1440, 900), (1024, 768), (390, 844), (360, 640)])
def test_pairs_are_equal_and_fit_the_window(visit, size):
    width, height = size
    desk = visit(width, height, touch=width < 500)
    no_scrolling = "document.documentElement.scrollHeight <= innerHeight"
    desk.consent("short")
    desk.start_block()
    assert desk.page.evaluate(no_scrolling)
    for _ in range(4):
        desk.wait_for_trial()
        desk.respond()
    desk.start_block()
    desk.press("#left")
    desk.page.locator("#confidence.open").wait_for()
    left, right = desk.box("#left .picture"), desk.box("#right .picture")
    assert (left["width"], left["height"]) == (right["width"], right["height"])
    assert abs(left["width"] / left["height"] - 4 / 3) < 0.01
    assert desk.page.evaluate(no_scrolling)
    lowest = desk.box("#confidence .buttons button >> nth=0")
    assert lowest["y"] + lowest["height"] <= height
    assert lowest["height"] >= 44
    across = (left["width"] + right["width"]) / width
    down = (left["height"] + right["height"]) / height
    assert max(across, down) > 0.6


@pytest.mark.parametrize("steps", [7, 11])
def test_every_step_of_a_scale_is_as_wide_as_a_finger(visit, steps):
    phone = visit(390, 844, touch=True)
    phone.open("/")
    widths = phone.page.evaluate(
        """steps => {
            const make = (name, within) => within.appendChild(document.createElement(name));
            const scale = make("div", document.querySelector("main"));
            const buttons = make("span", scale);
            [scale.className, buttons.className] = ["scale", "buttons"];
            for (let i = 0; i < steps; i++) make("button", buttons).textContent = i + 1;
            return [...buttons.children].map(button => button.getBoundingClientRect().width);
        }""",
        steps,
    )
    assert len(widths) == steps
    assert min(widths) >= 44
    assert not phone.scrolls_sideways()


def test_first_pair_is_light(visit):
    desk = visit(1440, 900)
    received = []
    desk.open("/s/short/")
    desk.page.wait_for_load_state("networkidle")
    desk.page.on("requestfinished", lambda request: received.append(request.response()))
    desk.consent_here()
    desk.start_block()
    others = [r for r in received if "/i/" not in r.url and r.request.method == "GET"]
    assert [r.url for r in others if r.url.endswith("main.js")] != []
    assert len(others) <= 5, [r.url for r in others]
    assert sum(len(response.body()) for response in others) <= 60_000
