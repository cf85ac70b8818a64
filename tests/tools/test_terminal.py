"""What the terminal says beside the numbers."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from tests.tools.sample import clients, trial
from tools.outcome import show
from tools.results import Found


@pytest.mark.parametrize(("lost", "told"), [(0, False), (1200, True)])
def test_lost_updates_are_told_where_there_are_any(lost: int, told: bool) -> None:
    made = trial("thread_pool", 10)
    made.before.lost_updates, made.after.lost_updates = 7, 7 + lost
    console = Console(file=io.StringIO(), width=120)
    show(console, Found((made,), ()), Path("report.html"))
    said = console.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    assert ("at least 1,200 updates of accounts were lost" in " ".join(said.split())) is told


@pytest.mark.parametrize(("served", "shown"), [(10, False), (1, True), (0, True)])
def test_the_table_has_a_column_for_clients_where_some_were_not_served(served: int, shown: bool) -> None:
    console = Console(file=io.StringIO(), width=120)
    show(console, Found((trial("reactor", 10, clients=clients(10, served, 1000)),), ()), Path("report.html"))
    said = console.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    assert [f"{served} of 10" in line for line in said.splitlines() if line.startswith("reactor ")] == [shown]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_cell_of_the_table_is_cut_off_for_want_of_room(width: int) -> None:
    """Columns are left out instead: the last ones first."""
    console = Console(file=io.StringIO(), width=width)
    rounds = [trial("thread_per_connection", 10, number, clients=clients(10, 1, 1000)) for number in (1, 2, 3)]
    show(console, Found(tuple(rounds), ()), Path("report.html"))
    said = console.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    assert "calls/s" in said
    assert "…" not in said
    assert ("switches" in said) is (width == 200)
