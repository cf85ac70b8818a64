"""Runs the cells of a grid: one search after the other, each stored as soon as it has ended.

All trials of a search load the same replicas, which are started once and then warm, as in use. The next cell has
replicas of its own. Must not know whether they are processes or pods: a Deployer starts them.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from tools import checks
from tools.experiment import Experiment
from tools.results import Trial
from tools.scale import objective
from tools.scale.cells import Cell, OmittedCell, SearchedCell, Try, scale_of
from tools.scale.results import write_cell, write_failed
from tools.scale.search import Bounds, highest_rate

MakeTrial = Callable[[Experiment], Trial]
"""Makes one trial: the plan, rate and times of this experiment, against the replicas that are up. Raises
FailedError."""


class FailedError(Exception):
    """A cell that cannot be measured; the message is one line for a person."""


class Deployer(Protocol):
    """Starts the replicas of cells: on this machine, or in a cluster."""

    @property
    def limit(self) -> str:
        """What limits a replica to its CPUs, as `control group`."""

    def why_not(self, cell: Cell) -> str:
        """Why that cell cannot run on this target, in one line; empty if it can."""

    def deployed(self, cell: Cell, options: dict[str, str | float]) -> AbstractContextManager[MakeTrial]:
        """The cell's replicas, ready to be loaded, for as long as the block lasts. Raises FailedError."""

    def store(self, outcome: SearchedCell | OmittedCell) -> None:
        """Stores the outcome of a cell not only in the folder, so that it outlives this machine. Raises FailedError."""


class CellWatcher(Protocol):
    """Is notified of the progress."""

    def begins(self, cell: Cell) -> None:
        """A search starts."""

    def tried(self, cell: Cell, one: Try) -> None:
        """A trial of it has ended."""

    def ended(self, outcome: SearchedCell | OmittedCell) -> None:
        """It has ended, or was not begun, and is stored."""

    def failed(self, cell: Cell, why: str) -> None:
        """It has failed; `why` is one line."""


def run(
    asked: Experiment,
    wanted: Sequence[Cell],
    deployer: Deployer,
    folder: Path,
    watcher: CellWatcher,
    *,
    despite_noise: bool = False,
) -> None:
    """Runs those cells. One that fails is reported to the watcher, with the reason in its file, and the next one runs.

    Cells that cannot run come first, so that the time left is estimated from those that do. Raises BadResultsError if a
    cell cannot be stored.
    """
    known: list[SearchedCell] = []

    def search(cell: Cell) -> SearchedCell:
        return _search(asked, cell, deployer, watcher, known, despite_noise=despite_noise)

    for cell in sorted(wanted, key=lambda cell: not deployer.why_not(cell)):
        watcher.begins(cell)
        try:
            why = deployer.why_not(cell)
            outcome = OmittedCell(cell, why) if why else search(cell)
            write_cell(folder, outcome)
            deployer.store(outcome)
        except (FailedError, objective.TooFewCallsError) as error:
            watcher.failed(cell, str(error))
            write_failed(folder, cell, str(error))
            continue
        if isinstance(outcome, SearchedCell):
            known.append(outcome)
        watcher.ended(outcome)


def bounds_of(asked: Experiment, cell: Cell, known: Sequence[SearchedCell]) -> Bounds:
    """How far the search of that cell goes. It begins where a like cell ended, in proportion to the CPUs.

    Like cells have the same service and calls. Of those the last one with as many CPUs is the best, else the last one.
    """
    scale = scale_of(asked)
    bounds = Bounds(
        start_rps=scale.search.start_rps * cell.total_cpus,
        lowest_rps=objective.lowest_rps(asked.duration_s),
        highest_rps=scale.search.highest_rps,
        within=scale.search.within,
        trials=scale.search.trials,
    )
    like = [
        one
        for one in known
        if one.cell.service == cell.service
        and scale.plans[one.cell.plan] == scale.plans[cell.plan]
        and one.found.met_rps
    ]
    if not like:
        return bounds
    nearest = max(like, key=lambda one: (one.cell.total_cpus == cell.total_cpus, like.index(one)))
    met_rps = nearest.found.met_rps or 0.0
    return replace(bounds, start_rps=met_rps * cell.total_cpus / nearest.cell.total_cpus, step=scale.search.within)


def _search(
    asked: Experiment,
    cell: Cell,
    deployer: Deployer,
    watcher: CellWatcher,
    known: Sequence[SearchedCell],
    *,
    despite_noise: bool,
) -> SearchedCell:
    """A trial is repeated once if it is not the one that was asked for. The search itself repeats one that misses."""
    scale, bounds = scale_of(asked), bounds_of(asked, cell, known)
    tries: list[Try] = []
    with deployer.deployed(cell, {**asked.service_options, **cell.options}) as load:

        def meets(rate_rps: float) -> bool:
            at_rate = asked.at_rate(scale.plans[cell.plan], rate_rps)
            trial = load(at_rate)
            if checks.broken(trial):
                trial = load(at_rate)
            if despite_noise:
                trial = checks.waived(trial, is_limited=True)
            one = Try(rate_rps, objective.missed(trial, scale.objective), trial)
            tries.append(one)
            watcher.tried(cell, one)
            return not one.missed

        found = highest_rate(meets, bounds)
    return SearchedCell(cell, found, tuple(tries), deployer.limit)
