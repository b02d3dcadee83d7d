"""How exact the recorded times are, and how fast the next pair is there. Run by hand:

    uv run python -m tests.benchmarks.timing                 (500 trials at 0, 50 and 200 ms)
    uv run python -m tests.benchmarks.timing --trials 60 --longest 1000

On a machine that has other work, give it real-time priority: `sudo chrt -r 1 ...`.

A synthetic participant presses the mouse through Chromium's debugging protocol at random delays
after the paint. `probe.js` measures from outside when the pictures were really displayed, and takes
the press from the browser's own time stamp; the difference is what the recorded time is held
against. Both are what the browser knows: neither the display nor the mouse is measured by a device.
At the same time, in a browser of its own, the same driver runs jsPsych 8 from npm with its
image-button-response plugin (pictures loaded beforehand, nothing sent to a server), so both stand
in one table and meet the same conditions. The plugin ends a trial at the click and not at the
press, so its times are held against the click.
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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
PACKAGES = ("jspsych@8", "@jspsych/plugin-image-button-response@2")
PAIRS, BLOCKS = 16, 4
SHORTEST_MS = 300
EXPOSURE_MS, LONGEST_AFTER_EXPOSURE_MS = 200, 1000


@dataclass
class Run:
    """What was measured in one condition, in ms."""

    errors: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)  # from the click to the next pictures
    exposures: list[float] = field(default_factory=list)
    frame_ms: float = 0.0


def at(values: list[float], share: float) -> float:
    """A percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Driver:
    """Answers the trials of one page, whoever made it."""

    def __init__(self, page: Page, latency_ms: int, rng: random.Random) -> None:
        self.page, self.rng = page, rng
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

    def answer(self, selector: str, longest_ms: float) -> tuple[float, float, float]:
        """Wait for a stimulus and a random while, then press: (displayed, pressed, clicked)."""
        self.wait_until(f"probe.shown.length > {self.seen}")
        shown = self.read(f"probe.shown[{self.seen}]")
        self.seen += 1
        due = self.rng.uniform(SHORTEST_MS, longest_ms)
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
    """Four blocks on the same pairs without a limit, and four with a limited exposure."""
    words = instructions("## Which do you like?", "## どちらが好きですか")
    plain = {"task": "prefer_pair", "trials": PAIRS, "texts": words}

    def study(slug: str, **more: Any) -> Study:
        kinds = [{"key": f"block{i}", "question": f"liking{i}"} for i in range(BLOCKS)]
        blocks = tuple(Block(**kind, **plain, **more) for kind in kinds)
        wording = texts("Timing", "計測")
        return Study(
            slug=slug, languages=LANGUAGES, texts=wording, share_stimuli=True, blocks=blocks
        )

    return study("timing"), study("glance", exposures_ms=(EXPOSURE_MS,))


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


def participant(driver: Driver, url: str, slug: str, trials: int, longest_ms: float) -> "Walk":
    """One participant of ours, who leaves before the last trial: the page goes on after it."""
    walk, page = Walk(), driver.page

    def keep(request: Any) -> None:
        if request.url.endswith("/responses"):
            payload = json.loads(request.post_data)
            walk.sent.setdefault(payload["token"], payload["rt_ms"])

    page.on("request", keep)
    page.goto(f"{url}/s/{slug}/")
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.click("form button")
    page.wait_for_url("**/p/**")
    driver.seen = 0
    for number in range(trials):
        if number % PAIRS == 0:
            page.locator("#start").wait_for()
            page.click("#start")
        walk.seen.append(driver.answer("#left", longest_ms))
    deadline = time.monotonic() + 30
    while len(walk.sent) < trials and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    page.remove_listener("request", keep)
    walk.masked = driver.read("probe.masked")
    return walk


@dataclass
class Walk:
    """What one participant did: the times that were sent, and what was seen from outside."""

    sent: dict[str, float] = field(default_factory=dict)
    seen: list[tuple[float, float, float]] = field(default_factory=list)
    masked: list[float] = field(default_factory=list)


def ours(driver: Driver, url: str, trials: int, longest_ms: float) -> Run:
    """As many participants as it takes, and one with limited exposures."""
    run = Run()
    while (left := trials - len(run.errors)) > 0:
        walk = participant(driver, url, "timing", min(left, PAIRS * BLOCKS - 1), longest_ms)
        recorded = zip(walk.sent.values(), walk.seen, strict=True)
        run.errors += [rt - (pressed - shown) for rt, (shown, pressed, _clicked) in recorded]
        after = zip(walk.seen, walk.seen[1:], strict=False)
        run.waits += [
            later[0] - earlier[2]
            for number, (earlier, later) in enumerate(after, 1)
            if number % PAIRS  # the instructions of a block are not a wait
        ]
    run.frame_ms = driver.frame_ms
    glances = min(trials, PAIRS * BLOCKS - 1)
    walk = participant(driver, url, "glance", glances, LONGEST_AFTER_EXPOSURE_MS)
    run.exposures = exposures(walk.masked, walk.seen)
    return run


