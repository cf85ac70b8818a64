"""What a call costs in memory while it waits, by style. `python -m services.workload.costs.suspended_bytes STYLE`.

A process of its own for each style, so that no style reuses memory that another one has left. There are three figures
for each call, as each shows something that the others do not. The first is what Python has allocated (tracemalloc),
without the stack of a thread. The second is what the kernel holds in memory. The third is the reserved address space,
most of which a stack never touches.
"""

import gc
import json
import resource
import sys
import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from greenlet import getcurrent, greenlet
from sweetspot.v1 import workload_pb2

from services.workload.costs import STYLES
from services.workload.costs.handlers import CoroutineWaits, LinearWaits, ParkingWaits, awaiting, run_of
from services.workload.run import Run

CALLS = 1000
PLAN = workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=1))])


@dataclass(frozen=True, slots=True)
class SuspendedBytes:
    """Bytes of one call that waits, beyond its Run, which is the same in every style."""

    allocated_bytes: int
    resident_bytes: int
    reserved_bytes: int


def measure(style: str) -> SuspendedBytes:
    """Has CALLS calls wait; once with tracemalloc, and once without, as that takes memory for each allocation."""
    runs = [run_of(PLAN) for _ in range(2 * CALLS)]
    reserved_bytes, resident_bytes = _memory()
    held = [suspend(style, runs[:CALLS])]
    reserved_then_bytes, resident_then_bytes = _memory()
    gc.collect()
    tracemalloc.start()
    held.append(suspend(style, runs[CALLS:]))
    allocated_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(held) == 2
    return SuspendedBytes(
        allocated_bytes // CALLS,
        (resident_then_bytes - resident_bytes) // CALLS,
        (reserved_then_bytes - reserved_bytes) // CALLS,
    )


def suspend(style: str, runs: list[Run]) -> list[object]:
    """Runs each call until it waits; as long as the result exists, they wait."""
    handlers = STYLES[style]
    messages: list[bytes] = []
    if style == "linear":
        return [_blocked_thread(run, messages) for run in runs]
    if style == "green":
        return [_switched_greenlet(run, messages) for run in runs]
    if style == "coroutine":
        waiting = [awaiting(handlers, run, CoroutineWaits(), messages.append) for run in runs]
        for coroutine in waiting:
            coroutine.send(None)
        return [*waiting]
    parked: list[Callable[[], None]] = []
    waits = ParkingWaits(parked.append)
    for run in runs:
        handlers.handle(run, waits, messages.append, _ignore)
    return [*parked]


def _blocked_thread(run: Run, messages: list[bytes]) -> threading.Thread:
    waiting = threading.Event()
    never = threading.Lock()
    never.acquire()

    def wait() -> None:
        waiting.set()
        never.acquire()

    handle = STYLES["linear"].handle
    thread = threading.Thread(target=lambda: messages.extend(handle(run, LinearWaits(wait))), daemon=True)
    thread.start()
    waiting.wait()
    return thread


def _switched_greenlet(run: Run, messages: list[bytes]) -> greenlet:
    handle = STYLES["green"].handle
    waiting = greenlet(lambda: messages.extend(handle(run, LinearWaits(getcurrent().parent.switch))))
    waiting.switch()
    return waiting


def _ignore(code: object, why: str) -> None:
    """For a call that never ends."""


def _memory() -> tuple[int, int]:
    """Bytes of the address space, and those in memory (proc(5), statm)."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(pages[0]) * resource.getpagesize(), int(pages[1]) * resource.getpagesize()


if __name__ == "__main__":
    print(json.dumps(asdict(measure(sys.argv[1]))), flush=True)
