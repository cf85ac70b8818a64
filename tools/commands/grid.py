"""Runs the cells of a grid that are missing in a results folder, and shows the outcomes of all."""

from pathlib import Path

from rich.console import Console

from tools import bundle
from tools.commands.grid_view import Show
from tools.commands.page import write_page
from tools.commands.run_end import RunTally, exit_status, resume_command, to_its_end
from tools.commands.start_time import starting_s
from tools.experiment import Experiment
from tools.progress import Progress
from tools.scale.cells import cells
from tools.scale.results import read_cells
from tools.scale.run import run as run_cells
from tools.scale.terminal import ScaleProgress
from tools.scale.void import why_void
from tools.status import VOID
from tools.target import Target
from tools.units import rest

USUAL_TRIALS = 7
"""Of a search. The first one of a service has 9 to 12; those that begin where a like one ended have 4 to 6."""


def run_grid(
    asked: Experiment, folder: Path, target: Target, console: Console, show: Show, *, strict: bool = False
) -> int:
    """The exit status, which is 42 with `strict` if a cell is void. The folder is prepared and locked."""
    target.resume_grid(folder)
    stored = read_cells(folder)
    done = stored.cells - {one.cell for one in stored.searched if why_void(one)}
    wanted = [cell for cell in cells(asked, asked.models) if cell not in done]
    cell_s = _cell_s(asked, target)
    takes = rest(len(wanted) * cell_s)
    console.print(f"{len(wanted)} cells, about {takes}; results: {folder}", markup=False, soft_wrap=True)
    with Progress(console, len(wanted), cell_s) as bar:
        progress = ScaleProgress(bar)

        def search() -> None:
            with target.deployer(folder, progress.waits) as deployer:
                run_cells(asked, wanted, deployer, folder, progress, despite_noise=target.despite_noise)

        interrupted = to_its_end(search)
    bundle.close(folder, asked.seed)
    found = read_cells(folder)
    show(console, found, asked, write_page(folder))
    void = sum(bool(why_void(one)) for one in found.searched)
    missing = len(set(wanted) - found.cells) + void
    tally = RunTally("cells", len(found.cells), len(wanted), missing, len(progress.failures), void)
    status = exit_status(tally, resume_command(folder), interrupted)
    return VOID if strict and void and not status else status


def _cell_s(asked: Experiment, target: Target) -> float:
    """How long a search is expected to take."""
    trials = min(asked.scale.search.trials, USUAL_TRIALS) if asked.scale else 1
    return trials * (asked.warmup_s + asked.duration_s + starting_s(target))
