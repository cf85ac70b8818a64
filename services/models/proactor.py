"""One thread, one io_uring: what is to be done is submitted, and what has been done comes back.

                submitted                  completed       .----------------------------.
    accept ---------.                                      |          proactor          |
    receive c1 ------+                              .-----> | accepted: receive, too     |
    receive c2 ------+-->  io_uring (the kernel) ---+-----> | received: run, send        |
    send c2 ---------+     waits, reads, writes     +-----> | sent: send the rest        |
    backend ---------+                              +-----> | replied: what comes next   |
    timeouts --------'                              '-----> | due: what comes next       |
         ^                                                 '-------------.--------------'
         '---------------------------------------------------------------'

Who waits      The kernel, for everything; the thread, in io_uring_enter, for the next completion. What it is told of
               has happened: the bytes are there, or they are gone. (The look-up of the backend's name blocks it.)
What bounds it One CPU, as the reactor's: a handler that blocks or computes stalls every connection. Buffers to receive
               into are shared (4 MiB in all) and taken when bytes come, so an idle connection costs none.
When full      Completions wait in the kernel, and flow control slows the clients down. MAX_CONCURRENT_STREAMS bounds
               the calls of each connection.
After          Schmidt, "Proactor", in Pattern-Oriented Software Architecture 2: the kernel is its asynchronous
               operation processor, the ring its completion event queue; io_uring(7).

A reactor learns that it may read, and reads; here one system call submits a round's requests and collects its
completions, and there is no other on the way of a call.
"""

import errno
import os
import socket
import struct
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from services.runtime.accept import ACCEPT_CAPACITY_ERRNOS, ACCEPT_LOST_ERRNOS, CAPACITY_PAUSE_S
from services.runtime.answers import respond
from services.runtime.callback_waits import CallbackWaits
from services.runtime.calls import Calls
from services.runtime.channel import Channel
from services.runtime.config import Address
from services.runtime.demultiplexer import READABLE
from services.runtime.drain import DRAIN_POLL_S
from services.runtime.inline import InlineCalls
from services.runtime.linger import LINGER_S
from services.runtime.loop import Handler
from services.runtime.pool import Pool, PooledCalls
from services.runtime.posted_waits import PostedWaits
from services.runtime.service import Service
from services.runtime.uring import MORE, Ring
from services.runtime.wakeup import Wakeup
from services.wire import CallCancelled, CallReceived, Code, ServerCall


def serve(service: Service) -> None:
    """Serves until drained. Raises NotHereError."""
    proactor = Proactor()
    waits = CallbackWaits(service.config.backend, proactor, partial(BackendConnection, proactor))
    calls: Calls = InlineCalls(service, waits)
    if service.config.hand_off == "threads":
        wakeup = Wakeup(proactor)
        posted = PostedWaits(waits, wakeup)
        calls = PooledCalls(service, Pool(service, lambda: posted), wakeup, waits.interrupt)
    connections = Connections(service, proactor, calls)
    acceptor = Acceptor(service.listen(), proactor, connections)
    proactor.ring.poll(service.drain.fileno(), lambda *_: acceptor.close())
    service.loop_lag.watch(proactor)
    proactor.run()


