"""The page of a results folder, and what the terminal shows of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from tools import bundle, experiment, report, strict_yaml
from tools.commands.grid_view import show_map, show_of
from tools.maps import map_file as maps
from tools.results import read_trials, write_whole
from tools.scale.results import is_scale, read_cells


def show_report(folder: Path, console: Console) -> Sequence[str]:
    """Writes a folder's report, and shows it in the terminal. Returns a line for each part that was not read."""
    if (made := maps.read(folder)) is not None:
        show_map(folder, made, console)
        return ()
    path = write_page(folder)
    if is_scale(folder):
        grid = read_cells(folder)
        show_of(folder)(console, grid, experiment.read(folder / "experiment.yaml"), path)
        return grid.problems
    from tools.terminal_result import show  # noqa: PLC0415  (scipy)

    found = read_trials(folder)
    show(console, found, path, arms_of(folder))
    return found.problems


def arms_of(folder: Path) -> Mapping[str, Any]:
    """The arms of a run, from its experiment's file; none if that is missing or broken, which the report states."""
    try:
        asked = strict_yaml.load((folder / "experiment.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return dict(asked.get("arms", {})) if isinstance(asked, Mapping) else {}


def write_page(folder: Path) -> Path:
    """Returns the path of `report.html`. Raises BadResultsError."""
    if is_scale(folder):
        from tools.size import page  # noqa: PLC0415  (scipy)

        path = folder / bundle.PAGE
        write_whole(path, page.render(folder))
        return path
    return report.write(folder)
