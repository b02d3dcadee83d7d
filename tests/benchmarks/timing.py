"""How exact the recorded times are, and how fast the next pair is there. Run by hand, alone:

    uv run python -m tests.benchmarks.timing                 (500 trials at 0, 50 and 200 ms)
    uv run python -m tests.benchmarks.timing --trials 60 --longest 1000

A synthetic participant presses the mouse through Chromium's debugging protocol at random delays
after the paint. `probe.js` measures from outside when the pair was really displayed, and takes the
press from the browser's own time stamp; the difference is what the recorded time is held against.
Both are what the browser knows: neither the display nor the mouse is measured by a device.
The same driver runs jsPsych 8 from npm (html-button-response with two pictures as its buttons, all
of them loaded beforehand, nothing sent to a server), so both stand in one table. Its plugin ends a
trial at the click and not at the press, so its times are held against the click.
"""

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Page, sync_playwright

from survey.demo import STIMULI
from survey.design import Block, Study
from tests.end_to_end.conftest import FLAGS, get_browser
from tests.end_to_end.designs import LANGUAGES, instructions, texts
from tests.end_to_end.website import ROOT, Website, go_live

PROBE = Path(__file__).with_name("probe.js")
PACKAGES = ("jspsych@8", "@jspsych/plugin-html-button-response@2")
PAIRS = 16
SHORTEST_MS = 300
EXPOSURE_MS = 200


@dataclass
class Run:
    """What was measured in one condition, in ms."""

    errors: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)  # from the response to the next pair
    exposures: list[float] = field(default_factory=list)
    frame_ms: float = 0.0


def at(values: list[float], share: float) -> float:
    """A percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Driver:
    """Answers the trials of one page, whoever made it."""

    def __init__(self, page: Page, latency_ms: int, longest_ms: float, rng: random.Random) -> None:
        self.page, self.longest_ms, self.rng = page, longest_ms, rng
        self.cdp = page.context.new_cdp_session(page)
        self.cdp.send("Network.enable")
        conditions = {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1}
        self.cdp.send("Network.emulateNetworkConditions", conditions | {"latency": latency_ms})
        self.seen = 0

    def read(self, script: str) -> Any:
        return self.page.evaluate(script)

    def wait_until(self, condition: str) -> None:
        deadline = time.monotonic() + 30
        while not self.read(condition):
            if time.monotonic() > deadline:
                raise TimeoutError(condition)
            time.sleep(0.01)

    def press(self, selector: str) -> None:
        """One press of the mouse in the middle of an element."""
        box = self.page.locator(selector).first.bounding_box()
        assert box is not None
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        for kind in ("mousePressed", "mouseReleased"):
            event = {"type": kind, "button": "left", "clickCount": 1}
            self.cdp.send("Input.dispatchMouseEvent", event | place)

    def answer(self, selector: str) -> tuple[float, float, float]:
        """Wait for a pair and a random while, then press: (displayed, pressed, clicked)."""
        self.wait_until(f"probe.shown.length > {self.seen}")
        shown = self.read(f"probe.shown[{self.seen}]")
        self.seen += 1
        due = self.rng.uniform(SHORTEST_MS, self.longest_ms)
        time.sleep(max(0.0, (due - (self.read("performance.now()") - shown)) / 1000))
        pressed = len(self.read("probe.clicks"))
        self.press(selector)
        self.wait_until(f"probe.clicks.length > {pressed}")
        return shown, *self.read("[probe.presses.at(-1), probe.clicks.at(-1)]")

    @property
    def frame_ms(self) -> float:
        times = self.read("probe.frames")
        return median(later - earlier for earlier, later in pairwise(times))


# --- Honmono -------------------------------------------------------------------------------------


def studies() -> tuple[Study, Study]:
    """Four blocks on the same pairs without a limit, and one with a limited exposure."""
    words = instructions("## Which do you like?", "## どちらが好きですか")
    plain = {"task": "prefer_pair", "trials": PAIRS, "texts": words}
    blocks = tuple(Block(key=f"block{i}", question=f"liking{i}", **plain) for i in range(4))
    glance = (Block(key="glance", exposures_ms=(EXPOSURE_MS,), **plain),)
    common = {"languages": LANGUAGES, "texts": texts("Timing", "計測"), "share_stimuli": True}
    return (
        Study(slug="timing", blocks=blocks, **common),
        Study(slug="glance", blocks=glance, **common),
    )


def prepare() -> None:
    """Run in a process of its own, as the website's studies are."""
    import django

    django.setup()
    from django.core.management import call_command

    from survey import studies as tables

    call_command("migrate", verbosity=0)
    for plan in studies():
        study = tables.save_design(plan)
        tables.import_stimuli(study, STIMULI)
        go_live(study)


class Site(Website):
    """The real server with the two studies."""

    def set_up(self) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.timing", "--prepare"]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True)


def participant(driver: Driver, url: str, slug: str, left: int, run: Run) -> int:
    """One participant of ours; returns how many trials were answered."""
    sent: dict[str, float] = {}

    def keep(request: Any) -> None:
        if request.url.endswith("/responses"):
            payload = json.loads(request.post_data)
            sent.setdefault(payload["token"], payload["rt_ms"])

    page = driver.page
    page.on("request", keep)
    page.goto(f"{url}/s/{slug}/")
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.click("form button")
    page.wait_for_url("**/p/**")
    driver.seen, real, ended = 0, [], None
    for number in range(min(left, PAIRS * (4 if slug == "timing" else 1))):
        if number % PAIRS == 0:
            page.locator("#start").wait_for()
            page.click("#start")
            ended = None
        shown, pressed, _clicked = driver.answer("#left")
        real.append(pressed - shown)
        if ended is not None and slug == "timing":  # a limited exposure has a fixation mark before
            run.waits.append(shown - ended)
        ended = pressed
        if slug == "glance":
            run.exposures.append(driver.read("probe.masked.at(-1)") - shown)
    deadline = time.monotonic() + 30
    while len(sent) < len(real) and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    page.remove_listener("request", keep)
    run.errors += [rt - truth for rt, truth in zip(sent.values(), real, strict=True)]
    return len(real)


