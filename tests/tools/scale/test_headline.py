"""The answer in words: what it compares, and when it does not choose."""

from pathlib import Path

import pytest

from tests.tools.scale.sample import asked, trial
from tools.scale.cells import Cell, SearchedCell, Try
from tools.scale.headline import answer, compared_at, leaders, ranking
from tools.scale.search import SearchResult

TEXT = """
title: Which?
connections: [8]
scale: {plans: {cpu: {}, io: {}}, replicas: [1, 2, 4], cpus: [0.25, 0.5, 1], objective: {p99_ms: 50}}
"""


def searched(
    met: float | None, missed: float | None, *, model: str = "reactor", shape: str = "1x1", plan: str = "cpu"
) -> SearchedCell:
    replicas, cpus = shape.split("x")
    cell = Cell(plan, model, "", int(replicas), float(cpus))
    return SearchedCell(cell, SearchResult(met, missed, 5), (Try(met or 1, "", trial(cell, met or 1, 1e6)),), "made up")


ONE = searched(1000, 1100)


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ([], "Nothing has been measured yet, so there is no answer."),
        ([ONE], "With 1 CPU in all and p99 <= 50 ms and 99.9 % OK: for cpu reactor as 1 x 1 serves most, "
                "1,000 to 1,100 calls/s."),
        ([ONE, searched(500, 550, model="coroutines", shape="2x0.5")],
         "reactor as 1 x 1 serves most, 1,000 to 1,100 calls/s, before coroutines as 2 x 0.5 (500 to 550 calls/s)."),
        ([ONE, searched(1050, 1150, shape="4x0.25")],
         "for cpu all 2 shapes overlap, so no shape is the best (1,050 to 1,150 calls/s)."),
        ([ONE, searched(1050, 1150, shape="4x0.25"), searched(10, 20, shape="2x0.5")],
         "for cpu reactor as 4 x 0.25 or 1 x 1 overlap as the best (1,050 to 1,150 calls/s), "
         "before reactor as 2 x 0.5 (10 to 20 calls/s)."),
        ([ONE, searched(800, None, shape="2x0.5")], "all 2 shapes overlap"),
        ([searched(800, None)], "serves most, 800 or more calls/s."),
        ([searched(None, 50)], "for cpu no shape of any model met the objective at any rate tried."),
        ([ONE, searched(700, 800, plan="io")], "1,100 calls/s; for io reactor as 1 x 1 serves most, 700 to"),
    ],
    ids=["nothing", "one", "two apart", "two that overlap", "two of three", "no upper end", "an open end", "none",
         "two plans"],
)  # fmt: skip
def test_the_answer_names_what_serves_most_and_what_it_cannot_distinguish(
    tmp_path: Path, grid: list[SearchedCell], said: str
) -> None:
    text = answer(grid, asked(tmp_path, TEXT))
    assert said in text
    assert "\n" not in text


def test_only_shapes_of_one_size_are_compared_the_one_that_most_were_measured_at() -> None:
    grid = [ONE, searched(900, 1000, shape="2x0.5"), searched(500, 600, shape="1x0.5")]
    assert compared_at(grid) == 1
    assert [one.cell.shape for one in ranking(grid, "cpu", total_cpus=1)] == ["1 x 1", "2 x 0.5"]


def test_intervals_that_touch_overlap() -> None:
    ranked = [ONE, searched(900, 1000, shape="2x0.5"), searched(890, 999, shape="4x0.25")]
    assert leaders(ranked) == ranked[:2]
