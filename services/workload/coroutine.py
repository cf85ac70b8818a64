"""The handler as a coroutine: the same straight line, and every place where it lets others run has `await`."""

import time
from collections.abc import AsyncIterator
from typing import Protocol

from services.wire import RpcError
from services.workload.run import Fetch, Run


class Waits(Protocol):
    """How a coroutine waits."""

    async def sleep(self, duration_us: int, run: Run) -> None:
        """Returns when the time has passed."""

    async def fetch(self, fetch: Fetch, run: Run) -> bytes | RpcError:
        """The backend's reply, or why there is none."""


async def handle(run: Run, waits: Waits) -> AsyncIterator[bytes]:
    """Runs the plan; gives its serialised replies: one after each step where they are streamed, else one."""
    for step in run.steps:
        started_ns = time.monotonic_ns()
        if step.HasField("call"):
            fetch = run.fetch(step)
            run.fetched(fetch, started_ns, await waits.fetch(fetch, run))
        elif step.HasField("sleep"):
            await waits.sleep(step.sleep.duration_us, run)
            run.slept(step, started_ns)
        elif step.HasField("transfer"):
            for _ in run.transfer(step):
                await waits.sleep(0, run)
        else:
            run.work(step)
        if run.streams:
            yield run.streamed()
    if not run.streams:
        yield run.reply()
