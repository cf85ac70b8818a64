"""A client's connection on a loop: reads what is there, hands its calls on, writes what fits. Knows no handler.

Which calls run where, and when, is the model's: it receives them, and answers.
"""

import socket
import time
from collections.abc import Callable

from services.runtime.answers import respond
from services.runtime.calls import Calls
from services.runtime.demultiplexer import READABLE, WRITABLE
from services.runtime.linger import LINGER_S, WRITE_STALL_S
from services.runtime.loop import Loop
from services.runtime.service import Service
from services.runtime.turns import Turns
from services.runtime.writer import Writer
from services.wire import CallCancelled, CallReceived, Code, ServerCall, ServerEvent

RECEIVE_BYTES = 64 * 1024


class Connection:
    """A non-blocking socket and its session. All of it belongs to the loop's thread."""

    __slots__ = (
        "_calls",
        "_closed",
        "_ending",
        "_flushing",
        "_lingering",
        "_loop",
        "_service",
        "_session",
        "_sock",
        "_turns",
        "_writer",
    )

    def __init__(
        self,
        sock: socket.socket,
        service: Service,
        loop: Loop,
        calls: Calls,
        closed: Callable[["Connection"], None],
    ) -> None:
        """Raises OSError where the loop cannot watch `sock`, which is then the caller's to close."""
        loop.register(sock.fileno(), self)
        self._sock = sock
        self._service = service
        self._loop = loop
        self._calls = calls
        self._closed = closed
        self._session = service.open_session()
        self._turns = Turns(self._session)
        self._writer = Writer(sock, loop)
        self._flushing = False
        self._ending = False
        self._lingering = False

    def ready(self, events: int) -> None:
        if events & ~WRITABLE and self._turns.pending:
            # Not watched for bytes now: the peer has reset the connection, which epoll reports at every wait.
            self._close()
            return
        if events & ~WRITABLE:
            try:
                data = self._sock.recv(RECEIVE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._close()
                return
            self._flushing = True  # one write for all that this turn brings
            self._turns.take(data, self._dispatch)
            if self._turns.pending:
                self._writer.read(wanted=False)  # else the loop spins while this connection pauses
                self._take_next_turn()
        self._flush()

    def send(self, call: ServerCall, message: bytes) -> None:
        """Sends one message of the response."""
        self._session.send_message(call, message)
        self._flush_soon()

    def when_room(self, call: ServerCall, then: Callable[[], None]) -> None:
        """Calls `then` once the peer has read most of what was sent, or no caller waits for `call`."""
        self._session.when_room(call, then)

    def finish(self, call: ServerCall, code: Code, why: str = "") -> None:
        """Ends `call` with a status."""
        self._session.finish(call, code, why)
        self._flush_soon()

    def drain(self) -> None:
        """Asks the client to open no more calls; the connection ends with the last one in flight."""
        self._session.drain()
        self._flush()

    def _take_next_turn(self) -> None:
        """After the other connections have had theirs."""
        self._loop.call_at(time.monotonic_ns(), self._go_on)

    def _go_on(self) -> None:
        if self._sock.fileno() < 0:
            return
        if pause_ns := self._turns.pause_ns(self._service.calls_in_flight.own()):
            self._loop.call_at(time.monotonic_ns() + pause_ns, self._go_on)
            return
        self._flushing = True
        self._turns.go_on(self._dispatch)
        if self._turns.pending:
            self._take_next_turn()
        else:
            self._writer.read(wanted=True)
        self._flush()

    def _dispatch(self, event: ServerEvent) -> None:
        if respond(self._session, self._service, event):
            return
        if isinstance(event, CallReceived):
            self._calls.received(self, event.call)
        elif isinstance(event, CallCancelled):
            self._calls.cancelled(event.call)

    def _flush_soon(self) -> None:
        """Asks for one `_flush` at the end of this round."""
        if not self._flushing:
            self._flushing = True
            self._loop.soon(self._flush)

    def _flush(self) -> None:
        """Writes as much as the socket takes; the rest when it is writable."""
        self._flushing = False
        if self._sock.fileno() < 0:
            return
        try:
            self._writer.write(self._session.data_to_send)
        except OSError:
            self._close()
            return
        if self._session.closed:
            self._end()

    def _end(self) -> None:
        """Ends the connection once all is written, or the peer has not read it in time."""
        if not self._writer.has_more:
            self._linger()
        elif not self._ending:
            self._ending = True
            self._loop.call_at(time.monotonic_ns() + int(WRITE_STALL_S * 1e9), self._close)

    def _linger(self) -> None:
        """Shuts the write side down; the peer closes in turn, or is cut off."""
        if not self._lingering:
            self._lingering = True
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError:  # ENOTCONN: the peer was first
                self._close()
                return
            self._loop.modify(self._sock.fileno(), READABLE)
            self._loop.call_at(time.monotonic_ns() + int(LINGER_S * 1e9), self._close)

    def _close(self) -> None:
        if self._sock.fileno() < 0:
            return
        self._turns.end(self._dispatch)
        self._loop.unregister(self._sock.fileno())
        self._service.close_session(self._session)
        self._sock.close()
        self._closed(self)
