"""What a grid's folder shows in the terminal: the sizes that it was made for, or its cells."""

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from tools import bundle
from tools.experiment import Experiment
from tools.maps.map_file import Map
from tools.results import write_whole
from tools.scale.results import StoredCells
from tools.scale.terminal import show as show_cells
from tools.size import size_question, terminal
from tools.size.answer import answer
from tools.size.confirmation import confirmed
from tools.size.shapes import PodShape
from tools.size.size_question import SizeQuestion

Show = Callable[[Console, StoredCells, Experiment, Path], None]
"""Shows the cells of an experiment, and where the report is."""


def show_of(folder: Path) -> Show:
    """As the command that made the folder. Raises BadResultsError."""
    sized = size_question.read(folder)
    return show_cells if sized is None else show_sizes(sized)


def show_sizes(sized: SizeQuestion) -> Show:
    """The sizes, and where the report is."""

    def show(console: Console, grid: StoredCells, _asked: Experiment, report: Path) -> None:
        terminal.show(console, answer(sized, grid))
        console.print(str(report), markup=False, highlight=False, soft_wrap=True)

    return show


def show_confirmed(shape: PodShape) -> Show:
    """What became of a shape at its rate, and where the report is."""

    def show(console: Console, grid: StoredCells, _asked: Experiment, report: Path) -> None:
        console.print(confirmed(shape, grid).text, style="bold", markup=False)
        console.print(str(report), markup=False, highlight=False, soft_wrap=True)

    return show


def show_map(folder: Path, made: Map, console: Console) -> None:
    """Writes the page of a map, and shows the map. Raises BadResultsError."""
    from tools.maps import page, terminal  # noqa: PLC0415  (scipy, jinja2)
    from tools.maps.areas import areas, first_void  # noqa: PLC0415
    from tools.maps.headline import headline  # noqa: PLC0415

    found = areas(folder, made.question)
    headline_text, path = headline(found, first_void(folder, made.question)), folder / bundle.PAGE
    write_whole(path, page.render(folder, made, found, headline_text))
    terminal.show(console, made, found, headline_text, path)