def ours(driver: Driver, url: str, trials: int, run: Run) -> None:
    """As many participants as it takes, and one with limited exposures."""
    answered = 0
    while answered < trials:
        answered += participant(driver, url, "timing", trials - answered, run)
    run.frame_ms = driver.frame_ms
    participant(driver, url, "glance", PAIRS, run)


# --- jsPsych -------------------------------------------------------------------------------------

JSPSYCH_PAGE = """<!doctype html><meta charset="utf-8"><title>jsPsych</title>
<link rel="stylesheet" href="node_modules/jspsych/css/jspsych.css">
<script src="node_modules/jspsych/dist/index.browser.js"></script>
<script src="node_modules/@jspsych/plugin-html-button-response/dist/index.browser.js"></script>
<style>.jspsych-btn img { width: 640px; height: 480px; }</style><body><script>
const images = IMAGES, trials = TRIALS;
window.recorded = [];
const jsPsych = initJsPsych({ on_trial_finish: (data) => recorded.push(data.rt) });
const timeline = Array.from({ length: trials }, (_, i) => ({
  type: jsPsychHtmlButtonResponse,
  stimulus: "<p>Which do you like?</p>",
  choices: [images[(2 * i) % images.length], images[(2 * i + 1) % images.length]],
  button_html: (url) => `<button class="jspsych-btn"><img src="${url}" decoding="sync"></button>`,
}));
const load = (url) => Object.assign(new Image(), { src: url }).decode();
Promise.all(images.map(load)).then(() => jsPsych.run(timeline));
</script>"""


def jspsych_folder(folder: Path, trials: int) -> Path:
    """jsPsych from npm with the same pictures."""
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run([*command, *PACKAGES], cwd=folder, check=True)
    names = [path.name for path in sorted(STIMULI.glob("*.jpg"))]
    for name in names:
        shutil.copy(STIMULI / name, folder / name)
    page = JSPSYCH_PAGE.replace("IMAGES", json.dumps(names)).replace("TRIALS", str(trials))
    (folder / "index.html").write_text(page, encoding="utf-8")
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


def theirs(driver: Driver, url: str, trials: int, run: Run) -> None:
    """The same number of trials with jsPsych."""
    driver.page.goto(url)
    driver.seen, real, ended = 0, [], None
    for _ in range(trials):
        shown, _pressed, clicked = driver.answer(".jspsych-btn")
        real.append(clicked - shown)
        if ended is not None:
            run.waits.append(shown - ended)
        ended = clicked
    driver.wait_until(f"recorded.length >= {trials}")
    recorded = driver.read("recorded")
    run.errors = [rt - truth for rt, truth in zip(recorded, real, strict=True)]
    run.frame_ms = driver.frame_ms


# --- the table -----------------------------------------------------------------------------------


def measure(options: argparse.Namespace, folder: Path) -> Iterator[tuple[str, int, Run]]:
    site = Site(folder)
    site.set_up()
    site.start()
    npm = folder / "jspsych"
    npm.mkdir()
    handler = partial(Quiet, directory=str(jspsych_folder(npm, options.trials)))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    addresses = {"Honmono": site.url, "jsPsych": f"http://127.0.0.1:{server.server_port}/"}
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=get_browser(), args=FLAGS)
            for latency in options.latency:
                for name, take in (("Honmono", ours), ("jsPsych", theirs)):
                    context = browser.new_context(viewport={"width": 1440, "height": 900})
                    context.add_init_script(path=PROBE)
                    rng = random.Random(options.seed)
                    driver = Driver(context.new_page(), latency, options.longest, rng)
                    take(driver, addresses[name], options.trials, run := Run())
                    context.close()
                    yield name, latency, run
            browser.close()
    finally:
        site.stop()
        server.shutdown()


def row(name: str, latency: int, run: Run) -> str:
    errors = [abs(error) for error in run.errors]
    frames = [abs(shown - EXPOSURE_MS) / run.frame_ms for shown in run.exposures]
    exposure = f"{median(frames):.2f}, {at(frames, 0.99):.2f}" if frames else "not measured"
    cells = [
        name,
        f"{latency} ms",
        str(len(errors)),
        f"{median(run.errors):+.1f} ms",
        f"{median(errors):.1f} ms",
        f"{at(errors, 0.99):.1f} ms",
        f"{at(run.waits, 0.95):.0f} ms",
        exposure,
        f"{run.frame_ms:.1f} ms",
    ]
    return "| " + " | ".join(cells) + " |"


HEAD = (
    "| | latency | trials | median error | median of its size | p99 of its size "
    "| next pair after (p95) | exposure error in frames (median, p99) | frame |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the timing; see the module's text.")
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--longest", type=float, default=3000, help="longest delay in ms")
    parser.add_argument("--latency", type=int, nargs="+", default=[0, 50, 200])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare:
        prepare()
        return
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}; headless Chromium\n")
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for measured in measure(options, Path(folder)):
            print(row(*measured), flush=True)


if __name__ == "__main__":
    main()
