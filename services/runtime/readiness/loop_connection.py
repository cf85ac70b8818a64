"""A client's connection on an event loop, in the order of its life: accept, read, run, write, close.

    listener is readable --> accept --> register the socket
    socket is readable ----> recv ----> calls of the session --> run, by `calls`
                                                                  |
    socket is writable ----> write <----- end of the round <----- send, finish
    drain is readable -----> drain each; the last call --> shut down --> close

All of it belongs to the loop's thread. Knows no handler: `calls` decides which thread or process runs a call.
"""

import logging
import socket
import time
from collections.abc import Callable

from services.network.receive import RECEIVE_BYTES
from services.runtime.answers.responders import respond
from services.runtime.connections.accept import accept_ready
from services.runtime.connections.linger import LINGER_S, WRITE_STALL_S
from services.runtime.connections.open_connections import OpenConnections
from services.runtime.connections.turns import Turns
from services.runtime.readiness.calls import CallRunner
from services.runtime.readiness.demultiplexer import READABLE, WRITABLE
from services.runtime.readiness.loop import Loop
from services.runtime.readiness.writer import Writer
from services.runtime.service import Service
from services.runtime.shortage import PAUSE_S
from services.wire import CallCancelled, CallReceived, Code, ServerCall, ServerEvent

_logger = logging.getLogger(__name__)


class Acceptor:
    """Accepts all connections that wait at a listener. It owns the listener, which is registered with `loop`."""

    def __init__(self, service: Service, loop: Loop, listener: socket.socket, connections: "LoopConnections") -> None:
        listener.setblocking(False)
        self._service = service
        self._loop = loop
        self._listener = listener
        self._connections = connections

    def ready(self, events: int) -> None:
        for sock in accept_ready(self._listener, self._service.shortage, self._pause):
            self._connections.add(sock)

    def close(self) -> None:
        """Accepts no more."""
        self._loop.unregister(self._listener)
        self._listener.close()

    def _pause(self) -> None:
        self._loop.pause(self._listener, PAUSE_S)


class LoopConnections(OpenConnections["LoopConnection"]):
    """The open connections of a loop that waits for readiness."""

    def __init__(self, service: Service, loop: Loop, calls: CallRunner) -> None:
        super().__init__(service, loop)
        self._watching = loop
        self._calls = calls
        self._has_rejected = False

    def add(self, sock: socket.socket) -> None:
        """Registers a connected, non-blocking socket. Closes one that the loop cannot watch, and logs the first."""
        connection = LoopConnection(sock, self._service, self._watching, self._calls, self.closed)
        try:
            self._watching.register(sock, connection)
        except OSError as error:
            connection.release()
            if not self._has_rejected:
                self._has_rejected = True
                _logger.warning("connections are rejected: %s", error.strerror)
            return
        self.hold(connection)


class LoopConnection:
    """A non-blocking socket, registered with `loop`, and its session."""

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
        calls: CallRunner,
        closed: Callable[["LoopConnection"], None],
    ) -> None:
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

    def _dispatch(self, event: ServerEvent) -> None:
        if respond(self._session, self._service, event):
            return
        if isinstance(event, CallReceived):
            self._calls.received(self, event.call)
        elif isinstance(event, CallCancelled):
            self._calls.cancelled(event.call)

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

    def drain(self) -> None:
        """Asks the client to open no more calls; the connection ends with the last one in flight."""
        self._session.drain()
        self._flush()

    def check_peer(self) -> None:
        """Ends what waits for a peer that has been silent for too long."""
        if self._turns.check_peer(self._dispatch):
            self._flush()

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
            self._loop.modify(self._sock, READABLE)
            self._loop.call_at(time.monotonic_ns() + int(LINGER_S * 1e9), self._close)

    def _close(self) -> None:
        if self._sock.fileno() < 0:
            return
        self._turns.end(self._dispatch)
        self._loop.unregister(self._sock)
        self.release()
        self._closed(self)

    def release(self) -> None:
        """Gives the session and the socket back, which is not registered."""
        self._service.close_session(self._session)
        self._sock.close()


class Drainer:
    """Drains a loop once the service is asked to stop: it accepts no more, and its connections end with their calls."""

    def __init__(self, service: Service, loop: Loop, acceptor: Acceptor, connections: LoopConnections) -> None:
        self._service = service
        self._loop = loop
        self._acceptor = acceptor
        self._connections = connections

    def ready(self, events: int) -> None:
        self._loop.unregister(self._service.drain)  # it stays readable
        self._acceptor.close()
        self._connections.drain()
