"""The notices of a grid that did not find the rate above which a cell does not serve."""

from dataclasses import replace

import pytest

from tests.tools.scale.sample import trial
from tools.scale.cells import Cell, SearchedCell, Try
from tools.scale.notices import notices
from tools.scale.results import StoredCells
from tools.scale.search import SearchResult

CELL = Cell("cpu", "reactor", "", 1, 1.0)


@pytest.mark.parametrize(
    ("misses", "said"),
    [
        (["", ""], "missed at no rate that was tried: the rate it can serve may be higher."),
        (["", "p99 900 ms"], "no miss was confirmed: the rate it can serve may be higher."),
    ],
    ids=["never missed", "missed once, with no trial left"],
)
def test_an_open_end_is_told_as_it_came_to_be(misses: list[str], said: str) -> None:
    tries = tuple(Try(100.0 * number, why, trial(CELL, 100.0 * number, 1e6)) for number, why in enumerate(misses, 1))
    one = SearchedCell(CELL, SearchResult(100.0, None, len(tries)), tries, "made up")
    assert notices(StoredCells((one,), (), ()), [CELL]) == [f"cpu: reactor as 1 x 1: {said}"]


def test_a_search_on_a_busy_machine_says_so() -> None:
    tries = tuple(
        Try(rate_rps, "p99 900 ms" if taken else "", replace(trial(CELL, rate_rps, 1e6), others_share=taken))
        for rate_rps, taken in ((100.0, 0.0), (200.0, 0.3), (150.0, 0.2))
    )
    said = notices(StoredCells((SearchedCell(CELL, SearchResult(100.0, 150.0, 3), tries, "made up"),), (), ()), [CELL])
    assert (
        "cpu: reactor as 1 x 1: in 2 of 3 trials the machine was busy: other processes took 30 % of the service's CPU "
        "at worst: repeat it."
    ) in said
