"""One thread, one io_uring: what is to be done is submitted, and what has been done comes back.

                submitted                  completed       .----------------------------.
    accept ---------.                                      |          proactor          |
    receive c1 ------+                              .-----> | accepted: receive, too     |
    receive c2 ------+-->  io_uring (the kernel) ---+-----> | received: run, send        |
    send c2 ---------+     waits, reads, writes     +-----> | sent: send what came since |
    backend ---------+                              +-----> | replied: what comes next   |
    timeouts --------'                              '-----> | due: what comes next       |
         ^                                                 '-------------.--------------'
         '---------------------------------------------------------------'

Who waits      The kernel, for everything; the thread, in io_uring_enter, for the next completion. Each completion
               reports what has happened: the bytes are there, or they are gone. (A thread looks the backend's name up.)
               With `--hand-off threads` a thread of the pool waits until the loop passes it the kernel's result.
What bounds it One CPU, as in the reactor: a handler that blocks or computes stalls every connection. `--hand-off`
               avoids that: it runs handlers on a pool of threads, or in processes that each have an interpreter lock
               and a ring. Buffers to receive into are shared (4 MiB) and taken when bytes come: an idle connection
               holds none.
When full      Completions wait in the kernel, and flow control slows the clients down; MAX_CONCURRENT_STREAMS bounds
               the calls of each connection. `queue_bound` calls wait for the pool, or for a process to begin them; a
               further one is answered RESOURCE_EXHAUSTED. The calls of a process that dies are UNAVAILABLE.
After          Schmidt, "Proactor", in Pattern-Oriented Software Architecture 2: the kernel is its asynchronous
               operation processor, the ring its completion event queue; io_uring(7).

A reactor learns that it may read, and reads; here one system call submits a round's requests and collects its
completions. Without `--hand-off threads`, there is no other on the way of a call. What a completion brings is whole and
in memory, so it can be handed to another process as bytes over a pair of sockets: a request there, its replies back. A
large payload stays.
"""

import errno
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from services.models import PROACTOR_HAND_OFF
from services.network.address import Address
from services.network.attempts import TIMED_OUT
from services.network.names import Endpoint
from services.runtime.answers.responders import respond
from services.runtime.backend.channel import Channel
from services.runtime.backend.connector import Connector, NameLookups
from services.runtime.callbacks.callback_waits import CallbackWaits
from services.runtime.callbacks.inline import InlineCalls
from services.runtime.callbacks.posted_waits import PostedWaits
from services.runtime.connections.accept import ACCEPT_LOST_ERRNOS
from services.runtime.connections.linger import LINGER_S
from services.runtime.connections.open_connections import OpenConnections
from services.runtime.connections.turns import Turns
from services.runtime.proactor.link import CompletionLink
from services.runtime.proactor.loop import Proactor, SocketStream, ignore
from services.runtime.proactor.ring import MORE, require_io_uring
from services.runtime.processes.mailbox import Mailbox, Receiver
from services.runtime.processes.process_calls import Askers, ProcessCalls
from services.runtime.processes.supervisor import serve_behind_a_front
from services.runtime.readiness.calls import CallRunner
from services.runtime.readiness.wakeup import Wakeup
from services.runtime.service import Service
from services.runtime.shortage import PAUSE_S, Shortage
from services.runtime.threads.pool import PooledCalls
from services.runtime.workers import processes
from services.wire import CallCancelled, CallReceived, Code, ServerCall, ServerEvent


def serve(service: Service) -> None:
    """Serves until drained. Raises NotHereError."""
    require_io_uring()
    if service.config[PROACTOR_HAND_OFF] == "processes":
        serve_by_processes(service)
        return
    proactor = Proactor()
    waits = CallbackWaits(service.config.backend, proactor, partial(ProactorBackendConnection, proactor))
    calls: CallRunner = InlineCalls(service, waits)
    if service.config[PROACTOR_HAND_OFF] == "threads":
        wakeup = Wakeup()
        proactor.register(wakeup, wakeup)
        posted = PostedWaits(waits, wakeup)
        calls = PooledCalls(service, lambda: posted, wakeup, waits.interrupt)
    run(service, proactor, service.listen(), calls)


