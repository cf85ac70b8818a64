"""The report in a real browser: it draws, it fits, and it complains of nothing."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.tools import sample
from tests.tools.scale import sample as grid_sample
from tools import report
from tools.results import TrialId, trial_path, write_trial
from tools.scale import page

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --no-first-run --disable-quic"
)
WIDTHS = (1280, 400)
HEIGHT = 800

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no chromium and chromedriver on PATH (Debian: chromium, chromium-driver)"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = Options()
    options.binary_location = str(CHROMIUM)
    for flag in [*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # With a path given, Selenium looks for no driver to download.
    browser = webdriver.Chrome(options=options, service=Service(executable_path=DRIVER))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report.write(sample.make(tmp_path_factory.mktemp("whole")))


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model, one trial, no call answered, no trace, no environment."""
    folder = tmp_path_factory.mktemp("sparse")
    none = {"planned": 5, "ok": 0, "by_status": {"UNAVAILABLE": 5}, "timed_out": 0, "not_sent": 0, "unfinished": 0}
    got = {"connections": 10, "duration_s": 4.0, "answered": 0, "rate_rps": 0}
    trial = sample.trial("reactor", 10, calls=none, got=got, latency_ns=sample.distribution([]), traces=[])
    write_trial(folder, trial)
    return report.write(folder)


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page.write(grid_sample.make(tmp_path_factory.mktemp("grid")))


def show(browser: webdriver.Chrome, page: Path, width: int) -> None:
    """Opens the page with a viewport of that width in CSS pixels and waits until its plots are drawn."""
    metrics = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(page.as_uri())
    WebDriverWait(browser, 20).until(
        lambda _: browser.execute_script(
            "return [...document.querySelectorAll('.plot')].every(plot => plot.querySelector('.main-svg'))"
        )
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("shown", ["whole", "sparse", "grid"])
def test_the_page_fits_its_window_and_the_console_is_silent(
    browser: webdriver.Chrome, shown: str, width: int, request: pytest.FixtureRequest
) -> None:
    show(browser, request.getfixturevalue(shown), width)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return innerWidth") == width
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return document.body.scrollWidth") <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_the_answer_is_read_without_scrolling(browser: webdriver.Chrome, whole: Path, width: int) -> None:
    show(browser, whole, width)
    box = browser.find_element(By.ID, "answer").rect
    assert box["width"] > 0
    assert box["y"] + box["height"] < HEIGHT


@pytest.mark.parametrize("width", WIDTHS)
def test_every_plot_is_drawn_with_a_line_for_every_model(browser: webdriver.Chrome, whole: Path, width: int) -> None:
    show(browser, whole, width)
    plots = browser.find_elements(By.CLASS_NAME, "plot")
    assert len(plots) == 6
    for plot in plots:
        lines = plot.find_elements(By.CSS_SELECTOR, ".scatterlayer .trace .js-line")
        assert len(lines) == len(sample.MODELS)
        assert 0 < plot.size["width"] <= width


def test_a_percentile_is_chosen_and_a_model_is_hidden_with_a_click(browser: webdriver.Chrome, whole: Path) -> None:
    show(browser, whole, 1280)
    lines = "return [...document.querySelectorAll('#latency .js-line')].map(line => line.getAttribute('d'))"
    before = browser.execute_script(lines)
    browser.find_element(By.CSS_SELECTOR, "input[name=view-latency][value='0'] + span").click()
    assert browser.execute_script(lines) != before
    browser.find_element(By.CSS_SELECTOR, ".legend label").click()
    assert len(browser.execute_script(lines)) == len(sample.MODELS) - 1


def test_no_button_sends_the_results_away(browser: webdriver.Chrome, whole: Path) -> None:
    show(browser, whole, 1280)
    buttons = browser.find_elements(By.CSS_SELECTOR, "#latency .modebar-btn")
    assert {button.get_dom_attribute("data-title") for button in buttons} == {"Download plot as a PNG", "Reset axes"}


def test_a_missing_trial_breaks_no_plot(browser: webdriver.Chrome, tmp_path: Path) -> None:
    folder = sample.make(tmp_path, models=["reactor", "coroutines"], counts=[1, 10, 100])
    trial_path(folder, TrialId("reactor", "10")).unlink()
    show(browser, report.write(folder), 1280)
    assert browser.get_log("browser") == []
    assert len(browser.find_elements(By.CSS_SELECTOR, "#throughput .points path")) == 5


def test_a_grid_shows_a_number_in_each_field_and_another_model_with_a_click(
    browser: webdriver.Chrome, grid: Path
) -> None:
    show(browser, grid, 1280)
    numbers = "return [...document.querySelectorAll('#map-cpu-bound .heatmaplayer text')].map(text => text.textContent)"
    first = browser.execute_script(numbers)
    assert len([number for number in first if number]) == 12
    browser.find_element(By.CSS_SELECTOR, "input[name=view-map-cpu-bound][value='1'] + span").click()
    assert browser.execute_script(numbers) != first


def test_a_grids_fit_is_drawn_and_told_beside_the_plot_or_its_refusal_is(browser: webdriver.Chrome, grid: Path) -> None:
    show(browser, grid, 1280)
    notes = browser.find_element(By.ID, "notes-speedup-cpu-bound")
    assert "sigma 0.1" in notes.text
    browser.find_element(By.XPATH, "//input[@name='view-speedup-cpu-bound']/../span[.='1 x N CPUs']").click()
    assert "no law fitted: 3 different N" in notes.text
