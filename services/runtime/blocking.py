"""What blocking models share: a connection that threads may answer on, and a call that one of them runs.

Which thread reads, which one runs a call, and how many there are is the model's.
"""

import select
import socket
import struct
import threading
import time

from services.network.address import Address
from services.network.connect import CHECK_S, connect
from services.runtime.answers import respond
from services.runtime.connector import CONNECT_TIMEOUT_S
from services.runtime.drain import DRAIN_POLL_S
from services.runtime.linger import LINGER_S, WRITE_STALL_S, linger
from services.runtime.service import Service
from services.runtime.turns import Turns
from services.wire import ClientSession, Code, RpcError, ServerCall, ServerEvent
from services.workload import linear
from services.workload.run import FETCH_PATH, ROOM_CHECK_S, Fetch, Run, status_of

RECEIVE_BYTES = 64 * 1024
GIVE_WAY_S = 1e-6
"""Time between two turns of one connection. For a sleep of 0 gevent runs what is ready, and looks at no socket."""


class Connection:
    """A blocking socket and its session.

    Guarantees: one thread reads; any thread may answer; the lock is never held while a handler runs or a thread waits
    for the peer. One thread writes at a time, and also writes what the others leave during that time. So a peer that
    does not read blocks one thread of a pool, not each that answers it. After WRITE_STALL_S such a peer loses the
    connection.
    """

    def __init__(self, sock: socket.socket, service: Service, waiters: threading.Semaphore | None = None) -> None:
        """`waiters` bounds the threads that wait for the peer to read, where there are only so many."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", WRITE_STALL_S, 0))
        self._sock = sock
        self._service = service
        self._waiters = waiters
        self._session = service.open_session()
        self._turns = Turns(self._session)
        self._lock = threading.Lock()
        self._written = threading.Condition(self._lock)
        self._is_writing = False
        self._reader: int | None = None
        self._ahead: list[ServerEvent] = []  # read while the reading thread waited for room
        self._draining = False
        self._cut_off: threading.Timer | None = None

    def receive_or_drain(self) -> list[ServerEvent] | None:
        """`receive`, for a thread that has no other one to call `drain` when the service is asked to stop."""
        if self._turns.pending or self._ahead:
            return self.receive()
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        if not self._draining:
            poll.register(self._service.drain, select.POLLIN)
            poll.poll()
            poll.unregister(self._service.drain)
            if self._service.drain.requested:
                self.drain()
        if self._draining:
            while not poll.poll(DRAIN_POLL_S * 1000):
                if self._service.drained():
                    self.abort()
        return self.receive()

    def receive(self) -> list[ServerEvent] | None:
        """What the peer asks for next, health and reflection already answered; None once the connection is over."""
        if self._ahead:
            ahead, self._ahead = self._ahead, []
            return ahead
        return self._receive()

    def _receive(self) -> list[ServerEvent] | None:
        self._reader = threading.get_ident()
        events: list[ServerEvent] = []

        def deal(event: ServerEvent) -> None:
            if not respond(self._session, self._service, event):
                events.append(event)

        if self._turns.pending:
            time.sleep(GIVE_WAY_S)
            with self._lock:
                self._turns.go_on(deal)
                unsent = self._begin_to_write()
        else:
            data = self._read()
            with self._lock:
                self._turns.take(data, deal)
                unsent = self._begin_to_write()
        self._write(unsent)
        return None if self._session.closed and not (events or self._turns.pending) else events

    def run(self, call: ServerCall, waits: linear.Waits, identity: bytes) -> None:
        """Runs one call in the calling thread, from its request to its status."""
        run = None
        code, why = Code.OK, ""
        try:
            run = self._service.start(call, identity)
            for message in linear.handle(run, waits):
                with self._lock:
                    self._session.send_message(call, message)
                    unsent = self._begin_to_write() if run.streams else b""
                self._write(unsent)
                if run.has_streamed_much:
                    self._wait_for_room(call, run)
        except Exception as error:
            code, why = status_of(error)
        self.finish(call, code, why)
        if run is not None:
            run.end(code)

    def _wait_for_room(self, call: ServerCall, run: Run) -> None:
        """Returns once the peer has read most of what was sent. Raises RpcError if no caller waits for the call."""
        room = threading.Event()
        with self._lock:
            self._session.when_room(call, room.set)
        # Whether the peer reads is learned by the thread that reads: where that is this one, it reads on.
        if self._reader == threading.get_ident():
            poll = select.poll()
            poll.register(self._sock, select.POLLIN)
            while not room.is_set():
                run.check()
                if self._turns.pending or poll.poll(ROOM_CHECK_S * 1000):
                    self._ahead += self._receive() or ()
        run.wait_for_room(room, self._waiters)

    def finish(self, call: ServerCall, code: Code, message: str) -> None:
        """Ends a call with a status."""
        with self._lock:
            self._session.finish(call, code, message)
            unsent = self._begin_to_write()
            if not unsent:
                self._end_if_over()
        self._write(unsent)

    def drain(self) -> None:
        """Asks the peer to open no more calls; the connection ends with the last one in flight."""
        self._draining = True
        with self._lock:
            self._session.drain()
            unsent = self._begin_to_write()
        self._write(unsent)

    def close(self) -> None:
        """Gives the socket back; by the reading thread, once `receive` gave None."""
        self._service.close_session(self._session)
        with self._lock:
            self._wait_until_written()
        linger(self._sock)
        with self._lock:
            self._wait_until_written()  # what a thread writes by now fails at once
            self._sock.close()
            if self._cut_off is not None:
                self._cut_off.cancel()

    def abort(self) -> None:
        """Ends the connection with whatever is in flight on it; its reading thread will see that."""
        self._shutdown(socket.SHUT_RDWR)

    def _read(self) -> bytes:
        while True:
            try:
                return self._sock.recv(RECEIVE_BYTES)
            except TimeoutError:  # of a green thread's socket, where it bounds only what is sent
                continue
            except OSError:
                return b""

    def _end_if_over(self) -> None:
        if self._session.closed and not self._is_writing and self._cut_off is None and self._sock.fileno() >= 0:
            self._end()

    def _end(self) -> None:
        """Ends our side. The peer ends its own in turn or is cut off, and either wakes the thread in `receive`."""
        self._shutdown(socket.SHUT_WR)
        self._cut_off = threading.Timer(LINGER_S, self.abort)
        self._cut_off.daemon = True
        try:
            self._cut_off.start()
        except RuntimeError:  # pthread_create(3): EAGAIN
            self.abort()

    def _shutdown(self, how: int) -> None:
        try:
            self._sock.shutdown(how)
        except OSError:  # ENOTCONN, EBADF: the peer or the reader was first
            return

    def _begin_to_write(self) -> bytes:
        """With the lock: what this thread is to `_write` without it; b"" where another one writes, or nothing is."""
        if self._is_writing:
            return b""
        data = self._session.data_to_send()
        self._is_writing = bool(data)
        return data

    def _write(self, data: bytes) -> None:
        """Writes what `_begin_to_write` gave, and what there is by then."""
        try:
            while data:
                self._send(data)
                with self._lock:
                    data = self._session.data_to_send()
                    if not data:
                        self._end_writing()
                        self._end_if_over()
                if data:
                    time.sleep(GIVE_WAY_S)  # a peer may read as fast as this writes
        except OSError:
            with self._lock:
                self._end_writing()
                for event in self._session.receive_data(b""):  # who runs a call looks whether it is cancelled
                    respond(self._session, self._service, event)
            self._shutdown(socket.SHUT_RDWR)

    def _end_writing(self) -> None:
        self._is_writing = False
        self._written.notify_all()

    def _wait_until_written(self) -> None:
        self._written.wait_for(lambda: not self._is_writing)

    def _send(self, data: bytes) -> None:
        # Not `sendall`, which waits anew whenever the peer has read a little.
        until_s = time.monotonic() + WRITE_STALL_S
        unsent = memoryview(data)
        while unsent := unsent[self._sock.send(unsent) :]:
            if time.monotonic() >= until_s:
                raise TimeoutError


class Connections:
    """The open connections of a blocking model, for the one who drains them."""

    def __init__(self) -> None:
        self._open: set[Connection] = set()
        self._changed = threading.Condition()

    def add(self, connection: Connection) -> None:
        with self._changed:
            self._open.add(connection)

    def discard(self, connection: Connection) -> None:
        with self._changed:
            self._open.discard(connection)
            self._changed.notify_all()

    def drain(self, service: Service) -> None:
        """Drains all; those that are still open when the drain is over are cut off."""
        with self._changed:
            connections = tuple(self._open)
        for connection in connections:
            connection.drain()
        with self._changed:
            while self._open and not service.drained():
                self._changed.wait(DRAIN_POLL_S)
            connections = tuple(self._open)
        for connection in connections:
            connection.abort()


class BlockingWaits:
    """How a thread waits: it sleeps, or it blocks in `recv` on a backend connection of its own. Not shared."""

    def __init__(self, backend: Address | None) -> None:
        self._backend = backend
        self._sock: socket.socket | None = None
        self._session: ClientSession | None = None

    def sleep(self, duration_us: int, run: Run) -> None:
        """Sleeps, and looks every CHECK_S whether anyone still waits; 0 just gives the interpreter lock away."""
        if not duration_us:
            time.sleep(0)
        until_ns = time.monotonic_ns() + duration_us * 1000
        while (left_s := (until_ns - time.monotonic_ns()) / 1e9) > 0:
            time.sleep(min(left_s, CHECK_S))
            run.check()

    def fetch(self, fetch: Fetch, run: Run) -> bytes | RpcError:
        """Calls the backend; looks every CHECK_S whether anyone still waits."""
        timeout_ns = None if fetch.deadline_ns is None else fetch.deadline_ns - time.monotonic_ns()
        try:
            sock, session = self._connected(run)
            call = session.start(FETCH_PATH, fetch.request, timeout_ns=timeout_ns, metadata=fetch.metadata)
            while call.code is None:
                while data := session.data_to_send():
                    sock.sendall(data)
                try:
                    received = sock.recv(RECEIVE_BYTES)
                except TimeoutError:
                    run.check()
                    continue
                session.receive_data(received)
        except RpcError as error:
            self.close()
            return error
        except OSError as error:
            self.close()
            return RpcError(Code.UNAVAILABLE, f"backend {self._backend}: {error.strerror or error}")
        if session.closed:
            self.close()
        if call.code is Code.OK and call.reply is not None:
            return call.reply
        return RpcError(call.code, call.message)

    def close(self) -> None:
        """Closes the backend connection; the next `fetch` opens another."""
        if self._sock is not None:
            self._sock.close()
        self._sock = self._session = None

    def _connected(self, run: Run) -> tuple[socket.socket, ClientSession]:
        if self._backend is None:
            raise RpcError(Code.FAILED_PRECONDITION, "this service was started without --backend")
        if self._sock is None or self._session is None:
            self._sock = connect(self._backend, CONNECT_TIMEOUT_S, run.check)
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._session = ClientSession(str(self._backend))
        return self._sock, self._session
