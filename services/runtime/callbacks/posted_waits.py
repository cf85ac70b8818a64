"""How a thread waits beside a loop: the loop waits for it, and the thread blocks until the loop notifies it. No I/O of
its own."""

from collections.abc import Callable
from functools import partial
from queue import SimpleQueue

from services.runtime.callbacks.callback_waits import CallbackWaits
from services.runtime.readiness.wakeup import Wakeup
from services.wire import Code, RpcError
from services.workload.run import Fetch, Run


class PostedWaits:
    """`CallbackWaits` for handlers that block. One for all threads: it has no state."""

    def __init__(self, waits: CallbackWaits, wakeup: Wakeup) -> None:
        self._waits = waits
        self._wakeup = wakeup

    def sleep(self, duration_us: int, run: Run) -> None:
        """Returns when the time has passed, or when `run` is interrupted."""
        self._wait(run, lambda then: self._waits.sleep(duration_us, run, partial(then, None)))

    def fetch(self, fetch: Fetch, run: Run) -> bytes | RpcError:
        """The backend's reply, or why there is none."""
        reply = self._wait(run, lambda then: self._waits.fetch(fetch, run, then))
        return RpcError(Code.CANCELLED, "cancelled by the caller") if reply is None else reply

    def _wait(
        self, run: Run, begin: Callable[[Callable[[bytes | RpcError | None], None]], None]
    ) -> bytes | RpcError | None:
        results: SimpleQueue[bytes | RpcError | None] = SimpleQueue()

        def in_loop() -> None:
            if run.cancelled:  # while this was on its way; there was nothing yet to interrupt
                results.put(None)
            else:
                begin(results.put)

        self._wakeup.post(in_loop)
        return results.get()
