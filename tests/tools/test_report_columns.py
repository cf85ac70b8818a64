"""A table has a column where at least one model needs it."""

from typing import Any

import pytest

from tests.tools import sample
from tools.report.table import COLUMNS, rows, shown
from tools.results import Trial
from tools.standings import standings

ALIKE = sample.clients(10, 10, 4000)
UNFAIR = {**ALIKE, "jain": 0.72, "longest_wait_ns": 2 * 10**9}
STREAM = {
    "messages": 2000,
    "first_message_ns": sample.distribution([3_000_000] * 1000),
    "gap_ns": sample.distribution([500_000] * 1000),
}


def of(*, got: dict[str, Any] | None = None, **changes: Any) -> Trial:
    return sample.trial("reactor", 10, got=got or {}, **changes)


@pytest.mark.parametrize(
    ("trial", "cells"),
    [
        (of(), {}),
        (of(clients=ALIKE, got={"within_deadline": None}, stream=None), {}),
        (of(clients=sample.clients(10, 4, 4000)), {"clients": "4 of 10", "jain": "0.4", "wait": "4 s"}),
        (of(clients=UNFAIR), {"jain": "0.72", "wait": "2 s"}),
        (of(got={"within_deadline": 400}), {"goodput": "100"}),
        (of(got={"within_deadline": 0}), {"goodput": "0"}),
        (of(stream=STREAM), {"first_p50": "3 ms", "first_p99": "3 ms", "gap_p50": "500 µs", "gap_p99": "500 µs"}),
    ],
    ids=["a plain trial", "fair, no deadline", "clients turned away", "unfair", "deadline", "none in time", "streams"],
)
def test_what_a_model_needs_to_be_judged_has_a_column(trial: Trial, cells: dict[str, str]) -> None:
    other = sample.trial("thread_pool", 10)
    columns = shown(COLUMNS, [other, trial])
    assert set(columns) - set(shown(COLUMNS, [other])) == set(cells)
    (at,) = standings([trial])
    (row,) = rows(at.standings, [trial])
    assert {key: row.cells[key] for key in cells} == cells


def test_a_stream_with_too_few_messages_has_no_p99() -> None:
    few = {**STREAM, "gap_ns": sample.distribution([500_000] * 99)}
    (at,) = standings([of(stream=few)])
    (row,) = rows(at.standings, [at.standings[0].trial])
    assert (row.cells["gap_p50"], row.cells["gap_p99"]) == ("500 µs", "–")  # noqa: RUF001  (an en dash)


def test_a_rate_has_an_interval_only_where_its_arm_is_ranked() -> None:
    """A model that serves 1 of 10 clients answers a few calls: one more or less would be an interval of 1,000 %."""
    rounds = [sample.trial("reactor", 10, number) for number in (1, 2, 3)]
    rounds += [sample.trial("iterative", 10, number, clients=sample.clients(10, 1, 4000)) for number in (1, 2, 3)]
    (at,) = standings(rounds)
    cells = {row.arm: row.cells["rate"] for row in rows(at.standings, rounds)}
    assert "±" in cells["reactor"]
    assert "±" not in cells["iterative"]
