"""Sessions on asyncio: a connection of a server, and a loop's way to wait for the backend. Knows no handler.

For what is served beside the models (the control port, the backend) and for models whose handlers are coroutines.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Collection
from typing import Protocol, cast

from services.network.address import Address
from services.network.attempts import NOT_LOOKED_UP, TIMED_OUT, Attempts
from services.network.names import Endpoint, LookupResult, look_up_beside
from services.runtime.answers.responders import Answering, respond
from services.runtime.backend.channel import NO_BACKEND, Channel
from services.runtime.backend.connector import CONNECT_TIMEOUT_S
from services.runtime.connections.accept import accept_ready
from services.runtime.connections.linger import LINGER_S, WRITE_STALL_S
from services.runtime.connections.turns import Turns
from services.runtime.drain import DRAIN_POLL_S
from services.runtime.readiness.writer import TURN_BYTES
from services.runtime.service import Service
from services.runtime.shortage import PAUSE_S, Shortage
from services.wire import Code, RpcError, ServerEvent, ServerSession
from services.workload.run import Fetch, Run

_logger = logging.getLogger(__name__)

EventCallback = Callable[["AsyncioConnection", ServerEvent], None]
"""Called for each event without an ImmediateMethod. RpcError becomes the call's status, any other exception UNKNOWN."""


class AsyncioConnection(asyncio.Protocol):
    """One connection of a server: gives received bytes to its session, and sends the bytes that the session returns.

    It reads nothing from a peer that does not read, so that the bytes that wait for the peer are bounded. It also reads
    nothing until it has dealt with the events of its last read.
    """

    def __init__(
        self,
        session: ServerSession,
        asked: Answering,
        handle: EventCallback,
        lost: Callable[["AsyncioConnection"], None],
    ) -> None:
        self.session = session
        self._turns = Turns(session)
        self._asked = asked
        self._handle = handle
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._paused = False
        self._flush_due = False
        self._ending = False
        self._lingering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.flush()

    def data_received(self, data: bytes) -> None:
        self._turns.take(data, self._deal)
        self._end_turn()

    def connection_lost(self, exc: Exception | None) -> None:
        self._turns.end(self._deal)
        self._lost(self)

    def pause_writing(self) -> None:
        self._paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._paused = False
        if not (self._transport.is_closing() or self._turns.pending):
            self._transport.resume_reading()
        self.flush()

    def flush(self) -> None:
        """Sends the session's bytes, as far as the peer reads."""
        self._flush_due = False
        written = 0
        while not self._paused and (data := self.session.data_to_send()):
            self._transport.write(data)
            written += len(data)
            if written >= TURN_BYTES:  # a peer that reads as fast as this writes must not hold the loop
                self.flush_soon()
                return
        if self.session.closed and not (self._lingering or self._transport.is_closing()):
            self._end()

    def _end(self) -> None:
        """Ends the connection once all is written, or the peer has not read it in time."""
        if not self._paused:
            self._lingering = True
            self._transport.write_eof()
            self._loop.call_later(LINGER_S, self._transport.abort)
        elif not self._ending:
            self._ending = True
            self._loop.call_later(WRITE_STALL_S, self._transport.abort)

    def flush_soon(self) -> None:
        """`flush`, once for all that happens in this turn of the loop."""
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self.flush)

    def drain(self) -> None:
        """Asks the peer to open no more calls; the connection ends with the last one in flight."""
        self.session.drain()
        self.flush()

    def check_peer(self) -> None:
        """Ends what waits for a peer that has been silent for too long."""
        if not self._paused and self._turns.check_peer(self._deal):  # else what it sent may not have been read
            self.flush()

    def abort(self) -> None:
        """Ends the connection, whatever is in flight."""
        self._transport.abort()

    def _go_on(self) -> None:
        if not self._transport.is_closing():
            self._turns.go_on(self._deal)
            self._end_turn()

    def _end_turn(self) -> None:
        if self._turns.pending:
            self._transport.pause_reading()
            self._loop.call_soon(self._go_on)
        elif not self._paused:
            self._transport.resume_reading()
        self.flush()

    def _deal(self, event: ServerEvent) -> None:
        session = self.session
        if respond(session, self._asked, event):
            return
        try:
            self._handle(self, event)
        except RpcError as error:
            session.finish(event.call, error.code, error.message)
        except Exception:
            _logger.exception("handler failed")
            session.finish(event.call, Code.UNKNOWN, "handler failed")