def run(service: Service, proactor: Proactor, listener: socket.socket, calls: CallRunner) -> None:
    """Accepts, reads and writes until drained; what runs is up to `calls`."""
    connections = ProactorConnections(service, proactor, calls)
    acceptor = ProactorAcceptor(listener, proactor, connections, service.shortage)
    acceptor.accept()
    proactor.ring.poll(service.drain.fileno(), lambda *_: acceptor.close())
    service.loop_lag.watch(proactor)
    while not connections.drained():
        proactor.dispatch(proactor.completions())


def serve_by_processes(service: Service) -> None:
    """Worker 0 does all I/O with clients. The others run the calls that it hands them, with a ring in each."""
    mailboxes = [Mailbox() for _ in range(processes(service.config))]

    def front(listener: socket.socket, ready: Callable[[], None]) -> None:
        proactor = Proactor()
        calls = ProcessCalls(service, proactor, mailboxes, partial(CompletionLink, proactor=proactor))
        calls.connect()
        ready()
        run(service, proactor, listener, calls)

    def worker(mailbox: Mailbox, ready: Callable[[], None]) -> None:
        proactor = Proactor()
        waits = CallbackWaits(service.config.backend, proactor, partial(ProactorBackendConnection, proactor))
        calls = InlineCalls(service, waits)
        askers = Askers(service, proactor, mailbox, partial(CompletionLink, proactor=proactor), calls)
        proactor.register(mailbox, Receiver(mailbox, proactor, service.shortage, askers.connected))
        proactor.register(service.drain, askers)
        service.loop_lag.watch(proactor)
        ready()
        while not askers.drained():
            proactor.dispatch(proactor.completions())

    serve_behind_a_front(service, front, [partial(worker, mailbox) for mailbox in mailboxes])


class ProactorAcceptor:
    """One request accepts every connection there will be."""

    def __init__(
        self, listener: socket.socket, proactor: Proactor, connections: "ProactorConnections", shortage: Shortage
    ) -> None:
        self._listener = listener
        self._shortage = shortage
        self._proactor = proactor
        self._connections = connections
        self._closing = False

    def accept(self) -> None:
        """From now on accepts."""
        self._proactor.ring.accept(self._listener.fileno(), self._accepted)

    def close(self) -> None:
        """Accepts no more, and drains the connections that there are."""
        self._closing = True
        self._proactor.ring.shutdown(self._listener.fileno(), socket.SHUT_RDWR, ignore)  # ends the request
        self._connections.drain()

    def _accepted(self, result: int, flags: int) -> None:
        if result >= 0:
            self._connections.add(result)
        elif self._closing:
            self._listener.close()
            return
        elif -result not in ACCEPT_LOST_ERRNOS:
            self._shortage.of_descriptors(OSError(-result, os.strerror(-result)))
            self._proactor.call_at(time.monotonic_ns() + round(PAUSE_S * 1e9), self.accept)
            return
        if not flags & MORE:
            self.accept()


class ProactorConnections(OpenConnections["ProactorConnection"]):
    """Those of the proactor."""

    def __init__(self, service: Service, proactor: Proactor, calls: CallRunner) -> None:
        super().__init__(service, proactor)
        self._proactor = proactor
        self._calls = calls

    def add(self, fd: int) -> None:
        """Takes over a connected descriptor."""
        connection = ProactorConnection(fd, self._service, self._proactor, self._calls, self.closed)
        connection.receive()
        self.hold(connection)


