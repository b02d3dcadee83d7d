"""A person at a browser: what they see and do on the participant's pages."""

import json
import time
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import BrowserContext, Error, Page

PATIENCE_SECONDS = 60
READY = (
    "!document.querySelector('#stage').hidden && document.querySelector('#choice.open') !== null"
)
#: Which trial and which of its panels is on the screen.
PLACE = """[document.querySelector("#count")?.textContent,
  document.querySelector("#stage:not([hidden]) .panel.open")?.id].join()"""
UNSEEN_MS = 210  # responses before 200 ms are ignored: nobody has seen the stimuli
DOUBLE_TAP_MS = 310  # the second half of a double tap is ignored a little longer
TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


class Visitor:
    """One browser window of one participant."""

    def __init__(self, context: BrowserContext, url: str, *, touch: bool = False) -> None:
        self.context, self.url, self.touch = context, url, touch
        self.page: Page = context.new_page()

    @property
    def token(self) -> str:
        """The participant's part of the private link."""
        return self.page.url.split("/p/")[1].split("/")[0]

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def press(self, selector: str) -> None:
        """Click or tap, as this visitor does."""
        target = self.page.locator(selector)
        if self.touch:
            target.tap()
        else:
            target.click()

    def consent(self, slug: str) -> None:
        """Read, agree, start; ends on the trial page."""
        self.open(f"/s/{slug}/")
        self.consent_here()

    def consent_here(self) -> None:
        for box in self.page.get_by_role("checkbox").all():
            box.check()
        self.press("form button")
        self.page.wait_for_url("**/p/**")

    def state(self) -> str:
        """What is on the screen now: instructions, choice, confidence, reason, answer, ..."""
        return self.page.evaluate(
            """() => {
              if (!document.querySelector("#stage")) return "elsewhere";
              const open = document.querySelector("#stage:not([hidden]) .panel.open");
              if (open) return open.id;
              const shown = ["waiting", "problem", "instructions", "stage"];
              return shown.find((id) => !document.getElementById(id).hidden);
            }"""
        )

    def see(self) -> None:
        """Look at what has just been painted for as long as a response would be ignored."""
        self.page.evaluate(TWO_FRAMES)
        self.page.wait_for_timeout(DOUBLE_TAP_MS if self.touch else UNSEEN_MS)

    def until(self, condition: str) -> None:
        """Wait for a condition in JavaScript; Playwright's own way needs `eval`."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                if self.page.evaluate(condition):
                    return
            except Error as error:  # the page has just been left
                if "context" not in str(error):
                    raise
            self.page.wait_for_timeout(15)
        raise AssertionError(f"not within {PATIENCE_SECONDS} s: {condition}")

    def number(self) -> int:
        """The number of the present trial, from 1."""
        return int(self.page.locator("#count").inner_text().split("/")[0])

    def wait_for_trial(self) -> None:
        """Wait until stimuli are shown and may be responded to."""
        self.until(READY)
        self.see()

    def start_block(self) -> None:
        self.page.locator("#start").wait_for()
        self.press("#start")
        self.wait_for_trial()

    def respond(self, selector: str = "#left") -> None:
        """Choose, say how sure, give a reason, hear whether it was right; as far as asked."""
        for _panel in self.respond_by_steps(selector):
            pass

    def respond_by_steps(self, selector: str) -> Iterator[str]:
        """Like `respond`, but the caller sees every panel before it is dealt with."""
        acts = {"confidence": self._be_sure, "reason": self._reason, "answer": self._go_on}
        asked = [
            panel
            for panel in acts
            if self.page.locator(f"#{panel}").get_attribute("hidden") is None
        ]
        before = self.page.evaluate(PLACE)
        self.press(selector)
        self.until(f"{PLACE} !== {json.dumps(before)}")  # a tap is heard after it is made
        for panel in asked:
            self.page.locator(f"#{panel}.open").wait_for()
            yield panel
            acts[panel]()

    def _reason(self) -> None:
        self.press("#reason span button >> nth=0")

    def _go_on(self) -> None:
        self.see()
        self.press("#continue")

    def _be_sure(self) -> None:
        slider = self.page.locator("#confidence input")
        if slider.is_visible():
            slider.fill("80")
            self.press("#confidence .slider button")
        else:
            self.press("#confidence .buttons button >> nth=2")

    def choices(self) -> list[str]:
        """The buttons that may be pressed in the present trial."""
        options = ["#left", "#right", "#tie", "#real", "#ai", "#rating button >> nth=4"]
        return [option for option in options if self.page.locator(option).is_visible()]

    def walk(self) -> Iterator[str]:
        """Go through all trials, one state at a time; ends on the page after them."""
        while True:
            self.until(
                "document.readyState === 'complete' && (!document.querySelector('#stage')"
                f" || {READY} || !document.querySelector('#instructions').hidden)"
            )
            state = self.state()
            if state == "elsewhere":
                return
            yield state
            if state == "instructions":
                self.press("#start")
                self.page.locator("#instructions").wait_for(state="hidden")
            else:
                self.see()
                yield from self.respond_by_steps(self.choices()[0])

    def take_all_trials(self) -> None:
        for _state in self.walk():
            pass

    def fill_background(self) -> None:
        """One reply to each question, whatever its kind."""
        for field in self.page.locator("fieldset").all():
            if field.locator("input[type=radio]").count():
                field.locator("input[type=radio]").first.check()
            elif field.locator("input[type=checkbox]").count():
                field.locator("input[type=checkbox]").first.check()
            else:
                field.locator("input").fill("3")
        self.press("form button")
        self.page.wait_for_url("**/debrief")

    def scrolls_sideways(self) -> bool:
        # A phone widens its window to what does not fit, so that its screen counts.
        return self.page.evaluate(
            "document.documentElement.scrollWidth > Math.min(innerWidth, screen.width)"
        )

    def box(self, selector: str) -> dict[str, Any]:
        found = self.page.locator(selector).bounding_box()
        assert found is not None
        return dict(found)
