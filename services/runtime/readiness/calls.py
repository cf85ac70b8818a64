"""The interface between a connection that never waits and the code that runs its calls. Neither knows the other."""

from collections.abc import Callable
from typing import Protocol

from services.wire import Code, ServerCall


class ResponseSink(Protocol):
    """The connection that a call came on, as the code that runs the call sees it. Belongs to the loop's thread."""

    def send(self, call: ServerCall, message: bytes) -> None:
        """Sends one message of the response."""

    def when_room(self, call: ServerCall, then: Callable[[], None]) -> None:
        """Calls `then`, now or later, once the peer has read most of what was sent, or no caller waits for `call`."""

    def finish(self, call: ServerCall, code: Code, why: str = "") -> None:
        """Ends `call` with a status; exactly once, cancelled or not."""


class CallRunner(Protocol):
    """What a model does with the calls that a connection reads. Called by the loop's thread, and may not wait."""

    def received(self, connection: ResponseSink, call: ServerCall) -> None:
        """Has it run, here or elsewhere, now or later; it ends with `connection.finish`."""

    def cancelled(self, call: ServerCall) -> None:
        """No caller waits for it any more; it must still be finished."""
