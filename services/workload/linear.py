"""The handler as a straight line: where it has to wait, it blocks the thread, process or greenlet that runs it."""

import time
from collections.abc import Iterator
from typing import Protocol

from services.wire import RpcError
from services.workload.run import Fetch, Run


class Waits(Protocol):
    """How a blocking handler waits."""

    def sleep(self, duration_us: int, run: Run) -> None:
        """Returns when the time has passed, or when no caller waits for `run` any more."""

    def fetch(self, fetch: Fetch, run: Run) -> bytes | RpcError:
        """The backend's reply, or why there is none."""


def handle(run: Run, waits: Waits) -> Iterator[bytes]:
    """Runs the plan; gives its serialised replies: one after each step where they are streamed, else one."""
    for step in run.steps:
        started_ns = time.monotonic_ns()
        if step.HasField("call"):
            fetch = run.fetch(step)
            run.fetched(fetch, started_ns, waits.fetch(fetch, run))
        elif step.HasField("sleep"):
            waits.sleep(step.sleep.duration_us, run)
            run.slept(step, started_ns)
        elif step.HasField("transfer"):
            for _ in run.transfer(step):
                waits.sleep(0, run)
        else:
            run.work(step)
        if run.streams:
            yield run.streamed()
    if not run.streams:
        yield run.reply()
