"""One thread, one epoll loop: readiness comes in, callbacks go out.

                       .-----------------------------.
    c1 ----.           |            loop             |
    c2 ----+--> epoll -+-> readable: recv, run, send |
    c3 ----'           |-> writable: send the rest   |
    listener --------->|-> readable: accept          |
    drain ------------>|-> readable: say goodbye     |
    backend <--------->|-> readable: what comes next |
    timers ----------->|-> due: what comes next      |
                       '-----------------------------'
         (all through epoll; a timer is its timeout)

Who waits      The loop, in epoll_wait, for everything at once. A handler leaves a callback and returns. (Two waits
               block the loop all the same: looking up the backend's name, and a pause when descriptors run out.)
What bounds it One CPU. A handler that blocks or computes stalls every connection for as long (loop lag).
When full      Readiness waits in the kernel: socket buffers fill, and flow control slows the clients down.
               MAX_CONCURRENT_STREAMS bounds the calls of each connection.
After          Schmidt, "Reactor", in Pattern-Oriented Software Architecture 2.

Some facts about epoll (epoll(7)): it is level-triggered unless asked otherwise, so a handler may leave
data in the socket and is called again; it says what is ready, and the handler does the reading; asking
for EPOLLOUT while there is nothing to send would wake the loop at once, for ever, so it is asked for
only after a short send, and while a connection to the backend is being made.
"""

import heapq
import itertools
import os
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from services.runtime.accept import accept_ready
from services.runtime.answers import respond
from services.runtime.channel import Channel, Then
from services.runtime.config import Address
from services.runtime.lag import PERIOD_NS, LoopLag
from services.runtime.linger import LINGER_S
from services.runtime.service import Service
from services.wire import CallCancelled, CallReceived, ClientCall, Code, RpcError, ServerCall, ServerEvent
from services.workload import callbacks
from services.workload.run import Fetch, Run

RECEIVE_BYTES = 64 * 1024


def serve(service: Service) -> None:
    """Serves until drained."""
    loop = Loop()
    acceptor = Acceptor(service, loop)
    loop.register(acceptor.listener.fileno(), acceptor)
    loop.register(service.drain.fileno(), Drainer(service, loop, acceptor))
    loop.watch_lag(service.loop_lag)
    loop.run()


class Handler(Protocol):
    """What the loop calls when a descriptor is ready."""

    def ready(self, events: int) -> None: ...


Timer = list[Any]  # [due_ns, sequence, callback or None]; a heap of lists, so that cancelling is an assignment


class Loop:
    """The demultiplexer and dispatcher. It knows descriptors, times and callbacks, and nothing of gRPC."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._timers: list[Timer] = []
        self._sequence = itertools.count()
        self._soon: list[Callable[[], None]] = []
        self._running = True

    def register(self, fd: int, handler: Handler, events: int = select.EPOLLIN) -> None:
        self._handlers[fd] = handler
        self._epoll.register(fd, events)

    def modify(self, fd: int, events: int) -> None:
        self._epoll.modify(fd, events)

    def unregister(self, fd: int) -> None:
        del self._handlers[fd]
        self._epoll.unregister(fd)

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Timer:
        """Calls `callback` once, at CLOCK_MONOTONIC `due_ns` or soon after; `timer[2] = None` takes that back."""
        timer = [due_ns, next(self._sequence), callback]
        heapq.heappush(self._timers, timer)
        return timer

    def soon(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once this round's events are dispatched."""
        self._soon.append(callback)

    def watch_lag(self, lag: LoopLag) -> None:
        """Notes every PERIOD_NS how late that timer runs."""
        due_ns = time.monotonic_ns() + PERIOD_NS

        def note() -> None:
            lag.note(time.monotonic_ns() - due_ns)
            self.watch_lag(lag)

        self.call_at(due_ns, note)

    def stop(self) -> None:
        self._running = False

    def run(self) -> None:
        """Waits and dispatches until `stop`."""
        while self._running:
            for fd, events in self._epoll.poll(self._wait_s()):
                handler = self._handlers.get(fd)  # an earlier handler of this round may have closed it
                if handler is not None:
                    handler.ready(events)
            now_ns = time.monotonic_ns()
            while self._timers and self._timers[0][0] <= now_ns:
                callback = heapq.heappop(self._timers)[2]
                if callback is not None:
                    callback()
            while self._soon:
                due, self._soon = self._soon, []
                for callback in due:
                    callback()

    def _wait_s(self) -> float | None:
        if not self._timers:
            return None
        wait_ns: int = self._timers[0][0] - time.monotonic_ns()
        return max(wait_ns, 0) / 1e9


