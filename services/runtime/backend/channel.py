"""Calls to the backend on one connection that all handlers of a loop share. Knows no socket and no loop.

A loop's own file connects, reads and writes; this one pairs replies with those who wait for them.
"""

import time
from collections.abc import Callable

from services.network.address import Address
from services.wire import CallEnded, ClientCall, ClientSession, Code, RpcError
from services.workload.run import FETCH_PATH, Fetch

Then = Callable[[bytes | RpcError], None]
NO_BACKEND = Code.FAILED_PRECONDITION, "this service was started without --backend"
"""How a call ends that asks for the backend, where there is none."""


class Channel:
    """A session towards the backend. Every `start` is followed by exactly one call of its `then`, or by `give_up`."""

    def __init__(self, backend: Address) -> None:
        self._backend = backend
        self._session = ClientSession(str(backend))
        self._why = ""

    @property
    def closed(self) -> bool:
        """Nothing more will come: close the socket."""
        return self._session.closed

    @property
    def takes_calls(self) -> bool:
        """Whether `start` may be called. If not, open another channel; calls in flight on this one continue."""
        return not (self._session.going_away or self._session.closed)

    def start(self, fetch: Fetch, then: Then) -> ClientCall:
        """Starts a call; raises RpcError UNAVAILABLE where `takes_calls` is false."""
        timeout_ns = None if fetch.deadline_ns is None else fetch.deadline_ns - time.monotonic_ns()
        return self._session.start(
            FETCH_PATH, fetch.request, timeout_ns=timeout_ns, metadata=fetch.metadata, context=then
        )

    def give_up(self, call: ClientCall) -> None:
        """No caller waits for `call` any more; its `then` will not be called."""
        self._session.cancel(call)

    def lost(self, why: str) -> None:
        """The connection is gone: every call that waits ends with UNAVAILABLE."""
        self._why = why
        self.receive_data(b"")

    def receive_data(self, data: bytes) -> None:
        """Passes what came on to those who wait; b"" means that the backend has closed."""
        for event in self._session.receive_data(data):
            if isinstance(event, CallEnded):
                call = event.call
                then: Then = call.context  # type: ignore[assignment]
                if call.code is Code.OK and call.reply is not None:
                    then(call.reply)
                else:
                    why = self._why or call.message
                    then(RpcError(call.code or Code.UNKNOWN, f"backend {self._backend}: {why}"))

    def data_to_send(self) -> bytes:
        """The next bytes for the backend."""
        return self._session.data_to_send()
