"""One trial on this machine: a load, slices of it, and the counters of what was loaded.

Between slices a service is idle: its counters are read before the first and after the last. Must not know which trials
there are, what they are compared with, or where they are stored.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sweetspot.v1.control_pb2 import SnapshotReply

from tools import canary
from tools.actions import Actor
from tools.busy_machine import STARVED_SHARE, words_for
from tools.control import ControlClient
from tools.experiment import Experiment, Point
from tools.local import LateError, LocalError
from tools.other_processes import OtherProcesses
from tools.processors import tree_ns
from tools.results import Trial
from tools.serving import LocalService, LocalSetup, trace_file
from tools.slices import SliceDriver
from tools.snapshots import together
from tools.trial_specs import TrialSpec


class BusyMachineError(LocalError):
    """A trial that came too late, because other processes took most of the CPU. The model is not the cause."""


class OpenLoad(Protocol):
    """The load of one trial, made by the driver or by a load program."""

    def slice(self, number: int) -> None:
        """Makes it once. Each number has arrivals of its own. Raises LocalError."""

    def close(self) -> dict[str, Any] | None:
        """Ends it. Returns the driver's result of all slices together; None without a slice. Raises LocalError."""


@dataclass(frozen=True, slots=True)
class DriverLoad:
    """Connections of the driver, which are open and idle between slices."""

    driver: SliceDriver
    experiment: Experiment
    name: str

    def slice(self, number: int) -> None:
        """As in OpenLoad."""
        slice_of(self.driver, self.experiment, self.name, number)

    def close(self) -> dict[str, Any] | None:
        """As in OpenLoad."""
        return self.driver.close(self.name)


@contextmanager
def driver_load(
    driver: SliceDriver, experiment: Experiment, wanted: TrialSpec, flags: Sequence[str]
) -> Iterator[DriverLoad]:
    """Opens the trial's connections. `flags` are the driver's. Raises LocalError."""
    name = str(wanted.id)
    driver.open(name, flags)
    try:
        yield DriverLoad(driver, experiment, name)
    finally:
        driver.drop(name)


@dataclass(frozen=True, slots=True)
class LoadSession:
    """A load on one service, or on replicas of one model, that are idle between slices."""

    experiment: Experiment
    wanted: TrialSpec
    load: OpenLoad
    read: Callable[[], SnapshotReply]
    cpu_ns: Callable[[], int]
    """CPU time of the services so far, read from outside: it costs them nothing."""
    before: SnapshotReply
    others: OtherProcesses
    actor: Actor
    capacity_rps: float | None = None
    """Measured just before, if the rate depends on it. Calls/s."""
    slices_cpu_ns: list[int] = field(default_factory=list)
    slices_canary_ns: list[int] = field(default_factory=list)

    def slice(self, block: int = 0) -> None:
        """Loads them for a while. Raises LocalError.

        It is a BusyMachineError if the slice is late and other processes had most of the CPU.
        """
        asked = self.experiment
        canary_ns = canary.loop_ns(self.others.cpus)
        try:
            with self.others:
                before_ns = self.cpu_ns()
                with self.actor.acting(after_s=asked.warmup_s):
                    self.load.slice(self.wanted.id.round * asked.blocks + block)
                self.slices_cpu_ns.append(self.cpu_ns() - before_ns)
        except LateError as error:
            if self.others.share > STARVED_SHARE:
                raise BusyMachineError(f"{words_for(self.others.share)}; {error}") from error
            raise
        self.slices_canary_ns.append(canary_ns + canary.loop_ns(self.others.cpus))

    def end(self) -> Trial:
        """Reads the counters, then closes the connections. Raises LocalError."""
        after = self.read()
        result = self.load.close()
        if result is None:
            raise LocalError("driver: it returned no slice")
        return Trial(
            self.wanted.id,
            self.wanted.arm.served_by,
            self.wanted.point.values,
            result,
            self.before,
            after,
            others_share=self.others.share,
            counted=result["got"]["counted"],
            slices_cpu_ns=tuple(self.slices_cpu_ns),
            slices_canary_ns=tuple(self.slices_canary_ns),
            capacity_rps=self.capacity_rps,
        )


