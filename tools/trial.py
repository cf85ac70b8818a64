"""One trial on this machine: services that listen, a driver that loads them, their counters at both of its marks.

Must not know which trials there are, what they are compared with, or where they are kept.
"""

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sweetspot.v1.control_pb2 import SnapshotReply

from tools import local
from tools.busy import STARVED_SHARE, words_for
from tools.control import Control
from tools.experiment import Arm, Experiment, Point
from tools.local import LateError, LocalError, Pinning, Process, Programs, started
from tools.others import Others
from tools.results import Trial
from tools.snapshots import together
from tools.wanted import Wanted

OPENING_TIMEOUT_S = 60.0
"""For the driver to start and to open its connections; it gives up sooner."""
GRACE_S = 30.0
"""For the driver, after measuring, to wait for its last calls and to write its result."""


class BusyMachineError(LocalError):
    """A trial that came too late, because other processes took most of the CPU. The model is not the cause."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where trials run and are kept."""

    folder: Path
    programs: Programs
    pinning: Pinning | None
    despite_noise: bool = False
    """No trial is void; what would make it so is a warning."""


@dataclass(frozen=True, slots=True)
class Service:
    """One that listens; addresses are HOST:PORT."""

    process: Process
    address: str
    control: str


@contextmanager
def serving(
    place: Place,
    name: str,
    options: Iterable[tuple[str, str | float]] = (),
    *,
    cpus: Collection[int] = (),
    confine: Callable[[int], None] | None = None,
    python: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Service]:
    """`name`, a model or `backend`, on those processors. `confine` is given its process id before it does anything.

    `python` is another interpreter, `environment` has variables beside those of this process. A LocalError inside of
    the block is put down to the service where that has ended. Raises LocalError.
    """
    flags = [f"--{option.replace('_', '-')}={value}" for option, value in options]
    program = [python, *place.programs.services[1:]] if python else place.programs.services
    command = [*program, name, "--port=0", *flags, *trace_file(place, name)]
    with started(name, command, cpus, environment) as process:
        if confine is not None:
            confine(process.pid)
        address = process.expect("listening on ", local.START_TIMEOUT_S)
        control = process.expect("control on ", local.START_TIMEOUT_S)
        try:
            yield Service(process, address, control)
        except LocalError as error:
            if process.has_ended(local.DYING_S):
                raise LocalError(process.last_words()) from error
            raise


def serving_arm(place: Place, arm: Arm, options: Iterable[tuple[str, str | float]]) -> AbstractContextManager[Service]:
    """The arm's model with those options, on as many processors as it asks for."""
    pinning = place.pinning
    cpus = [] if pinning is None else [*sorted(pinning.service), *sorted(pinning.others)][: arm.cpus]
    return serving(place, arm.model, options, cpus=cpus, python=arm.python, environment=arm.environment or None)


def measure(
    experiment: Experiment,
    wanted: Wanted,
    services: Sequence[Service],
    *,
    place: Place,
    scratch: Path,
    limit_cpus: float | None = None,
) -> Trial:
    """Loads the services, dealt to the connections in turn. Together they may use `limit_cpus`; None: all of theirs.

    Several services are replicas of one model: their counters are added up. Raises LocalError, and of those
    BusyMachineError where it is late and other processes had most of the CPU.
    """
    plan, out = scratch / "plan.yaml", scratch / "result.json"
    plan.write_text(yaml.safe_dump(experiment.calls), encoding="utf-8")
    targets = ",".join(service.address for service in services)
    load = [*place.programs.driver, "--target", targets, "--plan", str(plan), "--out", str(out)]
    load += [*trace_file(place, "driver"), *load_flags(experiment, wanted.point)]
    load += label_flags(place.folder.resolve().name, wanted)
    with _counters([service.control for service in services]) as read, started("driver", load) as driver:
        driver.expect("measuring", experiment.warmup_s + OPENING_TIMEOUT_S)
        # Before the counters: a busy service needs a second to answer with those.
        others = others_of(place, services, limit_cpus=limit_cpus)
        try:
            with others:
                before = read()
                driver.expect("measured", experiment.duration_s + GRACE_S)
            after = read()
            driver.finish(experiment.load.timeout_s + GRACE_S)
        except LateError as error:
            if others.share > STARVED_SHARE:
                raise BusyMachineError(f"{words_for(others.share)}; {error}") from error
            raise
    result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return Trial(wanted.id, wanted.arm.model, wanted.point.values, result, before, after, others_share=others.share)


def others_of(
    place: Place, services: Sequence[Service], cpus: int | None = None, limit_cpus: float | None = None
) -> Others:
    """What other processes than those services take of their processors, of which there are `cpus`; None: all.

    Where all share the processors, the driver and the backend are no other processes.
    """
    if place.pinning is None or (cpus is not None and cpus > len(place.pinning.service)):
        own, ours = sorted(os.sched_getaffinity(0)), [os.getpid()]
        own = own if place.pinning is None else sorted([*place.pinning.service, *place.pinning.others])[:cpus]
    else:
        own, ours = sorted(place.pinning.service)[:cpus], [service.process.pid for service in services]
    return Others(own, len(own) if limit_cpus is None else limit_cpus, ours)


@contextmanager
def _counters(addresses: Sequence[str]) -> Iterator[Callable[[], SnapshotReply]]:
    """Reads all control ports at the same time: one that is slow to answer makes the others no later."""
    with ExitStack() as stack:
        controls = [stack.enter_context(Control(address)) for address in addresses]
        threads = stack.enter_context(ThreadPoolExecutor(len(controls)))

        def read() -> SnapshotReply:
            return together(list(threads.map(Control.snapshot, controls)))

        read()  # opens the channels, so that the reading at the mark is not late
        yield read


def load_flags(experiment: Experiment, point: Point) -> list[str]:
    """The driver's flags for the load. A point with `streams` is a closed loop, whatever the experiment's load says."""
    load = experiment.load
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


def label_flags(run: str, wanted: Wanted) -> list[str]:
    """The driver's flags for what the spans of a trial say of it."""
    return ["--run", run, "--trial", str(wanted.id), "--model", wanted.arm.model]


def trace_file(place: Place, name: str) -> list[str]:
    """The flag for where a process leaves its spans."""
    return ["--trace-file", str(place.folder / "traces" / f"{name}.jsonl")]
