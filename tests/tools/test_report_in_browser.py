"""The report in a real browser: it draws, it fits, and it complains of nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.tools import sample
from tests.tools.browser import HEIGHT, NEEDED, OVERLAPPING, WIDTHS, assert_it_fits, opened, show
from tests.tools.scale import sample as grid_sample
from tools import report
from tools.commands.page import write_page
from tools.experiment import Load
from tools.families import FAMILIES
from tools.results import write_trial

pytestmark = NEEDED


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with opened(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report.write(sample.make(tmp_path_factory.mktemp("whole"), rounds=3))


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every model, and many lines that end at the same value."""
    models = [model for family in FAMILIES.values() for model in family]
    return report.write(sample.make(tmp_path_factory.mktemp("crowded"), models=models))


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
def axes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two axes, two kinds of calls, streams, a deadline, an unfair model."""
    load = Load(connections=(10, 100), rate_rps=(100.0, 200.0, 300.0, 1000.0))
    return report.write(sample.make_mixed(tmp_path_factory.mktemp("axes"), load))


@pytest.fixture(scope="module")
def point(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One point only."""
    return report.write(sample.make_mixed(tmp_path_factory.mktemp("point"), Load(connections=(10,), streams=(1,))))


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(grid_sample.make(tmp_path_factory.mktemp("grid")))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("shown", ["whole", "crowded", "sparse", "axes", "point", "grid"])
def test_the_page_fits_its_window_and_the_console_is_silent(
    browser: webdriver.Chrome, shown: str, width: int, request: pytest.FixtureRequest
) -> None:
    assert_it_fits(browser, request.getfixturevalue(shown), width)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_answer_is_read_without_scrolling(browser: webdriver.Chrome, whole: Path, width: int) -> None:
    show(browser, whole, width)
    box = browser.find_element(By.ID, "answer").rect
    assert box["width"] > 0
    assert box["y"] + box["height"] < HEIGHT


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", [".curves .label text", ".tick"])
@pytest.mark.parametrize("shown", ["whole", "crowded", "axes", "point", "grid"])
def test_no_label_overlaps_another(
    browser: webdriver.Chrome, shown: str, width: int, kind: str, request: pytest.FixtureRequest
) -> None:
    show(browser, request.getfixturevalue(shown), width)
    assert browser.execute_script(OVERLAPPING, kind) == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("shown", ["crowded", "grid"])
def test_labels_end_inside_their_figure(
    browser: webdriver.Chrome, shown: str, width: int, request: pytest.FixtureRequest
) -> None:
    show(browser, request.getfixturevalue(shown), width)
    outside = browser.execute_script("""
        return [...document.querySelectorAll(".curves .label text")].filter(text =>
          text.getBoundingClientRect().right > text.closest("figure").getBoundingClientRect().right
        ).map(text => text.textContent);
    """)
    assert outside == []


def highlighted(browser: webdriver.Chrome, figure: str) -> set[str]:
    """Lines that are not grey."""
    names: list[str] = browser.execute_script(f"""
        const grey = getComputedStyle(document.documentElement).getPropertyValue("--faint").trim();
        return [...document.querySelectorAll("#{figure} .view:not([hidden]) .arm")].filter(arm =>
          getComputedStyle(arm).getPropertyValue("--model").trim() !== grey).map(arm => arm.dataset.arm);
    """)
    return set(names)


def test_the_leaders_are_highlighted_and_so_is_the_line_that_is_pointed_at(
    browser: webdriver.Chrome, whole: Path
) -> None:
    show(browser, whole, 1280)
    assert highlighted(browser, "throughput") == {"reactor"}
    label = browser.find_element(By.CSS_SELECTOR, "#throughput .view:not([hidden]) [data-arm=coroutines] .label text")
    ActionChains(browser).move_to_element(label).perform()
    assert highlighted(browser, "throughput") == {"reactor", "coroutines"}
    assert highlighted(browser, "cpu") == {"reactor", "coroutines"}
    number = browser.find_element(By.CSS_SELECTOR, "#throughput .view:not([hidden]) [data-arm=coroutines] .number")
    assert number.is_displayed()


def test_the_keyboard_selects_models_and_families(browser: webdriver.Chrome, whole: Path) -> None:
    show(browser, whole, 1280)
    browser.find_element(By.CSS_SELECTOR, ".legend input[value=reactor]").send_keys(Keys.SPACE)
    threads = browser.find_element(By.CSS_SELECTOR, ".legend .family-threads button")
    threads.send_keys(Keys.ENTER)
    assert highlighted(browser, "throughput") == {"thread_per_connection", "thread_pool"}
    threads.send_keys(Keys.ENTER)
    assert highlighted(browser, "throughput") == set(sample.MODELS)


def test_a_percentile_is_chosen_with_a_click(browser: webdriver.Chrome, whole: Path) -> None:
    show(browser, whole, 1280)
    shown = "return [...document.querySelectorAll('#latency .view:not([hidden]) svg')].map(svg => svg.ariaLabel)[0]"
    assert browser.execute_script(shown).startswith("Latency, p99,")
    browser.find_element(By.CSS_SELECTOR, "#latency .views label").click()
    assert browser.execute_script(shown).startswith("Latency, p50,")


def test_the_value_of_a_second_axis_is_chosen_for_all_curves_at_once(browser: webdriver.Chrome, axes: Path) -> None:
    show(browser, axes, 1280)
    shown = """
        return [...document.querySelectorAll(".curves")].filter(svg => svg.checkVisibility()).map(svg => svg.ariaLabel);
    """
    before = browser.execute_script(shown)
    assert before
    assert all(" at 10 conn" in label for label in before)
    browser.find_elements(By.CSS_SELECTOR, ".views label:has([name=at])")[1].click()
    after = browser.execute_script(shown)
    assert len(after) == len(before)
    assert all(" at 100 conn" in label for label in after)
    browser.find_element(By.CSS_SELECTOR, "#latency-at1 .views label").click()
    assert [label for label in browser.execute_script(shown) if label.startswith("Latency, p50 at 100 conn.")]


def test_a_grid_shows_a_number_in_each_field_and_another_model_with_a_click(
    browser: webdriver.Chrome, grid: Path
) -> None:
    show(browser, grid, 1280)
    fields = "#map-cpu-bound .view:not([hidden]) tbody td"
    first = [field.text for field in browser.find_elements(By.CSS_SELECTOR, fields)]
    assert len([number for number in first if number]) == 12
    browser.find_element(By.CSS_SELECTOR, "#map-cpu-bound .views label:last-child").click()
    assert [field.text for field in browser.find_elements(By.CSS_SELECTOR, fields)] != first


def test_a_grids_fit_is_described_below_the_plot_or_its_refusal_is(browser: webdriver.Chrome, grid: Path) -> None:
    show(browser, grid, 1280)
    notes = "#speedup-cpu-bound .view:not([hidden]) .fits"
    assert "sigma 0.1" in browser.find_element(By.CSS_SELECTOR, notes).text
    browser.find_element(By.XPATH, "//input[@name='speedup-cpu-bound']/../span[.='1 x N CPUs']").click()
    assert "no law fitted: 3 different N" in browser.find_element(By.CSS_SELECTOR, notes).text