class AsyncioAcceptor:
    """Accepts what waits at a listener, which it owns.

    asyncio's own accepts `backlog` times in a row where no descriptor is free, and logs a traceback for each.
    """

    def __init__(
        self, listener: socket.socket, accepted: Callable[[], asyncio.BaseProtocol], shortage: Shortage
    ) -> None:
        """`accepted` makes the protocol of a connection."""
        listener.setblocking(False)
        self._listener = listener
        self._accepted = accepted
        self._shortage = shortage
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[object]] = set()

    def accept(self) -> None:
        """From now on accepts."""
        if self._listener.fileno() >= 0:
            self._loop.add_reader(self._listener, self._ready)

    async def close(self) -> None:
        """Accepts no more. Returns once each connection that was accepted has its protocol, so that all can drain."""
        self._loop.remove_reader(self._listener)
        self._listener.close()
        if self._connecting:
            await asyncio.wait(self._connecting)

    def _pause(self) -> None:
        self._loop.remove_reader(self._listener)
        self._loop.call_later(PAUSE_S, self.accept)

    def _ready(self) -> None:
        for sock in accept_ready(self._listener, self._shortage, self._pause):
            task = self._loop.create_task(self._loop.connect_accepted_socket(self._accepted, sock))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)


class CheckedConnection(Protocol):
    """A connection."""

    def check_peer(self) -> None: ...


class PeerChecks:
    """Checks the open connections of a loop, from `start` until `stop`."""

    def __init__(self, connections: Collection[CheckedConnection], every_s: float) -> None:
        """`connections` may change in that time."""
        self._connections = connections
        self._every_s = every_s
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """From now on checks."""
        self._next = self._loop.call_later(self._every_s, self._check)

    def stop(self) -> None:
        """Checks no more."""
        self._next.cancel()

    def _check(self) -> None:
        for connection in tuple(self._connections):
            connection.check_peer()
        self.start()


async def serve_until_drained(service: Service, handle: EventCallback) -> None:
    """Serves until the service is asked to stop; calls in flight then get `drain_timeout_s`. Raises OSError."""
    loop = asyncio.get_running_loop()
    connections: set[AsyncioConnection] = set()
    drain_asked = asyncio.Event()

    def accepted() -> AsyncioConnection:
        connection = AsyncioConnection(service.open_session(), service, handle, lost)
        connections.add(connection)
        return connection

    def lost(connection: AsyncioConnection) -> None:
        connections.discard(connection)
        service.close_session(connection.session)

    loop.add_reader(service.drain, drain_asked.set)
    acceptor = AsyncioAcceptor(service.listen(), accepted, service.shortage)
    acceptor.accept()
    checks = PeerChecks(connections, service.limits.check_s)
    checks.start()
    await drain_asked.wait()
    loop.remove_reader(service.drain)
    await acceptor.close()
    for connection in tuple(connections):
        connection.drain()
    while connections and not service.drained():
        await asyncio.sleep(DRAIN_POLL_S)
    checks.stop()
    for connection in tuple(connections):
        connection.abort()


