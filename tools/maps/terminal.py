"""A map in the terminal: the headline, then a row for each kind of call and a column for each number of connections."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tools.maps.areas import NEAR, Area, of
from tools.maps.headline import text_of
from tools.maps.map_file import Map
from tools.units import count, share


def show(console: Console, made: Map, found: Sequence[Area], headline: str, page: Path) -> None:
    """Prints the map below its headline. Last comes the path of the page, unwrapped so that it can be copied."""
    console.print()
    console.print(headline, style="bold", markup=False)
    console.print()
    console.print(_table(made, found))
    console.print()
    console.print(legend(made), markup=False)
    console.print(str(page), markup=False, highlight=False, soft_wrap=True)


def legend(made: Map) -> str:
    """How to read it."""
    models = count(len(made.question.models))
    return (
        f"Calls/s of the best with one CPU. A model is named with the best if it serves at least {share(NEAR)} as much "
        f"or cannot be distinguished. tie: all {models} models. CPU time: {made.rounds}."
    )


def _table(made: Map, found: Sequence[Area]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("CPU", "wait"):
        table.add_column(heading, no_wrap=True, justify="right")
    connections = sorted(made.question.connections)
    for number in connections:
        table.add_column(f"{count(number)} connections", overflow="fold")
    for kind in made.question.kinds:
        texts = (text_of(of(found, kind, number)) for number in connections)
        table.add_row(f"{kind.cpu_ms:g} ms", f"{kind.wait_ms:g} ms", *texts)
    return table
