"""A client's connection that threads read and write, in the order of its life: read, run, write, close.

The model decides which thread reads, which one runs a call, and how many there are.
"""

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator

from services.network.receive import RECEIVE_BYTES
from services.runtime.answers.responders import respond
from services.runtime.connections.linger import LINGER_S, WRITE_STALL_S, linger
from services.runtime.connections.turns import Turns
from services.runtime.drain import DRAIN_POLL_S
from services.runtime.service import Service
from services.wire import CallReceived, Code, ServerCall, ServerEvent
from services.workload import linear
from services.workload.run import ROOM_CHECK_S, Run, status_of

GIVE_WAY_S = 1e-6
"""Time between two turns of one connection. For a sleep of 0 gevent runs what is ready, and looks at no socket."""


class BlockingConnection:
    """A blocking socket and its session.

    Guarantees: one thread reads; any thread may answer; the lock is never held while a handler runs or a thread waits
    for the peer. One thread writes at a time, and also writes what the others leave during that time. So a peer that
    does not read blocks one thread of a pool, not each that answers it. After WRITE_STALL_S such a peer loses the
    connection.
    """

    def __init__(self, sock: socket.socket, service: Service, connections: "BlockingConnections | None" = None) -> None:
        """`connections`: those that one thread drains together. Without, the thread that reads also drains."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", WRITE_STALL_S, 0))
        self._sock = sock
        self._service = service
        self._connections = connections
        self._session = service.open_session()
        self._turns = Turns(self._session)
        self._lock = threading.Lock()
        self._written = threading.Condition(self._lock)
        self._is_writing = False
        self._reader: int | None = None
        self._ahead: list[ServerCall] = []  # read while the reading thread waited for room
        self._draining = False
        self._cut_off: threading.Timer | None = None

    def read_calls(self) -> Iterator[ServerCall]:
        """The peer's calls, in order, until the peer or the drain ends the connection. By the thread that reads."""
        receive = self._receive_alone if self._connections is None else self.receive
        while (calls := receive()) is not None:
            yield from calls

    def _receive_alone(self) -> list[ServerCall] | None:
        """`receive`, for a thread that also drains the connection and checks its peer."""
        if self._turns.pending or self._ahead:
            return self.receive()
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        if not self._draining:
            poll.register(self._service.drain, select.POLLIN)
            while not poll.poll(self._service.limits.check_s * 1000):
                self._check_and_write()
                if self._session.closed:
                    return None
            poll.unregister(self._service.drain)
            if self._service.drain.requested:
                self.drain()
        if self._draining:
            while not poll.poll(DRAIN_POLL_S * 1000):
                if self._service.drained():
                    self.abort()
        return self.receive()

    def receive(self) -> list[ServerCall] | None:
        """The next calls, after health and reflection were answered; None once the connection is over."""
        if self._ahead:
            ahead, self._ahead = self._ahead, []
            return ahead
        return self._receive()

    def _receive(self) -> list[ServerCall] | None:
        self._reader = threading.get_ident()
        calls: list[ServerCall] = []

        def deal(event: ServerEvent) -> None:
            # The thread that runs a call checks by itself whether it is cancelled.
            if not respond(self._session, self._service, event) and isinstance(event, CallReceived):
                calls.append(event.call)

        if self._turns.pending:
            time.sleep(max(self._turns.pause_ns(self._service.calls_in_flight.own()) / 1e9, GIVE_WAY_S))
            with self._lock:
                self._turns.go_on(deal)
                unsent = self._begin_to_write()
        else:
            data = self._read()
            with self._lock:
                self._turns.take(data, deal)
                unsent = self._begin_to_write()
        self._write(unsent)
        return None if self._session.closed and not (calls or self._turns.pending) else calls

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
            check_s = time.monotonic()
            while not room.is_set():
                run.check()
                if self._connections is None and time.monotonic() - check_s >= self._service.limits.check_s:
                    check_s = time.monotonic()
                    self._check_and_write()
                if self._turns.pending or poll.poll(ROOM_CHECK_S * 1000):
                    self._ahead += self._receive() or ()
        run.wait_for_room(room, None if self._connections is None else self._connections.waiters)

    def check_peer(self) -> None:
        """Ends what waits for a peer that has been silent for too long.

        It does not wait: a peer that does not take at once what is then sent loses the connection.
        """
        with self._lock:
            if not self._check_peer():
                return
            unsent = self._begin_to_write()
            is_over = self._session.closed or not self._takes(unsent)
            if unsent:
                self._end_writing()
        if is_over:
            self.abort()

    def _takes(self, data: bytes) -> bool:
        poll = select.poll()  # gevent's `send` would wait, whatever its flags
        poll.register(self._sock, select.POLLOUT)
        try:
            return not data or (bool(poll.poll(0)) and self._sock.send(data, socket.MSG_DONTWAIT) == len(data))
        except OSError:
            return False

    def _check_and_write(self) -> None:
        with self._lock:
            self._check_peer()
            unsent = self._begin_to_write()
        self._write(unsent)

    def _check_peer(self) -> bool:
        # The thread that runs a call checks by itself whether it is cancelled.
        return self._turns.check_peer(lambda event: respond(self._session, self._service, event))

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
        """Closes the socket. By the thread that reads, after the last of `read_calls`."""
        self._service.close_session(self._session)
        with self._lock:
            self._wait_until_written()
        linger(self._sock)
        with self._lock:
            self._wait_until_written()  # what a thread writes by now fails at once
            self._sock.close()
            if self._cut_off is not None:
                self._cut_off.cancel()
        if self._connections is not None:
            self._connections.closed(self)

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


class BlockingConnections:
    """The open connections of a model whose threads read one each. Another thread drains them all."""

    def __init__(self, service: Service, waiters: threading.Semaphore | None = None) -> None:
        """`waiters` bounds the threads that wait for peers to read, if calls run on a fixed number of threads."""
        self.waiters = waiters
        self._service = service
        self._open: set[BlockingConnection] = set()
        self._changed = threading.Condition()

    def open(self, sock: socket.socket) -> BlockingConnection:
        """Adds a connection. It drains at once if the service does."""
        connection = BlockingConnection(sock, self._service, self)
        with self._changed:
            self._open.add(connection)
        if self._service.drain.requested:
            connection.drain()
        return connection

    def check_peers(self) -> None:
        """Ends what waits for peers that have been silent for too long. To be called every `limits.check_s`."""
        with self._changed:
            connections = tuple(self._open)
        for connection in connections:
            connection.check_peer()

    def closed(self, connection: BlockingConnection) -> None:
        """Removes one."""
        with self._changed:
            self._open.discard(connection)
            self._changed.notify_all()

    def drain(self) -> None:
        """Drains all. Those that are still open when the drain is over are cut off."""
        with self._changed:
            connections = tuple(self._open)
        for connection in connections:
            connection.drain()
        with self._changed:
            while self._open and not self._service.drained():
                self._changed.wait(DRAIN_POLL_S)
            connections = tuple(self._open)
        for connection in connections:
            connection.abort()
