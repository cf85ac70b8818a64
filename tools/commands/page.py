"""The page of a results folder, and what the terminal shows of it."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tools import experiment, report
from tools.results import read_trials
from tools.scale.results import is_scale, read_cells
from tools.scale.terminal import show as show_cells


def show_report(folder: Path, console: Console) -> Sequence[str]:
    """Writes a folder's report, and shows in the terminal what is in it; a line for each part not read."""
    path = write_page(folder)
    if is_scale(folder):
        kept = read_cells(folder)
        show_cells(console, kept, experiment.read(folder / "experiment.yaml"), path)
        return kept.problems
    from tools.outcome import show  # noqa: PLC0415  (scipy)

    found = read_trials(folder)
    show(console, found, path)
    return found.problems


def write_page(folder: Path) -> Path:
    """Returns the path of `report.html`. Raises BadResultsError."""
    if is_scale(folder):
        from tools.scale import page  # noqa: PLC0415  (scipy)

        return page.write(folder)
    return report.write(folder)