class ProactorConnection:
    """A client's connection: hands on the calls that it receives, and sends what becomes of them."""

    __slots__ = (
        "_calls",
        "_closed",
        "_lingering",
        "_proactor",
        "_received",
        "_service",
        "_session",
        "_stream",
        "_turns",
    )

    def __init__(
        self,
        fd: int,
        service: Service,
        proactor: Proactor,
        calls: CallRunner,
        closed: Callable[["ProactorConnection"], None],
    ) -> None:
        self._service = service
        self._proactor = proactor
        self._calls = calls
        self._closed = closed
        self._lingering = False
        self._session = service.open_session()
        self._turns = Turns(self._session)
        self._received: deque[bytes] = deque()
        """What came before the receive was given up, and waits for its turn."""
        self._stream = SocketStream(fd, proactor, self)

    def receive(self) -> None:
        """From now on receives."""
        self._stream.read(wanted=True)

    def send(self, call: ServerCall, message: bytes) -> None:
        """Sends one message of the response."""
        self._session.send_message(call, message)
        self._stream.flush_soon()

    def when_room(self, call: ServerCall, then: Callable[[], None]) -> None:
        """Calls `then` once the peer has read most of what was sent, or no caller waits for `call`."""
        self._session.when_room(call, then)

    def finish(self, call: ServerCall, code: Code, why: str = "") -> None:
        """Ends `call` with a status."""
        self._session.finish(call, code, why)
        self._stream.flush_soon()

    def drain(self) -> None:
        """Asks the client to open no more calls; the connection ends with the last one in flight."""
        self._session.drain()
        self._stream.flush()

    def check_peer(self) -> None:
        """Ends what waits for a peer that has been silent for too long."""
        if not self._received and self._turns.check_peer(self._dispatch):
            self._stream.flush()

    def data_received(self, data: bytes) -> None:
        if not data:
            self._received.clear()
            self._turns.end(self._dispatch)
        elif self._turns.pending or self._received:
            self._received.append(data)
        else:
            self._turns.take(data, self._dispatch)
            if self._turns.pending:
                self._stream.read(wanted=False)
                self._take_next_turn()

    def data_to_send(self) -> bytes:
        data = self._session.data_to_send()
        if not data and self._session.closed and not self._lingering:
            self._lingering = True
            self._stream.shutdown(socket.SHUT_WR)  # the peer closes in turn, or is cut off
            cut_off = partial(self._stream.shutdown, socket.SHUT_RDWR)
            self._proactor.call_at(time.monotonic_ns() + round(LINGER_S * 1e9), cut_off)
        return data

    def _take_next_turn(self) -> None:
        """After the other connections have had theirs."""
        self._proactor.call_at(time.monotonic_ns(), self._go_on)

    def _go_on(self) -> None:
        if pause_ns := self._turns.pause_ns(self._service.calls_in_flight.own()):
            self._proactor.call_at(time.monotonic_ns() + pause_ns, self._go_on)
            return
        if self._turns.pending:
            self._turns.go_on(self._dispatch)
        elif self._received:
            self._turns.take(self._received.popleft(), self._dispatch)
        if self._turns.pending or self._received:
            self._take_next_turn()
        else:
            self._stream.read(wanted=True)
        self._stream.flush_soon()

    def _dispatch(self, event: ServerEvent) -> None:
        if respond(self._session, self._service, event):
            return
        if isinstance(event, CallReceived):
            self._calls.received(self, event.call)
        elif isinstance(event, CallCancelled):
            self._calls.cancelled(event.call)

    def stream_closed(self) -> None:
        self._service.close_session(self._session)
        self._closed(self)


class ProactorBackendConnection:
    """The loop's connection to the backend."""

    def __init__(self, proactor: Proactor, backend: Address, names: NameLookups) -> None:
        self.channel = Channel(backend)
        self._proactor = proactor
        self._stream: SocketStream | None = None
        self._connector = Connector(backend, proactor, names, self)

    def connect(self) -> None:
        """Begins to connect; calls that were started before are sent when it is connected."""
        self._connector.start()

    def begin(self, endpoint: Endpoint) -> None:
        sock = socket.socket(endpoint.family, socket.SOCK_STREAM)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._fd = sock.detach()
        self._connect = self._proactor.ring.connect(self._fd, _sockaddr(endpoint), self._connected)

    def give_up(self) -> None:
        self._proactor.ring.give_up(self._connect)

    def unconnected(self, why: str) -> None:
        self.channel.lost(why)

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
            self._connector.refused(TIMED_OUT if result == -errno.ECANCELED else os.strerror(-result))
            return
        self._connector.connected()
        self._stream = SocketStream(self._fd, self._proactor, self)
        self._stream.read(wanted=True)
        self._stream.flush()


def _sockaddr(endpoint: Endpoint) -> bytes:
    """An address as the kernel wants it (ip(7), ipv6(7))."""
    host, port, *ipv6 = endpoint.sockaddr
    family, packed = struct.pack("=H", endpoint.family), socket.inet_pton(endpoint.family, host)
    if endpoint.family == socket.AF_INET:
        return family + struct.pack("!H4s8x", port, packed)
    flow, scope = ipv6
    return family + struct.pack("!HI16s", port, flow, packed) + struct.pack("=I", scope)
