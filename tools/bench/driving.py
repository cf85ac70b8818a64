"""The driver as a process that loads one service once, and what the service used between its marks.

Must not know what is compared with what.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.local import LocalError, Process, started
from tools.processors import tree_ns
from tools.serving import LocalService

GRACE_S = 20.0
"""Time for the driver to start, and to end after measuring."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the driver sends calls."""

    warmup_s: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class CpuUse:
    """What the service used between the lines that the driver prints when measuring begins and ends."""

    elapsed_s: float
    cpu_ns: int


def drive(
    load: Sequence[str],
    plan: Mapping[str, Any],
    service: LocalService,
    timing: Timing,
    scratch: Path,
    *,
    interpreter: Sequence[str] = (sys.executable,),
    look: Callable[[], None] | None = None,
) -> tuple[dict[str, Any], CpuUse]:
    """The driver's result of a plan, and what was used between the marks. Raises LocalError.

    `load` has the driver's flags for the load. `look` is called in the middle and at the end of the measurement. With
    `look`, the driver is stopped at the end and does not wait for open calls. There may be many if more calls are
    offered than served.
    """
    asked, out = scratch / "plan.json", scratch / "result.json"
    asked.write_text(json.dumps(plan), encoding="utf-8")
    command = [*interpreter, "-m", "services.driver", f"--address={service.address}", *load, f"--plan={asked}"]
    command += [f"--warmup={timing.warmup_s}", f"--duration={timing.duration_s}", f"--out={out}"]
    with started("driver", command) as process:
        span = _between_marks(process, service, timing, look)
        if look is None:
            process.finish(GRACE_S)
        else:
            process.stop()
    result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return result, span


def _between_marks(driver: Process, service: LocalService, timing: Timing, look: Callable[[], None] | None) -> CpuUse:
    driver.expect("measuring", timing.warmup_s + GRACE_S)
    before_ns, before_cpu_ns = time.monotonic_ns(), tree_ns(service.process.pid)
    if look is not None:
        time.sleep(timing.duration_s / 2)
        look()
    driver.expect("measured", timing.duration_s + GRACE_S)
    if service.process.has_ended():
        raise LocalError(f"{service.process.name} exited during the measurement")
    after_ns, after_cpu_ns = time.monotonic_ns(), tree_ns(service.process.pid)
    if look is not None:
        look()
    return CpuUse((after_ns - before_ns) / 1e9, after_cpu_ns - before_cpu_ns)
