"""The handler of `coroutine` for a service whose own function is async: it also awaits the steps with that function.

It is apart from `coroutine`, because that one is compared with the other styles line by line.
"""

import time
from collections.abc import AsyncIterator, Callable

from sweetspot.v1.workload_pb2 import Compute

from services.workload import coroutine, own
from services.workload.run import Run

Handler = Callable[[Run, coroutine.Waits], AsyncIterator[bytes]]


def handler() -> Handler:
    """What runs the calls of this process. Its own function must be known by now."""
    return handle if own.is_async() else coroutine.handle


async def handle(run: Run, waits: coroutine.Waits) -> AsyncIterator[bytes]:
    """As `coroutine.handle`."""
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
        elif step.HasField("compute") and step.compute.engine == Compute.ENGINE_OWN:
            await run.await_own(step)
        else:
            run.work(step)
        if run.streams:
            yield run.streamed()
    if not run.streams:
        yield run.reply()
