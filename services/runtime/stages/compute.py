"""The stage `compute`: takes the steps of a call up to one that waits, or to its end. Never waits itself.

A stream of which much was sent leaves the stage too: it goes to the front with its answer, and waits there.
"""

import threading
from collections.abc import Callable

from services.runtime.service import Service
from services.runtime.stages.event import Event, StageAnswer, Status, last_answer, next_answer
from services.wire import Code
from services.workload import stages
from services.workload.run import Run, status_of


class Compute:
    """For any thread that has a call to run; `to_call` and `answer` are called by that thread."""

    def __init__(
        self, service: Service, to_call: Callable[[Event], None], answer: Callable[[StageAnswer], None]
    ) -> None:
        self._service = service
        self._to_call = to_call
        self._answer = answer
        self._own = _ThreadState(service)

    def run(self, event: Event) -> None:
        """Hands it on to `call`, or answers it, or both."""
        messages: list[bytes] = []
        run: Run | None = None
        status = Status(Code.OK)

        def send(message: bytes) -> None:
            if run is not None and run.streams:
                self._answer(next_answer(event, run, message))
            else:
                messages.append(message)

        try:
            run = self._service.start(event, self._own.identity, event.progress)
            if not stages.compute(run, send):
                if not run.has_streamed_much:  # else it went with the last answer
                    event.progress = run.hand_on()
                    self._to_call(event)
                return
        except Exception as error:
            status = Status(*status_of(error))
        self._answer(last_answer(event, status, run, messages[0] if messages else None))


class _ThreadState(threading.local):
    """What each thread has for itself."""

    def __init__(self, service: Service) -> None:
        self.identity = service.identity()
