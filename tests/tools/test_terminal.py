"""What the terminal says beside the numbers."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from sweetspot.v1.control_pb2 import SnapshotReply

from tests.tools.sample import clients, trial
from tools.outcome import show
from tools.results import Found

BEGUN_NS, ENDED_NS = 10**12, 10**12 + 4 * 10**9


@pytest.mark.parametrize(
    ("before_late_ns", "after_late_ns", "told"),
    [(10**6, 10**6, None), (2 * 10**9, 10**6, "read 2 s late"), (10**6, 10**9, "read 1 s late")],
    ids=["in time", "late to begin", "late to end"],
)
def test_counters_that_were_read_late_are_not_passed_off_as_good(
    before_late_ns: int, after_late_ns: int, told: str | None
) -> None:
    made = trial("reactor", 10, marks={"started_monotonic_ns": BEGUN_NS, "ended_monotonic_ns": ENDED_NS})
    before = SnapshotReply(monotonic_ns=BEGUN_NS + before_late_ns)
    after = SnapshotReply(monotonic_ns=ENDED_NS + after_late_ns)
    console = Console(file=io.StringIO(), width=120)
    show(console, Found((replace(made, before=before, after=after),), ()), Path("report.html"))
    said = console.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    assert ("counters were read" in said) == (told is not None)
    assert (told or "") in said


@pytest.mark.parametrize(("lost", "told"), [(0, False), (1200, True)])
def test_lost_updates_are_told_where_there_are_any(lost: int, told: bool) -> None:
    made = trial("thread_pool", 10)
    made.before.lost_updates, made.after.lost_updates = 7, 7 + lost
    console = Console(file=io.StringIO(), width=120)
    show(console, Found((made,), ()), Path("report.html"))
    said = console.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    assert ("at least 1,200 updates of accounts were lost" in said) is told


@pytest.mark.parametrize(("served", "shown"), [(10, False), (1, True), (0, True)])
def test_the_table_has_a_column_for_clients_where_some_were_not_served(served: int, shown: bool) -> None:
    console = Console(file=io.StringIO(), width=120)
    show(console, Found((trial("reactor", 10, clients=clients(10, served, 1000)),), ()), Path("report.html"))
    said = console.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    assert [f"{served} of 10" in line for line in said.splitlines() if line.startswith("reactor ")] == [shown]