@contextmanager
def loading(
    experiment: Experiment,
    wanted: TrialSpec,
    services: Sequence[LocalService],
    *,
    load: OpenLoad,
    others: OtherProcesses,
    capacity_rps: float | None = None,
) -> Iterator[LoadSession]:
    """Reads the counters of the services before the first slice. Raises LocalError."""
    with ExitStack() as stack:
        controls = [stack.enter_context(ControlClient(service.control)) for service in services]

        def read() -> SnapshotReply:
            return together([control.snapshot() for control in controls])

        def cpu_ns() -> int:
            return sum(tree_ns(service.process.pid) for service in services)

        # An experiment with actions has one service for each arm: a grid has none.
        actor = Actor(experiment.load.actions, controls[0], services[0].process.pid)
        yield LoadSession(experiment, wanted, load, read, cpu_ns, read(), others, actor, capacity_rps)


def slice_of(driver: SliceDriver, experiment: Experiment, name: str, number: int) -> Any:
    """A slice of what is open under that name; each number has arrivals of its own. Raises LocalError."""
    return driver.slice(
        name,
        warmup_s=experiment.warmup_s,
        duration_s=experiment.duration_s,
        seed=experiment.seed + number,
        timeout_s=experiment.load.timeout_s,
    )


def others_of(
    setup: LocalSetup, services: Sequence[LocalService], cpus: int | None = None, limit_cpus: float | None = None
) -> OtherProcesses:
    """What processes other than those services take of the services' processors. These are `cpus`; None: all.

    Together the services may use `limit_cpus` of them; None: all. If all share the processors, the driver and the
    backend do not count as other processes.
    """
    if setup.pinning is None or (cpus is not None and cpus > len(setup.pinning.service)):
        own, ours = sorted(os.sched_getaffinity(0)), [os.getpid()]
        own = own if setup.pinning is None else sorted([*setup.pinning.service, *setup.pinning.others])[:cpus]
    else:
        own, ours = sorted(setup.pinning.service)[:cpus], [service.process.pid for service in services]
    return OtherProcesses(own, len(own) if limit_cpus is None else limit_cpus, ours)


def trial_flags(setup: LocalSetup, wanted: TrialSpec, services: Sequence[LocalService], plan: Path) -> list[str]:
    """The driver's flags for the services that connections load in turn, and for their plan. `plan` is a file."""
    addresses = ",".join(service.address for service in services)
    labels = label_flags(setup.folder.resolve().name, wanted)
    return ["--address", addresses, "--plan", str(plan), *trace_file(setup, "driver"), *labels]


def load_flags(experiment: Experiment, point: Point) -> list[str]:
    """The driver's flags for the load. A point with `streams` is a closed loop, whatever load the experiment has."""
    load, experiment = experiment.load, experiment.at(point)
    flags = {
        "--connections": point.connections,
        "--streams": point.streams,
        "--rate": point.rate_rps,
        "--schedule": load.schedule,
        "--arrival": load.arrival if point.streams is None else None,
        "--idle": point.idle or None,
        "--calls-per-connection": load.calls_per_connection,
        "--method": load.method,
        "--warmup": experiment.warmup_s,
        "--duration": experiment.duration_s,
        "--timeout": load.timeout_s,
        "--deadline": load.deadline_s,
        "--trace-ratio": experiment.trace_ratio,
    }
    return [text for flag, value in flags.items() if value is not None for text in (flag, str(value))]


def label_flags(run: str, wanted: TrialSpec) -> list[str]:
    """The driver's flags for the labels in the spans of a trial."""
    return ["--run", run, "--trial", str(wanted.id), "--model", wanted.arm.served_by]