class Writer:
    """Writes what a session has to say, as much as the socket takes; has the loop tell when it takes the rest."""

    __slots__ = ("_loop", "_sock", "unsent")

    def __init__(self, sock: socket.socket, loop: Loop) -> None:
        self._sock = sock
        self._loop = loop
        self.unsent = b""

    def write(self, data_to_send: Callable[[], bytes]) -> None:
        """Raises OSError when the connection is gone."""
        had_unsent = bool(self.unsent)
        try:
            while data := self.unsent or data_to_send():
                self.unsent = data
                self.unsent = data[self._sock.send(data) :]
                if self.unsent:
                    break
        except BlockingIOError:
            pass
        if had_unsent != bool(self.unsent):
            self._loop.modify(self._sock.fileno(), select.EPOLLIN | (select.EPOLLOUT if self.unsent else 0))


class Acceptor:
    """Accepts; each connection gets a handler of its own."""

    def __init__(self, service: Service, loop: Loop) -> None:
        self._service = service
        self._loop = loop
        self._identity = service.identity()
        self._waits = CallbackWaits(service.config.backend, loop)
        self.connections: set[Connection] = set()
        self.listener = service.listen()
        self.listener.setblocking(False)

    def ready(self, events: int) -> None:
        for sock in accept_ready(self.listener):
            connection = Connection(
                sock, self._service, self._loop, self._waits, identity=self._identity, closed=self.closed
            )
            self.connections.add(connection)
            self._loop.register(sock.fileno(), connection)

    def closed(self, connection: "Connection") -> None:
        self.connections.discard(connection)
        if self._service.drain.requested and not self.connections:
            self._loop.stop()


class Drainer:
    """Stops accepting, tells every client, and ends the loop with the last connection or when time is up."""

    def __init__(self, service: Service, loop: Loop, acceptor: Acceptor) -> None:
        self._service = service
        self._loop = loop
        self._acceptor = acceptor

    def ready(self, events: int) -> None:
        self._loop.unregister(self._service.drain.fileno())
        self._loop.unregister(self._acceptor.listener.fileno())
        self._acceptor.listener.close()
        for connection in tuple(self._acceptor.connections):
            connection.drain()
        if not self._acceptor.connections:
            self._loop.stop()
        self._loop.call_at(time.monotonic_ns() + int(self._service.config.drain_timeout_s * 1e9), self._loop.stop)


