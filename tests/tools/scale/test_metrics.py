"""The figures of a cell."""

import dataclasses

import pytest

from tests.tools.scale.sample import trial
from tools.scale.cells import Cell, SearchedCell, Try
from tools.scale.metrics import held_back_otherwise, middle_rps, throttled_share, used_share
from tools.scale.search import SearchResult

CELL = Cell("cpu", "reactor", "", 2, 0.5)


def searched(rate_rps: float, capacity_rps: float) -> SearchedCell:
    one = trial(CELL, rate_rps, capacity_rps)
    return SearchedCell(CELL, SearchResult(100, rate_rps, 2), (Try(rate_rps, "p99 900 ms", one),), "made up")


def test_the_middle_of_an_interval_is_as_far_from_both_ends_in_proportion() -> None:
    assert middle_rps(searched(400, 200)) == pytest.approx(200)


def test_cpu_time_counts_against_the_limits_of_all_replicas() -> None:
    one = trial(CELL, 100, 200)
    assert used_share(searched(400, 200), one) == pytest.approx(0.5)
    assert throttled_share(one) == 0
    assert throttled_share(trial(CELL, 300, 200)) == 1


def test_cpu_time_of_calls_outside_of_the_window_does_not_count() -> None:
    one = trial(CELL, 100, 200)
    with_warm_up = dataclasses.replace(one, counted=2 * one.result["got"]["answered"])
    assert used_share(searched(400, 200), with_warm_up) == pytest.approx(0.25)


def test_a_miss_with_cpu_to_spare_is_not_put_down_to_the_limit() -> None:
    assert not held_back_otherwise(searched(400, 200))
    assert held_back_otherwise(searched(400, 800))


def test_without_a_quota_nothing_is_throttled() -> None:
    one = trial(CELL, 300, 200)
    one.after.ClearField("throttling")
    assert throttled_share(one) is None
