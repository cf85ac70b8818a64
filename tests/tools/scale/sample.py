"""Grids whose capacities are known, for tests and for looking at their page by hand.

`python -m tests.tools.scale.sample FOLDER` makes a results folder.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sweetspot.v1.control_pb2 import SnapshotReply, Throttling

from tests.tools import sample
from tools import experiment
from tools.experiment import Experiment
from tools.results import Trial, TrialId
from tools.scale.cells import Cell, OmittedCell, SearchedCell, Try, cells
from tools.scale.run import FailedError, MakeTrial, run

ASKED = """
title: Which model, as how many pods of how many cores?
models: [coroutines, thread_pool]
connections: [8]
duration_s: 2
arrival: poisson
scale:
  plans: {cpu-bound: {steps: [{compute: {rounds: 100}}]}, io-bound: {steps: [{call: {delay_us: 900}}]}}
  replicas: [1, 2, 3, 4, 6, 8]
  cpus: [0.25, 0.5, 1]
  most_cpus: 4
  workers: {thread_pool: {threads_per_cpu: [8, 64]}}
  objective: {p99_ms: 100}
  search: {start_rps: 400, within: 1.05, trials: 20}
"""
RPS_PER_CPU = {"coroutines": 1000.0, "thread_pool": 800.0}
LEFT_OUT_CPUS = 2.0
"""Cells with more CPUs in all cannot run on the sample's target."""


def asked(folder: Path, text: str = ASKED) -> Experiment:
    """The experiment, stored in that folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "experiment.yaml").write_text(text)
    return experiment.read(folder / "experiment.yaml")


def capacity_rps(cell: Cell) -> float:
    """Contention makes 8 replicas worth 5; the I/O-bound plan is three times as quick."""
    plan = 3.0 if cell.plan == "io-bound" else 1.0
    workers = 0.5 if cell.workers.endswith("=8") else 1.0
    return plan * workers * RPS_PER_CPU[cell.model] * cell.total_cpus / (1 + 0.1 * (cell.replicas - 1))


class Deployer:
    """Each cell serves exactly `capacity_rps`. It measures at once."""

    limit = "made up"

    def __init__(self, capacity: Callable[[Cell], float] = capacity_rps) -> None:
        self.capacity = capacity
        self.deployments: list[tuple[Cell, dict[str, str | float]]] = []
        self.kept: list[Cell] = []

    def why_not(self, cell: Cell) -> str:
        return f"needs {cell.total_cpus:g} CPUs" if cell.total_cpus > LEFT_OUT_CPUS else ""

    def store(self, outcome: SearchedCell | OmittedCell) -> None:
        self.kept.append(outcome.cell)

    @contextmanager
    def deployed(self, cell: Cell, options: dict[str, str | float]) -> Iterator[MakeTrial]:
        self.deployments.append((cell, options))
        if not self.capacity(cell):
            raise FailedError("no image")
        yield lambda asked: trial(cell, asked.points[0].rate_rps or 0.0, self.capacity(cell))


def trial(cell: Cell, rate_rps: float, capacity: float, duration_s: float = 2.0) -> Trial:
    """An open loop at that rate, against a service of that capacity."""
    made = _made()
    planned = int(rate_rps * duration_s)
    load = min(1.0, rate_rps / capacity)
    p99_ns = 5_000_000 if rate_rps <= capacity else 900_000_000
    result = {
        **made.result,
        "asked": {**made.result["asked"], "loop": "open", "streams": None, "rate_rps": rate_rps},
        "got": {
            **made.result["got"],
            "connections": 8,
            "duration_s": duration_s,
            "rate_rps": planned / duration_s,
            "answered": planned,
        },
        "calls": {"planned": planned, "ok": planned, "by_status": {}, "timed_out": 0, "not_sent": 0, "unfinished": 0},
        "latency_ns": {**made.result["latency_ns"], "count": planned, "p50": p99_ns // 2, "p99": p99_ns},
        "shards": [{**made.result["shards"][0], "cpu_ns": 2 * 10**8}],
        "plan": {"steps": []},
    }
    periods = int(duration_s * 10) * cell.replicas
    after = SnapshotReply(
        model=cell.model,
        cpu_user_ns=int(duration_s * cell.total_cpus * load * 1e9),
        pss_bytes=20_000_000 * cell.replicas,
        voluntary_switches=planned * 2,
        throttling=Throttling(
            periods=periods, throttled_periods=periods if load == 1 else 0, quota_cpus=cell.total_cpus
        ),
    )
    return Trial(TrialId(cell.model, "8"), cell.model, _made().load, result, SnapshotReply(model=cell.model), after)


@cache
def _made() -> Trial:
    return sample.trial("reactor", 8)


class Notes:
    """A watcher that stores what it is notified of."""

    def __init__(self) -> None:
        self.begun: list[Cell] = []
        self.tries: list[tuple[Cell, Try]] = []
        self.outcomes: list[SearchedCell | OmittedCell] = []
        self.failures: dict[Cell, str] = {}

    def begins(self, cell: Cell) -> None:
        self.begun.append(cell)

    def tried(self, cell: Cell, one: Try) -> None:
        self.tries.append((cell, one))

    def ended(self, outcome: SearchedCell | OmittedCell) -> None:
        self.outcomes.append(outcome)

    def failed(self, cell: Cell, why: str) -> None:
        self.failures[cell] = why


def make(folder: Path, text: str = ASKED, deployer: Deployer | None = None) -> Path:
    """Fills the folder as a run would; returns it."""
    experiment = asked(folder, text)
    models: Sequence[str] = experiment.models
    run(experiment, cells(experiment, models), deployer or Deployer(), folder, Notes())
    return folder


if __name__ == "__main__":
    make(Path(sys.argv[1]))