class Proactor:
    """Dispatches completions to whoever is to be told. It knows times and callbacks, and nothing of gRPC."""

    def __init__(self) -> None:
        self.ring = Ring()
        self._soon: list[Callable[[], None]] = []
        self._running = True

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> int:
        """Calls `callback` once, at CLOCK_MONOTONIC `due_ns` or soon after, unless it is cancelled before."""
        return self.ring.timeout(due_ns, lambda *_: callback())

    def cancel(self, timer: int) -> None:
        """Takes a `call_at` back; nothing where its time has come already."""
        self.ring.cancel(timer)

    def soon(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once this round's completions are dispatched."""
        self._soon.append(callback)

    def register(self, fd: int, handler: Handler) -> None:
        """Tells `handler` whenever `fd`, an eventfd, is written to."""
        self.ring.poll(fd, lambda *_: handler.ready(READABLE))

    def stop(self) -> None:
        self._running = False

    def run(self) -> None:
        """Submits, waits and dispatches until `stop`."""
        while self._running:
            for told, result, flags in self.ring.wait():
                told(result, flags)
            while self._soon:
                due, self._soon = self._soon, []
                for callback in due:
                    callback()


class Acceptor:
    """One request accepts every connection there will be."""

    def __init__(self, listener: socket.socket, proactor: Proactor, connections: "Connections") -> None:
        self._listener = listener
        self._proactor = proactor
        self._connections = connections
        self._closing = False
        self._accept()

    def close(self) -> None:
        """Accepts no more, and drains the connections that there are."""
        self._closing = True
        self._proactor.ring.shutdown(self._listener.fileno(), socket.SHUT_RDWR, ignore)  # ends the request
        self._connections.drain()

    def _accept(self) -> None:
        self._proactor.ring.accept(self._listener.fileno(), self._accepted)

    def _accepted(self, result: int, flags: int) -> None:
        if result >= 0:
            self._connections.add(result)
        elif self._closing:
            self._listener.close()
            return
        elif -result in ACCEPT_CAPACITY_ERRNOS:
            self._proactor.call_at(time.monotonic_ns() + round(CAPACITY_PAUSE_S * 1e9), self._accept)
            return
        elif -result not in ACCEPT_LOST_ERRNOS:
            raise OSError(-result, os.strerror(-result))
        if not flags & MORE:
            self._accept()


class Connections:
    """Those that are open. Once the service drains, the loop stops with the last of them."""

    def __init__(self, service: Service, proactor: Proactor, calls: Calls) -> None:
        self._service = service
        self._proactor = proactor
        self._calls = calls
        self._open: set[Connection] = set()

    def add(self, fd: int) -> None:
        """Takes over a connected descriptor."""
        connection = Connection(fd, self._service, self._proactor, self._calls, self._open.discard)
        self._open.add(connection)
        if self._service.drain.requested:
            connection.drain()

    def drain(self) -> None:
        """Tells every client, and stops the loop with the last connection or when the drain is over."""
        for connection in tuple(self._open):
            connection.drain()
        self._look()

    def _look(self) -> None:
        if not self._open or self._service.drained():
            self._proactor.stop()
        else:
            self._proactor.call_at(time.monotonic_ns() + round(DRAIN_POLL_S * 1e9), self._look)


class Owner(Protocol):
    """Whose bytes a stream carries."""

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer; b"" says, once, that there will be no more."""

    def data_to_send(self) -> bytes:
        """The next bytes for the peer; b"" where there are none, and then the stream is asked to `flush` again."""

    def stream_closed(self) -> None:
        """The descriptor is given back."""


class Stream:
    """A connected descriptor: one receive is always submitted, and one send as long as there is something to send.

    It is closed once the receive is over and no send and no shutdown is left. A shutdown waits for a thread of the
    kernel, which looks the descriptor up only then: by that time another connection could have its number.
    """

    __slots__ = ("_fd", "_flushing", "_owner", "_proactor", "_receiving", "_ring", "_sending", "_shutting")

    def __init__(self, fd: int, proactor: Proactor, owner: Owner) -> None:
        self._fd = fd
        self._proactor = proactor
        self._ring = proactor.ring
        self._owner = owner
        self._flushing = False
        self._sending = 0
        self._shutting = 0
        self._receiving = True
        self._ring.receive(fd, self._received)

    def flush_soon(self) -> None:
        """Asks for one `flush` at the end of this round."""
        if not self._flushing:
            self._flushing = True
            self._proactor.soon(self.flush)

    def flush(self) -> None:
        """Submits the next bytes, or has the send that is on its way do so when it completes."""
        self._flushing = False
        if self._receiving and not self._sending and (data := self._owner.data_to_send()):
            self._sending = len(data)
            self._ring.send(self._fd, data, self._sent)

    def shutdown(self, how: int) -> None:
        """As shutdown(2). SHUT_RDWR ends what is submitted, and so the stream."""
        if self._receiving or self._sending:
            self._shutting += 1
            self._ring.shutdown(self._fd, how, self._shut)

    def _received(self, result: int, flags: int) -> None:
        if result > 0:
            self._flushing = True  # one send for all that these bytes bring
            self._owner.data_received(self._ring.received(result, flags))
            self.flush()
        elif result != -errno.ENOBUFS:
            self._receiving = False
            self._owner.data_received(b"")
            self.shutdown(socket.SHUT_RDWR)  # else a peer that does not read could hold the last send for ever
            self._close_if_over()
            return
        if not flags & MORE:
            self._ring.receive(self._fd, self._received)

    def _sent(self, result: int, flags: int) -> None:
        failed = result != self._sending
        self._sending = 0
        if failed:
            self.shutdown(socket.SHUT_RDWR)
        else:
            self.flush()
        self._close_if_over()

    def _shut(self, result: int, flags: int) -> None:
        self._shutting -= 1
        self._close_if_over()

    def _close_if_over(self) -> None:
        if not (self._receiving or self._sending or self._shutting):
            self._ring.close(self._fd)
            self._owner.stream_closed()


class Connection:
    """A client's connection: hands on the calls that it receives, and sends what becomes of them."""

    __slots__ = ("_calls", "_closed", "_lingering", "_proactor", "_service", "_session", "_stream")

    def __init__(
        self,
        fd: int,
        service: Service,
        proactor: Proactor,
        calls: Calls,
        closed: Callable[["Connection"], None],
    ) -> None:
        self._service = service
        self._proactor = proactor
        self._calls = calls
        self._closed = closed
        self._lingering = False
        self._session = service.open_session()
        self._stream = Stream(fd, proactor, self)

    def send(self, call: ServerCall, message: bytes) -> None:
        """Sends one message of the response."""
        self._session.send_message(call, message)
        self._stream.flush_soon()

    def finish(self, call: ServerCall, code: Code, why: str = "") -> None:
        """Ends `call` with a status."""
        self._session.finish(call, code, why)
        self._stream.flush_soon()

    def drain(self) -> None:
        """Tells the client to open no more calls; the connection ends with the last one in flight."""
        self._session.drain()
        self._stream.flush()

    def data_received(self, data: bytes) -> None:
        for event in self._session.receive_data(data):
            if respond(self._session, self._service, event):
                continue
            if isinstance(event, CallReceived):
                self._calls.received(self, event.call)
            elif isinstance(event, CallCancelled):
                self._calls.cancelled(event.call)

    def data_to_send(self) -> bytes:
        data = self._session.data_to_send()
        if not data and self._session.closed and not self._lingering:
            self._lingering = True
            self._stream.shutdown(socket.SHUT_WR)  # the peer closes in turn, or is cut off
            cut_off = partial(self._stream.shutdown, socket.SHUT_RDWR)
            self._proactor.call_at(time.monotonic_ns() + round(LINGER_S * 1e9), cut_off)
        return data

    def stream_closed(self) -> None:
        self._service.close_session(self._session)
        self._closed(self)


class BackendConnection:
    """The loop's connection to the backend: connects at once, and sends what was asked for when it is connected."""

    def __init__(self, proactor: Proactor, backend: Address) -> None:
        self.channel = Channel(backend)
        self._proactor = proactor
        self._stream: Stream | None = None
        try:
            family, _, _, _, address = socket.getaddrinfo(backend.host, backend.port, type=socket.SOCK_STREAM)[0]
        except OSError as error:
            why = str(error.strerror)
            proactor.soon(lambda: self.channel.lost(why))
            return
        sock = socket.socket(family)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._fd = sock.detach()
        proactor.ring.connect(self._fd, _sockaddr(family, address), self._connected)

    def flush_soon(self) -> None:
        """Asks for one send at the end of this round."""
        if self._stream is not None:
            self._stream.flush_soon()

    def data_received(self, data: bytes) -> None:
        self.channel.receive_data(data)
        if self.channel.closed and data and self._stream is not None:
            self._stream.shutdown(socket.SHUT_RDWR)

    def data_to_send(self) -> bytes:
        return self.channel.data_to_send()

    def stream_closed(self) -> None:
        pass

    def _connected(self, result: int, flags: int) -> None:
        if result < 0:
            self._proactor.ring.close(self._fd)
            self.channel.lost(os.strerror(-result))
            return
        self._stream = Stream(self._fd, self._proactor, self)
        self._stream.flush()


def ignore(result: int, flags: int) -> None:
    """For a request whose completion changes nothing."""


def _sockaddr(family: int, address: tuple[Any, ...]) -> bytes:
    """An address of getaddrinfo as the kernel wants it (ip(7), ipv6(7))."""
    host = socket.inet_pton(family, address[0])
    if family == socket.AF_INET:
        return struct.pack("=H", family) + struct.pack("!H4s8x", address[1], host)
    return (
        struct.pack("=H", family) + struct.pack("!HI16s", address[1], address[2], host) + struct.pack("=I", address[3])
    )
