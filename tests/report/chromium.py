"""The report in headless Chromium as a reader uses it; skipped where there is no browser, but not in CI."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.report.world import World

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator:
    if not (CHROMIUM and DRIVER):
        reason = "no chromium and chromedriver on PATH (Debian: apt-get install chromium chromium-driver)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from selenium import webdriver  # noqa: PLC0415 - only where there is a browser

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


class Page:
    """The report as a reader uses it."""

    def __init__(self, browser, report: Path) -> None:
        self.browser = browser
        self.url = report.as_uri()

    def open(self, fragment: str = "") -> "Page":
        self.browser.get("about:blank")
        self.browser.get(self.url + fragment)
        self.until("return document.body.dataset.ready === location.hash")
        return self

    def run(self, script: str, *arguments):
        return self.browser.execute_script(script, *arguments)

    def until(self, script: str):
        return self.wait(lambda: self.run(script))

    def wait(self, happened: Callable[[], object]):
        """What `happened` returns once that is true."""
        from selenium.webdriver.support.ui import WebDriverWait  # noqa: PLC0415

        return WebDriverWait(self.browser, 15, poll_frequency=0.02).until(lambda _: happened())

    def go(self, fragment: str) -> None:
        self.run("location.hash = arguments[0]", fragment)
        self.until("return document.body.dataset.ready === location.hash")

    def count(self) -> int:
        return int(self.run("return document.getElementById('count').textContent").split()[0])

    def press(self, key: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains  # noqa: PLC0415

        ActionChains(self.browser).send_keys(key).perform()

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.browser.get_log("browser")]


@pytest.fixture
def page(browser, world: "World") -> Page:
    browser.get_log("browser")
    return Page(browser, world.report)
