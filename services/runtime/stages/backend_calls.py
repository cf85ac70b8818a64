"""The stage `call`: takes the steps that wait for the backend or for a time, many of them at once, on one loop."""

import time
from collections.abc import Callable
from functools import partial

from services.runtime.backend.backend_connection import BackendConnection
from services.runtime.callbacks.callback_waits import CallbackWaits
from services.runtime.readiness.loop import Loop
from services.runtime.service import Service
from services.runtime.stages.event import Event, StageAnswer, Status, last_answer, next_answer
from services.wire import RpcError
from services.workload.run import Run, status_of


class BackendCalls:
    """All of it belongs to the loop's thread."""

    def __init__(
        self, service: Service, loop: Loop, to_compute: Callable[[Event], None], answer: Callable[[StageAnswer], None]
    ) -> None:
        self._service = service
        self._to_compute = to_compute
        self._answer = answer
        self._identity = service.identity()
        self._waits = CallbackWaits(service.config.backend, loop, partial(BackendConnection, loop))
        self._waiting: dict[int, Run] = {}

    @property
    def waiting(self) -> int:
        """Calls that do."""
        return len(self._waiting)

    def begin(self, event: Event, ended: Callable[[], None]) -> bool:
        """Whether it waits; then `ended` is called once it does not any more."""
        run = None
        try:
            run = self._service.start(event, self._identity, event.progress)
            step = run.steps[run.taken]
            started_ns = time.monotonic_ns()
            resume = partial(self._resume, event, run, ended)
            if step.HasField("call"):
                fetch = run.fetch(step)
                note: Callable[[bytes | RpcError], None] = partial(run.fetched, fetch, started_ns)
                self._waits.fetch(fetch, run, lambda reply: resume(partial(note, reply)))
            else:
                self._waits.sleep(step.sleep.duration_us, run, lambda: resume(partial(run.slept, step, started_ns)))
        except RpcError as error:
            self._end(event, run, error)
            return False
        self._waiting[event.number] = run
        return True

    def given_up(self, number: int) -> None:
        """No caller waits for that call any more."""
        run = self._waiting.get(number)
        if run is not None:
            self._waits.interrupt(run)

    def _resume(self, event: Event, run: Run, ended: Callable[[], None], note: Callable[[], None]) -> None:
        del self._waiting[event.number]
        try:
            note()
            if run.streams:
                self._answer(next_answer(event, run, run.streamed()))
            if not run.has_streamed_much:  # else it went with that answer
                event.progress = run.hand_on()
        except Exception as error:
            self._end(event, run, error)
        else:
            if not run.has_streamed_much:
                self._to_compute(event)
        ended()

    def _end(self, event: Event, run: Run | None, error: Exception) -> None:
        last = last_answer(event, Status(*status_of(error)), run)
        if event.shape.server_streams and event.progress is not None:
            last.place = event.progress.taken  # a wait that was cut short counts as a step, and has no answer
        self._answer(last)
