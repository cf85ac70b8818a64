"""A grid's page: what it shows a reader, of a whole grid or of parts."""

import re
import shutil
from pathlib import Path

import pytest

from tests.tools.scale.sample import Deployer, make
from tools.results import BadResultsError
from tools.scale.page import render
from tools.scale.results import read_cells


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("grid"))


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return render(folder)


def test_it_opens_with_the_answer(page: str) -> None:
    (answer,) = re.findall(r'<h1 id="answer">(.*?)</h1>', page)
    assert "in all and p99 &lt;= 100" in answer
    assert "for cpu-bound coroutines as" in answer


def test_it_loads_nothing_from_anywhere(page: str) -> None:
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', page) == []


def test_every_cell_that_was_searched_has_its_row(folder: Path, page: str) -> None:
    assert len(re.findall(r'<tr class="family-', page)) == len(read_cells(folder).searched)


def test_every_plot_of_each_plan_has_its_place(page: str) -> None:
    plots = re.findall(r'<figure id="([^"]*)"', page)
    assert plots == [f"{kind}-{plan}" for plan in ("cpu-bound", "io-bound") for kind in ("map", "shapes", "speedup")]


def test_what_was_left_out_is_said_once_for_each_reason(page: str) -> None:
    assert page.count("Left out: ") == len({"needs 3 CPUs", "needs 4 CPUs"})


def test_what_failed_is_missing_and_said_to_be(tmp_path: Path) -> None:
    page = render(make(tmp_path, deployer=Deployer(lambda cell: 0 if cell.model == "coroutines" else 300)))
    assert "cpu-bound: coroutines as 1 x 0.25: failed: no image." in page


def test_a_grid_without_a_finished_cell_still_has_a_page(tmp_path: Path) -> None:
    make(tmp_path, deployer=Deployer(lambda _: 0))
    assert "Nothing has been measured yet" in render(tmp_path)


def test_a_folder_that_cannot_be_shown_is_one_line(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy/experiment.yaml").write_text("title: [")
    with pytest.raises(BadResultsError, match="not YAML"):
        render(tmp_path / "copy")