class Connection:
    """A client's connection: reads what is there, runs it, writes what fits."""

    __slots__ = (
        "_closed",
        "_flushing",
        "_identity",
        "_lingering",
        "_loop",
        "_service",
        "_session",
        "_sock",
        "_waits",
        "_writer",
    )

    def __init__(
        self,
        sock: socket.socket,
        service: Service,
        loop: Loop,
        waits: "CallbackWaits",
        *,
        identity: bytes,
        closed: Callable[["Connection"], None],
    ) -> None:
        self._sock = sock
        self._service = service
        self._loop = loop
        self._waits = waits
        self._identity = identity
        self._closed = closed
        self._session = service.open_session()
        self._writer = Writer(sock, loop)
        self._flushing = False
        self._lingering = False

    def ready(self, events: int) -> None:
        if events & ~select.EPOLLOUT:
            try:
                data = self._sock.recv(RECEIVE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._close()
                return
            self._flushing = True  # one write for all that this read brings
            for event in self._session.receive_data(data):
                self._dispatch(event)
        self.flush()

    def drain(self) -> None:
        """Tells the client to open no more calls."""
        self._session.drain()
        self.flush()

    def flush_soon(self) -> None:
        """Asks for one `flush` at the end of this round."""
        if not self._flushing:
            self._flushing = True
            self._loop.soon(self.flush)

    def flush(self) -> None:
        """Writes as much as the socket takes; the rest when it is writable."""
        self._flushing = False
        if self._sock.fileno() < 0:
            return
        try:
            self._writer.write(self._session.data_to_send)
        except OSError:
            self._close()
            return
        if self._session.closed and not self._writer.unsent:
            self._linger()

    def _dispatch(self, event: ServerEvent) -> None:
        if respond(self._session, self._service, event):
            return
        if isinstance(event, CallReceived):
            self._run(event.call)
        elif isinstance(event, CallCancelled) and isinstance(event.call.context, Run):
            self._waits.interrupt(event.call.context)

    def _run(self, call: ServerCall) -> None:
        session = self._session
        try:
            run = call.context = self._service.start(call, self._identity)
        except RpcError as error:
            session.finish(call, error.code, error.message)
            return

        def send(message: bytes) -> None:
            session.send_message(call, message)
            self.flush_soon()

        def done(code: Code, why: str) -> None:
            session.finish(call, code, why)
            self.flush_soon()
            run.end(code)

        callbacks.handle(run, self._waits, send, done)

    def _linger(self) -> None:
        """Shuts the write side down; the peer closes in turn, or is cut off."""
        if not self._lingering:
            self._lingering = True
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError:  # ENOTCONN: the peer was first
                self._close()
                return
            self._loop.modify(self._sock.fileno(), select.EPOLLIN)
            self._loop.call_at(time.monotonic_ns() + int(LINGER_S * 1e9), self._close)

    def _close(self) -> None:
        if self._sock.fileno() < 0:
            return
        for event in self._session.receive_data(b""):
            self._dispatch(event)
        self._loop.unregister(self._sock.fileno())
        self._service.close_session(self._session)
        self._sock.close()
        self._closed(self)


class CallbackWaits:
    """How callbacks wait: a timer, or a backend call on the one connection that this loop keeps."""

    def __init__(self, backend: Address | None, loop: Loop) -> None:
        self._backend = backend
        self._loop = loop
        self._connection: BackendConnection | None = None
        self._waiting: dict[Run, Waiting] = {}

    def sleep(self, duration_us: int, run: Run, then: Callable[[], None]) -> None:
        due_ns = time.monotonic_ns() + duration_us * 1000
        if run.deadline_ns is not None:
            due_ns = min(due_ns, run.deadline_ns)
        timer = self._loop.call_at(due_ns, lambda: self.interrupt(run))
        self._waiting[run] = Waiting(lambda _: then(), timer)

    def fetch(self, fetch: Fetch, run: Run, then: Then) -> None:
        if self._backend is None:
            error = RpcError(Code.FAILED_PRECONDITION, "this service was started without --backend")
            self._loop.soon(lambda: then(error))
            return
        if self._connection is None or self._connection.channel.closed:
            self._connection = BackendConnection(self._backend, self._loop)
        connection = self._connection
        try:
            call = connection.channel.start(fetch, lambda reply: self._resume(run, reply))
        except RpcError as refused:
            error = refused
            self._loop.soon(lambda: then(error))
            return
        connection.flush_soon()
        timer = None if run.deadline_ns is None else self._loop.call_at(run.deadline_ns, lambda: self.interrupt(run))
        self._waiting[run] = Waiting(then, timer, connection, call)

    def interrupt(self, run: Run) -> None:
        """Ends whatever `run` waits for, now: its time has come, or nobody waits for it any more."""
        waiting = self._waiting.get(run)
        if waiting is not None:
            if waiting.connection is not None and waiting.call is not None:
                waiting.connection.channel.give_up(waiting.call)
                waiting.connection.flush_soon()
            self._resume(run, RpcError(Code.CANCELLED, "nobody waits for the backend any more"))

    def _resume(self, run: Run, reply: bytes | RpcError) -> None:
        waiting = self._waiting.pop(run, None)
        if waiting is not None:
            if waiting.timer is not None:
                waiting.timer[2] = None
            waiting.then(reply)


@dataclass(slots=True)
class Waiting:
    """What resumes a run, and what to take back when it resumes early."""

    then: Then
    timer: Timer | None
    connection: "BackendConnection | None" = None
    call: ClientCall | None = None


class BackendConnection:
    """The loop's connection to the backend: connects, reads and writes without waiting."""

    def __init__(self, backend: Address, loop: Loop) -> None:
        self.channel = Channel(backend)
        self._loop = loop
        self._flushing = False
        self._sock = socket.socket(socket.AF_INET6 if ":" in backend.host else socket.AF_INET)
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._writer = Writer(self._sock, loop)
        self._connected = False
        try:
            # EINPROGRESS: EPOLLOUT tells the outcome (connect(2)). A name is looked up first, and that blocks the loop.
            self._sock.connect_ex((backend.host, backend.port))
        except socket.gaierror as error:
            self._sock.close()
            why = str(error.strerror)
            loop.soon(lambda: self.channel.lost(why))
        else:
            loop.register(self._sock.fileno(), self, select.EPOLLOUT)

    def ready(self, events: int) -> None:
        if not self._connected:
            errno = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if errno:
                self._close(os.strerror(errno))
                return
            self._connected = True
            self._loop.modify(self._sock.fileno(), select.EPOLLIN)
        elif events & ~select.EPOLLOUT:
            try:
                data = self._sock.recv(RECEIVE_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                self._close(error.strerror or str(error))
                return
            self.channel.receive_data(data)
            if self.channel.closed:
                self._close("connection closed")
                return
        self.flush()

    def flush_soon(self) -> None:
        """Asks for one `flush` at the end of this round."""
        if not self._flushing:
            self._flushing = True
            self._loop.soon(self.flush)

    def flush(self) -> None:
        """Writes as much as the socket takes; the rest when it is writable."""
        self._flushing = False
        if not self._connected or self._sock.fileno() < 0:
            return
        try:
            self._writer.write(self.channel.data_to_send)
        except OSError as error:
            self._close(error.strerror or str(error))
            return

    def _close(self, why: str) -> None:
        if self._sock.fileno() >= 0:
            self._loop.unregister(self._sock.fileno())
            self._sock.close()
        self.channel.lost(why)
