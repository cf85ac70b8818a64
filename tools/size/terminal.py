"""The sizes in the terminal: the advice first, then the table, then what it rests on."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tools.size.answer import COLUMNS, LEFT, SizeAnswer


def show(console: Console, answer: SizeAnswer) -> None:
    """All in 80 columns, unless a bound needs more."""
    console.print()
    console.print(answer.advice, style="bold", markup=False)
    console.print()
    console.print(_table(answer.rows))
    console.print()
    for note in answer.notes:
        console.print(note, markup=False)


def _table(rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in COLUMNS:
        table.add_column(heading, justify="left" if heading in LEFT else "right", no_wrap=heading != COLUMNS[-1])
    for row in rows:
        table.add_row(*row)
    return table
