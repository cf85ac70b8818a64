"""Services that a counting acts on while they work: started, loaded, and looked at.

The service has one CPU and everything else the others, as in an experiment, where there are two. Must not know what is
counted, nor a model.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sweetspot.v1.control_pb2 import SnapshotReply

from tools.control import ControlClient
from tools.local import LocalError, Pinning, Process, Programs, running_on, started
from tools.serving import LocalService, LocalSetup, listening, starting
from tools.slices import OPENING_TIMEOUT_S, SliceDriver

PlanJson = Mapping[str, Any]
"""A RunRequest as protobuf-JSON."""
PATIENCE_S = 10.0
"""Until a service has come to a state: its queues are empty within milliseconds."""
LOOK_S = 0.02
FOR_EVER_S = 3600


@contextmanager
def serving(
    programs: Programs, model: str, options: Mapping[str, str | float] | None = None, *, traces: Path | None = None
) -> Iterator[LocalService]:
    """A service of that model. With `traces`, a folder, it leaves its spans there. Raises LocalError."""
    pinning = Pinning.over(os.sched_getaffinity(0))
    setup = LocalSetup(traces or Path(), programs, pinning, traced=traces is not None)
    cpus = [] if pinning is None else pinning.service
    with (
        running_on([] if pinning is None else pinning.others),
        starting(setup, model, (options or {}).items(), cpus=cpus) as process,
    ):
        yield listening(process)


@contextmanager
def plan_file(plan: PlanJson) -> Iterator[Path]:
    """The plan as a file that a driver reads."""
    with tempfile.TemporaryDirectory(prefix="sweetspot-") as folder:
        path = Path(folder) / "plan.json"
        path.write_text(json.dumps(plan), encoding="utf-8")
        yield path


@contextmanager
def loading(
    programs: Programs, service: LocalService, plan: PlanJson, **flags: float
) -> Iterator[tuple[Process, Path]]:
    """A driver, and the file for its result. `connections=8` is its `--connections=8`. Raises LocalError."""
    with plan_file(plan) as path:
        out = path.with_name("result.json")
        with started("driver", [*programs.driver, *_flags(service, path, flags), f"--out={out}"]) as driver:
            yield driver, out


@contextmanager
def loaded(programs: Programs, service: LocalService, plan: PlanJson, **flags: float) -> Iterator[None]:
    """Load without end, whose result is not looked at. Flags as in `loading`. Raises LocalError."""
    with loading(programs, service, plan, warmup=0, duration=FOR_EVER_S, **flags) as (driver, _):
        driver.expect("measuring", OPENING_TIMEOUT_S)
        yield


@contextmanager
def sliced(driver: SliceDriver, name: str, service: LocalService, plan: PlanJson, **flags: float) -> Iterator[None]:
    """Connections of that name, which the driver loads slice by slice. Flags as in `loading`. Raises LocalError."""
    with plan_file(plan) as path:
        driver.open(name, _flags(service, path, flags))
        try:
            yield
        finally:
            driver.drop(name)


@contextmanager
def ordering(programs: Programs, service: LocalService, plan: PlanJson, **flags: int) -> Iterator[Process]:
    """The driver of one connection (services/driver/order.py), whose flags are as in `loading`. Raises LocalError."""
    with (
        plan_file(plan) as path,
        started("driver", [*programs.order, *_flags(service, path, flags)], answers=True) as process,
    ):
        yield process


def _flags(service: LocalService, plan: Path, flags: Mapping[str, float]) -> list[str]:
    return [f"--address={service.address}", f"--plan={plan}", *(f"--{name}={value}" for name, value in flags.items())]


def wait_until(control: ControlClient, so: Callable[[SnapshotReply], bool], what: str) -> SnapshotReply:
    """Looks at a service's counters until they are so. Raises LocalError, which names `what` did not come about."""
    until_s = time.monotonic() + PATIENCE_S
    while not so(reply := control.snapshot()):
        if time.monotonic() > until_s:
            raise LocalError(f"{reply.model}: {what} within {PATIENCE_S:.0f} s")
        time.sleep(LOOK_S)
    return reply