def exposures(ends: list[float], seen: list[tuple[float, float, float]]) -> list[float]:
    """How long each stimulus was there."""
    return [end - shown for end, (shown, _pressed, _clicked) in zip(ends, seen, strict=True)]


# --- jsPsych -------------------------------------------------------------------------------------

JSPSYCH_PAGE = """<!doctype html><meta charset="utf-8"><title>jsPsych</title>
<link rel="stylesheet" href="node_modules/jspsych/css/jspsych.css">
<script src="node_modules/jspsych/dist/index.browser.js"></script>
<script src="node_modules/@jspsych/plugin-image-button-response/dist/index.browser.js"></script>
<body><script>
const images = IMAGES;
window.recorded = [];
const jsPsych = initJsPsych({ on_trial_finish: (data) => recorded.push(data.rt) });
const trials = (count, exposure) => Array.from({ length: count }, (_, i) => ({
  type: jsPsychImageButtonResponse,
  stimulus: images[i % images.length],
  stimulus_width: 640,
  stimulus_duration: exposure,
  choices: ["Photograph", "AI image"],
}));
const load = (url) => Object.assign(new Image(), { src: url }).decode();
const timeline = [...trials(TRIALS, null), ...trials(GLANCES, EXPOSURE)];
Promise.all(images.map(load)).then(() => jsPsych.run(timeline));
</script>"""


def jspsych_folder(folder: Path, trials: int) -> Path:
    """jsPsych from npm with the same pictures."""
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run([*command, *PACKAGES], cwd=folder, check=True)
    names = [path.name for path in sorted(STIMULI.glob("*.jpg"))]
    for name in names:
        shutil.copy(STIMULI / name, folder / name)
    glances = min(trials, PAIRS * BLOCKS - 1)
    page = JSPSYCH_PAGE.replace("IMAGES", json.dumps(names)).replace("TRIALS", str(trials))
    page = page.replace("GLANCES", str(glances)).replace("EXPOSURE", str(EXPOSURE_MS))
    (folder / "index.html").write_text(page, encoding="utf-8")
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


def theirs(driver: Driver, url: str, trials: int, longest_ms: float) -> Run:
    """The same number of trials with jsPsych."""
    driver.page.goto(url)
    glances, button = min(trials, PAIRS * BLOCKS - 1), ".jspsych-btn"
    seen = [driver.answer(button, longest_ms) for _ in range(trials)]
    run = Run(frame_ms=driver.frame_ms)
    glanced = [driver.answer(button, LONGEST_AFTER_EXPOSURE_MS) for _ in range(glances)]
    driver.wait_until(f"recorded.length >= {trials}")
    recorded = zip(driver.read(f"recorded.slice(0, {trials})"), seen, strict=True)
    run.errors = [rt - (clicked - shown) for rt, (shown, _pressed, clicked) in recorded]
    run.waits = [later[0] - earlier[2] for earlier, later in pairwise(seen)]
    run.exposures = exposures(driver.read("probe.masked"), glanced)
    return run


# --- the table -----------------------------------------------------------------------------------


Take = Callable[[Driver, str, int, float], Run]


def alone(take: Take, url: str, latency: int, options: argparse.Namespace) -> Run:
    """One condition in a browser of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=get_browser(), args=FLAGS)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_init_script(path=PROBE)
        driver = Driver(context.new_page(), latency, random.Random(options.seed))
        run = take(driver, url, options.trials, options.longest)
        browser.close()
        return run


def measure(options: argparse.Namespace, folder: Path) -> None:
    """Both at the same time, one latency after the other."""
    site = Site(folder)
    site.set_up()
    site.start()
    npm = folder / "jspsych"
    npm.mkdir()
    handler = partial(Quiet, directory=str(jspsych_folder(npm, options.trials)))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    both: dict[str, tuple[Take, str]] = {
        "Honmono": (ours, site.url),
        "jsPsych": (theirs, f"http://127.0.0.1:{server.server_port}/"),
    }
    try:
        for latency in options.latency:
            with ThreadPoolExecutor() as pool:
                running = {
                    name: pool.submit(alone, take, url, latency, options)
                    for name, (take, url) in both.items()
                }
            for name, run in running.items():
                print(row(name, latency, run.result()), flush=True)
    finally:
        site.stop()
        server.shutdown()


def chromium() -> str:
    path = get_browser()
    said = [path, "--version", "--no-sandbox"] if path else ["echo", "Playwright's Chromium"]
    return subprocess.run(said, capture_output=True, text=True, check=True).stdout.strip()


def row(name: str, latency: int, run: Run) -> str:
    errors = [abs(error) for error in run.errors]
    frames = [abs(shown - EXPOSURE_MS) / run.frame_ms for shown in run.exposures]
    exposure = f"{median(frames):.2f}, {at(frames, 0.99):.2f}, {max(frames):.2f}"
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
    "| next pair after (p95) | exposure error in frames (median, p99, worst) | frame |\n"
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
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}; {chromium()}, headless\n"
    )
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        measure(options, Path(folder))


if __name__ == "__main__":
    main()
