"""A real browser and a real server for the tests of this folder."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.end_to_end.visitor import Visitor
from tests.end_to_end.website import Website

INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
HOW_TO_GET_ONE = (
    "The browser tests need Chromium or Google Chrome, and none could be had. Install one "
    "(Debian: apt-get install chromium; elsewhere: uv run playwright install chromium)."
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
]

# Read before the page's own scripts run, so that nothing is missed.
WATCH_POLICY = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`));"""


def installed_browser() -> str | None:
    """The path of a browser that is there already."""
    return next((path for name in INSTALLED if (path := shutil.which(name))), None)


def get_browser() -> str | None:
    """The path of a browser, fetched if need be; None means Playwright's own."""
    if path := installed_browser():
        return path
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update"], check=False)
        subprocess.run(["apt-get", "install", "-y", "chromium"], check=False)
        if path := installed_browser():
            return path
    fetched = subprocess.run(["playwright", "install", "chromium"], check=False)
    if fetched.returncode != 0:
        pytest.fail(HOW_TO_GET_ONE)
    return None


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium. It ends with this package, because its event loop upsets Django."""
    path = get_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def website(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Website]:
    """A server with the studies of the tests; they are made once for all processes of the run."""
    website = Website(tmp_path_factory.mktemp("website"))
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run:
        website.set_up_once(tmp_path_factory.getbasetemp().parent / f"website-{run}")
    else:
        website.set_up()
    website.start()
    yield website
    website.stop()


@pytest.fixture
def faults() -> list[str]:
    """What the browser complained about: scripts that failed, the content security policy."""
    return []


@pytest.fixture
def visit(
    browser: Browser, website: Website, faults: list[str]
) -> Iterator[Callable[..., Visitor]]:
    """Open a browser for a visitor: `visit(1440, 900)`, `visit(390, 844, touch=True)`, ..."""
    contexts = []

    def listen(page: Page) -> None:
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda message: faults.append(message.text) if "olicy" in message.text else None,
        )

    def open_browser(
        width: int = 1440, height: int = 900, language: str = "en", touch: bool = False, **more
    ) -> Visitor:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            locale={"en": "en-GB", "ja": "ja-JP"}[language],
            has_touch=touch,
            is_mobile=touch,
            **more,
        )
        context.set_default_timeout(60_000)  # many processes may share the machine
        context.add_init_script(WATCH_POLICY)
        context.on("page", listen)
        contexts.append(context)
        return Visitor(context, website.url, touch=touch)

    yield open_browser
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def screenshots() -> Path | None:
    """Where to put pictures of the pages, if somebody wants to look at them."""
    folder = os.environ.get("SCREENSHOTS")
    return Path(folder) if folder else None
