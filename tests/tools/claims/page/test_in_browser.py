"""The page of claims in a real browser: it fits, its labels are apart, and it complains of nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.tools.browser import HEIGHT, NEEDED, OVERLAPPING, WIDTHS, assert_it_fits, opened, show
from tests.tools.claims.page import run
from tools.claims import page

pytestmark = NEEDED


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with opened(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page.write(run.make(tmp_path_factory.mktemp("whole")))


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_its_window_and_the_console_is_silent(browser: webdriver.Chrome, whole: Path, width: int) -> None:
    assert_it_fits(browser, whole, width)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_answer_and_the_first_claim_are_read_without_scrolling(
    browser: webdriver.Chrome, whole: Path, width: int
) -> None:
    show(browser, whole, width)
    for shown in (browser.find_element(By.ID, "answer"), browser.find_element(By.CSS_SELECTOR, ".forest .value b")):
        assert shown.rect["width"] > 0
        assert shown.rect["y"] + shown.rect["height"] < HEIGHT


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", [".tick", ".curves .label text"])
def test_no_label_overlaps_another(browser: webdriver.Chrome, whole: Path, width: int, kind: str) -> None:
    show(browser, whole, width)
    assert browser.execute_script(OVERLAPPING, kind) == []


def test_a_verdict_beside_a_note_leads_to_its_card(browser: webdriver.Chrome, whole: Path) -> None:
    show(browser, whole, 1280)
    browser.find_element(By.CSS_SELECTOR, "#L37 .verdicts a").click()
    top = browser.find_element(By.ID, "C12").rect["y"] - browser.execute_script("return scrollY")
    assert 0 <= top < HEIGHT