class AsyncioWaits:
    """How a coroutine waits: for a timer, or for a reply on its loop's connection to the backend.

    The first fetch makes the connection. If it was lost or is going away, the next fetch makes a new one; the calls in
    flight on the old one end there. A task that is cancelled while it waits cancels its call of the backend.
    """

    def __init__(self, backend: Address | None) -> None:
        self._backend = backend
        self._connection: AsyncioBackendConnection | None = None

    async def sleep(self, duration_us: int, run: Run) -> None:
        """Sleeps; not beyond the deadline."""
        until_ns = time.monotonic_ns() + duration_us * 1000
        if run.deadline_ns is not None:
            until_ns = min(until_ns, run.deadline_ns)
        await asyncio.sleep((until_ns - time.monotonic_ns()) / 1e9)
        while (
            left_ns := until_ns - time.monotonic_ns()
        ) > 0:  # libuv counts milliseconds, and may be early by half one
            await asyncio.sleep(left_ns / 1e9)

    async def fetch(self, fetch: Fetch, run: Run) -> bytes | RpcError:
        """The backend's reply, or why there is none: FAILED_PRECONDITION without a backend, UNAVAILABLE, and so on."""
        if self._backend is None:
            return RpcError(*NO_BACKEND)
        if self._connection is None or not self._connection.channel.takes_calls:
            self._connection = AsyncioBackendConnection(self._backend)
            self._connection.connect()
        connection = self._connection
        replied: asyncio.Future[bytes | RpcError] = asyncio.get_running_loop().create_future()

        def resume(reply: bytes | RpcError) -> None:
            if not replied.done():  # a reply may come after the cancellation, and before the task has seen that
                replied.set_result(reply)

        try:
            call = connection.channel.start(fetch, resume)
        except RpcError as error:
            return error
        connection.flush_soon()
        timeout_s = None if fetch.deadline_ns is None else (fetch.deadline_ns - time.monotonic_ns()) / 1e9
        try:
            async with asyncio.timeout(timeout_s):
                return await replied
        except TimeoutError:
            return RpcError(Code.DEADLINE_EXCEEDED, "deadline exceeded while the call waited for the backend")
        finally:
            if not replied.done() or replied.cancelled():
                connection.channel.give_up(call)
                connection.flush_soon()


class AsyncioBackendConnection(asyncio.Protocol):
    """A channel's bytes on a socket."""

    def __init__(self, backend: Address) -> None:
        self.channel = Channel(backend)
        self._backend = backend
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._flush_due = False

    def connect(self) -> None:
        """Begins to connect; calls that were started before are sent when it is connected."""
        self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        attempts = Attempts(self._backend, time.monotonic_ns() + round(CONNECT_TIMEOUT_S * 1e9))
        try:
            async with asyncio.timeout(_left_s(attempts)):
                attempts.found(await self._look_up())
        except TimeoutError:
            self.channel.lost(NOT_LOOKED_UP)
            return
        except OSError as error:
            self.channel.lost(error.strerror or str(error))
            return
        while (endpoint := attempts.next(time.monotonic_ns())) is not None:
            try:
                async with asyncio.timeout(_left_s(attempts)):
                    await self._loop.create_connection(lambda: self, endpoint.host, endpoint.port)
                return
            except TimeoutError:
                attempts.failed(TIMED_OUT)
            except OSError as error:  # asyncio words errno in its own way
                attempts.failed(os.strerror(error.errno) if error.errno else str(error))
        self.channel.lost(attempts.why)

    async def _look_up(self) -> list[Endpoint]:
        looked_up: asyncio.Future[LookupResult] = self._loop.create_future()

        def resume(found: LookupResult) -> None:
            if not looked_up.done():
                looked_up.set_result(found)

        # Not by the loop's executor: the end of the loop waits for that one's threads.
        look_up_beside(self._backend, self._loop.call_soon_threadsafe, resume)
        found = await looked_up
        if isinstance(found, OSError):
            raise found
        return found

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.flush()

    def data_received(self, data: bytes) -> None:
        self.channel.receive_data(data)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.channel.lost("connection lost" if exc is None else str(exc))

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self.flush()

    def flush(self) -> None:
        """Sends the channel's bytes, once there is a connection and as far as the backend reads."""
        self._flush_due = False
        if self._transport is None:
            return
        while not self._paused and (data := self.channel.data_to_send()):
            self._transport.write(data)
        if self.channel.closed:
            self._transport.close()

    def flush_soon(self) -> None:
        """`flush`, once for all that happens in this turn of the loop."""
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self.flush)


def _left_s(attempts: Attempts) -> float:
    return (attempts.until_ns - time.monotonic_ns()) / 1e9
