"""The outcome of an experiment in the terminal: the answer, the table behind it, the pairs. Imports statistics."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from tools import measures, pairs
from tools.headline import answer, cannot_distinguish
from tools.report.table import COLUMNS, percentile, rows, shown
from tools.results import StoredTrials
from tools.speedups import NO_ARMS, ArmSettings
from tools.standings import PointStandings, compared, standings
from tools.units import count
from tools.words import unanswered, where

LEAST_COLUMNS = 3
MOST_PAIRS = 7
"""With more arms, the table and its intervals need less room."""
SHOWN = {
    **{key: COLUMNS[key] for key in ("clients", "rate", "p99", "errors", "cpu", "pss")},
    "voluntary": "switches",
    "goodput": COLUMNS["goodput"],
    "first_p99": "first p99",
    "gap_p99": "gap p99",
}
"""Columns of the report's table, with their headings, the most useful first: those without room are left out."""


def show(console: Console, found: StoredTrials, report: Path, arms: ArmSettings = NO_ARMS) -> None:
    """Prints the answer, the trials behind it, and last the report's path. `arms` are the experiment's."""
    console.print()
    headline = answer(found.trials, found.void, arms, failed=found.failed, again=found.again)
    console.print(headline, style="bold", highlight=False)
    points = standings(found.trials)
    if itself := cannot_distinguish(compared(points), found.trials, found.again):
        console.print(itself, markup=False, highlight=False)
    console.print()
    if points:
        console.print(_fitting(points, console))
    if (at := compared(points)) is not None:
        of_pairs = pairs.lines(at) if len(at.ranked) <= MOST_PAIRS else ()
        for line in (*_kinds(at), *of_pairs):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    for point, trial in ((each, one.trial) for each in points for one in each.standings):
        if nothing := unanswered(trial):
            console.print(f"{where(trial)}: {nothing}.", markup=False)
        if point is not at and (lost := measures.lost_updates(trial)):  # the answer has those of its own point
            console.print(
                f"{where(trial)}: its transfers are not isolated from each other: "
                f"at least {count(lost)} updates of accounts were lost.",
                markup=False,
            )
    # Unwrapped, so that it can be copied.
    console.print(str(report), markup=False, highlight=False, soft_wrap=True)


def _kinds(at: PointStandings) -> Iterator[str]:
    """A line for each arm and kind of call of a mix, as `reactor  short  p50 1.2 ms  p99 3 ms`."""
    for one in at.standings:
        for name, kind in measures.kinds(one.trial).items():
            yield f"{one.arm:22}  {name:12}  p50 {percentile(kind, 'p50'):>9}  p99 {percentile(kind, 'p99'):>9}"


def _fitting(points: Sequence[PointStandings], console: Console) -> Table:
    """As many columns as the terminal has room for: one that is cut off cannot be read."""
    headings = shown(SHOWN, [one.trial for at in points for one in at.standings])
    boundless = console.options.update(max_width=1000)
    while True:
        table = _table(points, headings)
        if len(headings) <= LEAST_COLUMNS or Measurement.get(console, boundless, table).maximum <= console.width:
            return table
        headings.popitem()


def _table(points: Sequence[PointStandings], headings: Mapping[str, str]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("", no_wrap=True)
    trials = [one.trial for at in points for one in at.standings]
    for heading in headings.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for at in points:
        table.add_row(f"[bold]{at.described}[/bold]")
        for row in rows(at.standings, trials):
            style = "red" if row.failed else "green" if row.leads else ""
            table.add_row(row.arm, *(row.cells[key] for key in headings), style=style)
        table.add_row()
    return table
