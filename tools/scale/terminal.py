"""What a person sees of a grid in the terminal: progress, then the result in a table. Must not know how cells run."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tools.experiment import Experiment
from tools.scale.answer import answer, interval, leaders, ranking
from tools.scale.cells import Cell, LeftOut, Searched, Try
from tools.scale.results import Kept
from tools.scale.table import COLUMNS, cells_of
from tools.units import count

SHOWN = {key: COLUMNS[key] for key in ("service", "shape", "rate", "p99", "cpu", "throttled")} | {"rate": "calls/s"}
"""Columns of the page's table that fit into 80 characters, with their headings."""


class ScaleProgress:
    """A line for each cell that has ended, and in a terminal a bar below them that tells the trial at hand."""

    def __init__(self, console: Console, wanted: int) -> None:
        self.failures: list[str] = []
        """One line each."""
        self._wanted = wanted
        self._done = 0
        # Twice a second: drawing takes time from the driver, which has the same processor.
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            refresh_per_second=2,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=wanted)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def begins(self, cell: Cell) -> None:
        self._bar.update(self._task, description=f"{cell.plan}: {cell.service} as {cell.shape}")

    def tried(self, cell: Cell, one: Try) -> None:
        told = (
            f"{cell.plan}: {cell.service} as {cell.shape}: {count(round(one.rate_rps))} calls/s {one.missed or 'met'}"
        )
        self._bar.update(self._task, description=told)

    def ended(self, outcome: Searched | LeftOut) -> None:
        told = f"left out: {outcome.why}" if isinstance(outcome, LeftOut) else interval(outcome)
        self._tell(outcome.cell, told)

    def failed(self, cell: Cell, why: str) -> None:
        self.failures.append(f"{cell.key} failed: {why}")
        self._tell(cell, f"failed: {why}")

    def _tell(self, cell: Cell, what: str) -> None:
        self._done += 1
        place = f"{self._done:>{len(str(self._wanted))}}/{self._wanted}"
        line = f"{place}  {cell.plan:10}  {cell.service:21}  {cell.shape:>9}  {what}"
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._bar.update(self._task, completed=self._done)


def show(console: Console, kept: Kept, asked: Experiment, report: Path) -> None:
    """The answer, the cells behind it, and last where the report is."""
    console.print()
    console.print(answer(kept.searched, asked), style="bold", highlight=False)
    console.print()
    console.print(_table(kept.searched))
    # Unwrapped, so that it can be copied.
    console.print(str(report), markup=False, highlight=False, soft_wrap=True)


def _table(searched: Sequence[Searched]) -> Table:
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
