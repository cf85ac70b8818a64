"""What a person sees of a grid in the terminal: progress, then the result in a table. Must not know how cells run."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tools.busy_machine import is_busy
from tools.experiment import Experiment
from tools.progress import Progress
from tools.scale.cells import Cell, OmittedCell, SearchedCell, Try
from tools.scale.headline import answer, interval, leaders, ranking
from tools.scale.results import StoredCells
from tools.scale.table import COLUMNS, cells_of
from tools.scale.void import why_void, without_void
from tools.units import count

SHOWN = {key: COLUMNS[key] for key in ("service", "shape", "rate", "p99", "cpu", "throttled")} | {"rate": "calls/s"}
"""Columns of the page's table that fit into 80 characters, with their headings."""


class ScaleProgress:
    """Reports cells, and the trials within them."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.failures: list[str] = []
        """One line each."""
        self._at_hand = ""

    def begins(self, cell: Cell) -> None:
        self._at_hand = f"{cell.plan}: {cell.service} as {cell.shape}"
        self._progress.at_hand(self._at_hand)

    def waits(self, why: str) -> None:
        """The cell that runs cannot continue yet; `why` is one line."""
        self._progress.note(f"{self._at_hand} {why}")

    def tried(self, _cell: Cell, one: Try) -> None:
        rate = f"{count(round(one.rate_rps))} calls/s"
        self._progress.at_hand(f"{self._at_hand}: {rate} {one.missed or 'met'}")

    def ended(self, outcome: SearchedCell | OmittedCell) -> None:
        if isinstance(outcome, OmittedCell):
            self._progress.left_out(_line(outcome.cell, f"left out: {outcome.why}"))
        else:
            why = why_void(outcome)
            self._progress.ended(_line(outcome.cell, f"void: {why}" if why else interval(outcome)))

    def failed(self, cell: Cell, why: str) -> None:
        self.failures.append(f"{cell.key} failed: {why}")
        self._progress.ended(_line(cell, f"failed: {why}"))


def _line(cell: Cell, what: str) -> str:
    return f"{cell.plan:10}  {cell.service:22}  {cell.shape:>9}  {what}"


def show(console: Console, stored: StoredCells, asked: Experiment, report: Path) -> None:
    """Prints the answer, the cells behind it, and last the report's path."""
    console.print()
    stored, void = without_void(stored), [why for one in stored.searched if (why := why_void(one))]
    console.print(answer(stored.searched, asked, void), style="bold", highlight=False)
    console.print()
    console.print(_table(stored.searched))
    if busy := [one for one in stored.searched if any(is_busy(each.trial) for each in one.tries)]:
        cells = f"{count(len(busy))} of {count(len(stored.searched))} cells"
        console.print(f"Other processes took CPU from the service in {cells}: repeat them on a quiet machine.")
    # Unwrapped, so that it can be copied.
    console.print(str(report), markup=False, highlight=False, soft_wrap=True)


def _table(searched: Sequence[SearchedCell]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for key, heading in SHOWN.items():
        table.add_column(heading, justify="left" if key == "service" else "right", no_wrap=True)
    for plan in dict.fromkeys(one.cell.plan for one in searched):
        table.add_row(f"[bold]{plan}[/bold]")
        for size in sorted({one.cell.total_cpus for one in searched if one.cell.plan == plan}):
            ranked = ranking(searched, plan, total_cpus=size)
            best = leaders(ranked)
            for one in ranked:
                style = "green" if one in best else ""
                table.add_row(*(cells_of(one)[key] for key in SHOWN), style=style)
        table.add_row()
    return table
