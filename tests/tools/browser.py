"""A real browser for the tests of pages."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --no-first-run --disable-quic"
)
WIDTHS = (1280, 400)
HEIGHT = 800
NEEDED = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on PATH (Debian: chromium, chromium-driver)"
)
OVERLAPPING = """
const texts = [...document.querySelectorAll(arguments[0])];
const boxes = texts.map(text => [text.textContent, text.getBoundingClientRect()]);
return boxes.flatMap(([name, one], index) => boxes.slice(index + 1).filter(([_, other]) =>
  one.width && other.width && one.left < other.right && other.left < one.right &&
  one.top + 2 < other.bottom && other.top + 2 < one.bottom).map(([other]) => `${name} and ${other}`));
"""
"""Which texts that match a selector lie on one another."""


@contextmanager
def opened(profile: Path) -> Iterator[webdriver.Chrome]:
    """`profile`: a folder of its own."""
    options = Options()
    options.binary_location = str(CHROMIUM)
    for flag in [*FLAGS.split(), f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # With a path given, Selenium looks for no driver to download.
    browser = webdriver.Chrome(options=options, service=Service(executable_path=DRIVER))
    yield browser
    browser.quit()


def show(browser: webdriver.Chrome, page: Path, width: int) -> None:
    """Opens the page with a viewport of that width in CSS pixels."""
    metrics = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(page.as_uri())


def assert_it_fits(browser: webdriver.Chrome, page: Path, width: int) -> None:
    """Opens the page: it is no wider than its window, and the console is empty."""
    show(browser, page, width)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return innerWidth") == width
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return document.body.scrollWidth") <= width
