"""The cells of the grid: what is searched, in which order, and the outcomes. Must not know where a cell runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.experiment import Experiment, Scale
from tools.results import Trial
from tools.scale.search import SearchResult
from tools.units import count


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One model with a number of replicas, a number of CPUs for each, and one plan."""

    plan: str
    """Its name in the experiment."""
    model: str
    """The row of MODELS."""
    workers: str
    """The option that sets how many workers are inside, as `threads_per_cpu=8`; empty for the model's default."""
    replicas: int
    cpus: float
    """Limit of each replica."""

    @property
    def total_cpus(self) -> float:
        """Limits of all replicas added up."""
        return round(self.replicas * self.cpus, 6)

    @property
    def service(self) -> str:
        """Model and workers: what the answer names."""
        return f"{self.model} {self.workers}".rstrip()

    @property
    def shape(self) -> str:
        """As `4 x 0.25`."""
        return f"{self.replicas} x {count(self.cpus)}"

    @property
    def key(self) -> str:
        """Names the cell's file."""
        return "-".join([self.plan, self.model, *filter(None, [self.workers]), f"{self.replicas}x{self.cpus:g}"])

    @property
    def options(self) -> dict[str, str]:
        """Options of the service that the cell sets."""
        name, equals, value = self.workers.partition("=")
        return {name: value} if equals else {}


@dataclass(frozen=True, slots=True)
class Try:
    """One trial of a search."""

    rate_rps: float
    """The rate asked for."""
    missed: str
    """Why the objective was missed, in a few words; empty if it was met."""
    trial: Trial


@dataclass(frozen=True, slots=True)
class SearchedCell:
    """A cell and the outcome of its search."""

    cell: Cell
    found: SearchResult
    tries: tuple[Try, ...]
    """In the order in which they were made."""
    limit: str
    """What limited each replica to its CPUs, as `control group`."""

    @property
    def best(self) -> Trial | None:
        """The last trial at the highest rate that met the objective; None if none did."""
        met = [each for each in self.tries if not each.missed and each.rate_rps == self.found.met_rps]
        return met[-1].trial if met else None


@dataclass(frozen=True, slots=True)
class OmittedCell:
    """A cell that was not run."""

    cell: Cell
    why: str
    """One line."""


def cells(asked: Experiment, models: Sequence[str]) -> list[Cell]:
    """All cells in the order in which they run.

    Cells with the same total of CPUs follow one another, model by model. So what is compared is measured within
    minutes, and a machine that becomes slower affects all of it alike.
    """
    scale = scale_of(asked)
    found = [
        Cell(plan, model, workers, replicas, float(cpus))
        for plan in scale.plans
        for model in models
        for workers in _workers(scale, model)
        for replicas in scale.replicas
        for cpus in scale.cpus
    ]
    wanted = [cell for cell in found if cell.total_cpus <= scale.most_cpus]
    plans, order = list(scale.plans), list(models)
    return sorted(
        wanted, key=lambda cell: (plans.index(cell.plan), cell.total_cpus, cell.replicas, order.index(cell.model))
    )


def scale_of(asked: Experiment) -> Scale:
    """The experiment's grid. Raises ValueError if it has none."""
    if asked.scale is None:
        raise ValueError("this experiment has no `scale`")
    return asked.scale


def _workers(scale: Scale, model: str) -> list[str]:
    return [f"{option}={value}" for option, values in scale.workers.get(model, {}).items() for value in values] or [""]
