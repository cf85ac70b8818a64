"""What the terminal shows beside the numbers."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.tools.sample import clients, trial
from tools.results import StoredTrials
from tools.terminal_result import show


@pytest.mark.parametrize(
    ("lossy", "text"),
    [
        (10, "thread_pool at 10 connections: its transfers are not isolated"),
        (100, "Lost updates of accounts: at least"),
    ],
)
def test_lost_updates_are_stated_once_at_any_point(lossy: int, text: str) -> None:
    made = []
    for connections in (10, 100):
        one = trial("thread_pool", connections)
        one.after.lost_updates = 1200 if connections == lossy else 0
        made.append(replace(one, result={**one.result, "plan": {"steps": [{"transfer": {}}]}}))
    console = Console(file=io.StringIO(), width=200)
    show(console, StoredTrials(tuple(made), ()), Path("report.html"))
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    assert text in shown
    assert shown.count("1,200") == 1


@pytest.mark.parametrize(("served", "shown"), [(10, False), (1, True), (0, True)])
def test_the_table_has_a_column_for_clients_where_some_were_not_served(served: int, shown: bool) -> None:
    console = Console(file=io.StringIO(), width=120)
    show(console, StoredTrials((trial("reactor", 10, clients=clients(10, served, 1000)),), ()), Path("report.html"))
    said = console.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    assert [f"{served} of 10" in line for line in said.splitlines() if line.startswith("reactor ")] == [shown]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_cell_of_the_table_is_cut_off_for_want_of_room(width: int) -> None:
    """Columns are left out instead: the last ones first."""
    console = Console(file=io.StringIO(), width=width)
    rounds = [trial("thread_per_connection", 10, number, clients=clients(10, 1, 1000)) for number in (1, 2, 3)]
    show(console, StoredTrials(tuple(rounds), ()), Path("report.html"))
    said = console.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    assert "calls/s" in said
    assert "…" not in said
    assert ("switches" in said) is (width == 200)
