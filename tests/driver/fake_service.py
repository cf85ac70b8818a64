"""A service that follows a script. It has what each call in turn gets, from no answer to a lost connection."""

import contextlib
import enum
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sweetspot.v1.workload_pb2 import RunReply

from services.network.address import Address
from services.wire import CallReceived, Code, Limits, ServerCall, ServerSession, Shape

STALL_S = 0.3
BACKLOG = 64


class Act(enum.Enum):
    REPLY = enum.auto()
    REFUSE = enum.auto()
    """Status RESOURCE_EXHAUSTED."""
    RESET = enum.auto()
    """RST_STREAM."""
    IGNORE = enum.auto()
    """Never answered."""
    TURN_AWAY = enum.auto()
    """RST_STREAM which means that nothing was done for the call (REFUSED_STREAM)."""
    DROP = enum.auto()
    """The connection is closed."""
    STALL = enum.auto()
    """The whole service stands still for STALL_S, then replies; of a stream it sends the first reply before."""
    GARBAGE = enum.auto()
    """A reply that is no RunReply."""
    NOTHING = enum.auto()
    """Status OK, and no reply."""


Script = Callable[[int], Act]


@dataclass
class FakeService:
    """Listens on loopback as long as `running` holds. `script` gets each call's number, from 0."""

    script: Script
    limits: Limits = Limits()
    host: str = "here"
    room: int = 1 << 30
    """Connections that it takes; it closes others at once."""
    calls: int = 0
    accepted: int = 0
    calls_of_connection: Counter[ServerSession] = field(default_factory=Counter)
    """Of those with a call."""
    traceparents: set[str] = field(default_factory=set)
    _sessions: dict[int, tuple[socket.socket, ServerSession]] = field(default_factory=dict)
    _epoll: select.epoll = field(default_factory=select.epoll)

    @contextmanager
    def running(self, host: str = "127.0.0.1") -> Iterator[Address]:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, 0), family=family, backlog=BACKLOG)
        waker, wakened = socket.socketpair()
        thread = threading.Thread(target=self._serve, args=(listener, wakened))
        thread.start()
        try:
            yield Address(*listener.getsockname()[:2])
        finally:
            waker.close()
            thread.join()
            wakened.close()
            listener.close()
            self._epoll.close()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._sessions)

    def hang_up(self) -> None:
        """Ends every connection; returns when all are closed."""
        for connection, _ in tuple(self._sessions.values()):
            connection.shutdown(socket.SHUT_RDWR)
        while self._sessions:
            time.sleep(0.001)

    def _serve(self, listener: socket.socket, wakened: socket.socket) -> None:
        for each in (listener, wakened):
            self._epoll.register(each, select.EPOLLIN)
        while True:
            for fd, _ in self._epoll.poll():
                if fd == wakened.fileno():
                    for connection, _ in self._sessions.values():
                        connection.close()
                    return
                if fd == listener.fileno():
                    self._accept(listener)
                else:
                    self._receive(fd)

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        if len(self._sessions) >= self.room:
            connection.close()
            return
        self.accepted += 1
        methods = {
            b"/sweetspot.v1.Workload/Run": Shape.UNARY,
            b"/sweetspot.v1.Workload/RunStream": Shape.SERVER_STREAMING,
        }
        session = ServerSession(methods, self.limits)
        self._sessions[connection.fileno()] = connection, session
        self._epoll.register(connection, select.EPOLLIN)
        connection.sendall(session.data_to_send())

    def _receive(self, fd: int) -> None:
        connection, session = self._sessions[fd]
        try:
            data = connection.recv(65536)
        except ConnectionResetError:
            data = b""
        acts = [
            self._act(connection, session, event.call)
            for event in session.receive_data(data)
            if isinstance(event, CallReceived)
        ]
        if Act.DROP in acts or not data:
            del self._sessions[fd]
            connection.close()
        else:
            with contextlib.suppress(ConnectionError):  # the driver was stopped and has left
                connection.sendall(session.data_to_send())

    def _act(self, connection: socket.socket, session: ServerSession, call: ServerCall) -> Act:
        act = self.script(self.calls)
        self.calls += 1
        self.calls_of_connection[session] += 1
        self.traceparents |= {value for name, value in call.head.trace_context if name == "traceparent"}
        match act:
            case Act.REFUSE:
                session.finish(call, Code.RESOURCE_EXHAUSTED, "the queue is full")
            case Act.RESET:
                session.finish(call)
                session._http2.reset_stream(call.stream_id, 0x2)
            case Act.TURN_AWAY:
                session.finish(call)
                session._http2.reset_stream(call.stream_id, 0x7)
            case Act.GARBAGE:
                session.reply(call, b"\xff")
            case Act.NOTHING:
                session.finish(call)
            case Act.STALL | Act.REPLY:
                streamed = call.shape is Shape.SERVER_STREAMING
                if streamed:
                    session.send_message(call, self._reply(checksum=3))
                if act is Act.STALL:
                    connection.sendall(session.data_to_send())
                    time.sleep(STALL_S)
                if streamed:
                    session.send_message(call, self._reply(checksum=4))
                    session.send_message(call, self._reply(checksum=5))
                    session.finish(call)
                else:
                    session.reply(call, self._reply(checksum=5))
        return act

    def _reply(self, checksum: int) -> bytes:
        return RunReply(model="fake", host=self.host, process=7, worker="w", checksum=checksum).SerializeToString()
