"""One asyncio loop; a coroutine reads each connection, and a task runs each call.

                       .---------------------------------------.
    c1 ----.           |  asyncio loop                         |
    c2 ----+--> epoll -+-> reader of c2: await, receive        |
    c3 ----'           |     '-> task: run, await, run, write  |---> backend
    listener --------->|-> accept                              |
                       '---------------------------------------'
           (all of it through epoll; `--loop uvloop` is the same loop in C)
           (`--processes N`: N processes that each have such a loop, or several, and a listener for each)
           (`--loops N`: N such loops in each process, a thread and a listener each)

Who waits      A coroutine, at each `await`; its frame holds its state. The thread waits only in epoll_wait. Another
               thread looks the backend's name up. With `--processes N`, a parent restarts processes that die.
What bounds it One CPU. A handler that blocks or computes without `await` stalls every connection of its loop.
               With `--processes N`, N CPUs: each process has its own interpreter, lock and memory. With `--loops N`,
               the loops share one interpreter lock, so together they compute as much as one CPU. Without that lock
               (free-threaded CPython) they use N CPUs. Calls of two such loops run at the same time, so shared data
               needs locks.
When full      Readiness waits in the kernel, as in the reactor. A peer that does not read its replies is not read from
               either. MAX_CONCURRENT_STREAMS bounds each connection's tasks.
               Each of several loops has a backlog, and the kernel chooses one by a hash of the addresses (see
               runtime/threads/loops.py). So a connection may wait for a busy loop although another one is idle, and
               is reset if that loop's process dies.
After          Adya et al., Cooperative Task Management without Manual Stack Management, USENIX 2002; PEP 492.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from functools import partial

from services.models import LOOP
from services.network.receive import RECEIVE_BYTES
from services.runtime.answers.responders import respond
from services.runtime.connections.linger import LINGER_S, WRITE_STALL_S
from services.runtime.connections.turns import Turns
from services.runtime.drain import DRAIN_POLL_S
from services.runtime.libraries.aio import AsyncioAcceptor, AsyncioWaits, PeerChecks
from services.runtime.libraries.aio_loop import new_loop
from services.runtime.processes.supervisor import serve_at_one_port
from services.runtime.readiness.writer import TURN_BYTES
from services.runtime.service import Service
from services.runtime.threads.loops import RunLoop, open_listeners, run_in_threads, serve_in_loops
from services.runtime.workers import PROCESSES
from services.wire import CallCancelled, CallReceived, Code, ServerCall, ServerEvent
from services.workload.awaiting import handler
from services.workload.run import Run, status_of

TASKS_AT_ONCE = 16
"""Tasks of one connection that begin in one iteration of the loop, which runs all that are ready before it reads. 60
tasks that each stream 64 KiB held the loop for 35 ms of CPU time."""
UNSENT_BYTES = 64 * 1024
"""In the transport: more waits in the session, which counts it."""


def serve(service: Service) -> None:
    """Serves until drained."""
    make_loop: Callable[[], asyncio.AbstractEventLoop] = partial(new_loop, service.loop_lag)
    if service.config[LOOP] == "uvloop":
        import uvloop  # noqa: PLC0415 - only where it is asked for

        make_loop = uvloop.new_event_loop

    def run_loop(listener: socket.socket) -> None:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(serve_until_drained(service, listener))

    if service.config[PROCESSES] == 1:
        serve_in_loops(service, run_loop)
    else:
        serve_in_processes(service, run_loop)


def serve_in_processes(service: Service, run_loop: RunLoop) -> None:
    """This process only reserves the port and supervises the others."""

    def work(port: int, ready: Callable[[], None]) -> None:
        listeners = open_listeners(service, port)
        ready()
        # A single loop too: asyncio swallows the TimeIsUp of a main thread that runs a task.
        run_in_threads(run_loop, listeners)

    serve_at_one_port(service, work)


async def serve_until_drained(service: Service, listener: socket.socket) -> None:
    """One loop's part."""
    waits = AsyncioWaits(service.config.backend)
    connections: dict[asyncio.Task[None], CoroutineConnection] = {}

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = CoroutineConnection(reader, writer, service, waits)
        task = asyncio.create_task(connection.serve())
        connections[task] = connection
        task.add_done_callback(connections.pop)

    drained = asyncio.Event()
    asyncio.get_running_loop().add_reader(service.drain, drained.set)

    def accepted() -> StreamProtocol:
        loop = asyncio.get_running_loop()
        return StreamProtocol(asyncio.StreamReader(RECEIVE_BYTES, loop), connected, loop)

    acceptor = AsyncioAcceptor(listener, accepted, service.shortage)
    acceptor.accept()
    checks = PeerChecks(connections.values(), service.limits.check_s)
    checks.start()
    await drained.wait()
    asyncio.get_running_loop().remove_reader(service.drain)
    await acceptor.close()
    for connection in connections.values():
        connection.drain()
    while connections and not service.drained():
        await asyncio.wait(connections, timeout=DRAIN_POLL_S)
    checks.stop()


class StreamProtocol(asyncio.StreamReaderProtocol):
    """The streams of a connection. Why it was lost makes no difference: its reader reads the end.

    asyncio's store the error, whose frames have the connection. That is a cycle until the collector runs, and it does
    not run in a service that is idle.
    """

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(None)


class CoroutineConnection:
    """A client's connection: its coroutine reads, a task for each call runs it and answers."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, service: Service, waits: AsyncioWaits
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._service = service
        self._waits = waits
        self._identity = service.identity()
        self._session = service.open_session()
        self._turns = Turns(self._session)
        self._write_due = False
        self._started = 0  # in this turn
        self._rest: asyncio.Task[None] | None = None
        self._lingering: asyncio.TimerHandle | None = None
        self._tasks: dict[ServerCall, asyncio.Task[None]] = {}

    async def serve(self) -> None:
        """Reads until the peer or the drain ends the connection."""
        data = b"-"
        while data:
            data = await self._read()
            self._started = 0
            self._receive(data)
            while self._turns.pending:
                await asyncio.sleep(0)
                if self._turns.unpacked_much or self._started >= TASKS_AT_ONCE:
                    await asyncio.sleep(0)  # two iterations after its bytes came, a call of another peer is in flight
                    await asyncio.sleep(self._turns.pause_ns(self._service.calls_in_flight.own()) / 1e9)
                self._started = 0
                self._turns.go_on(self._deal)
            await self._flush()
        self._service.close_session(self._session)
        self._writer.close()
        if self._lingering is not None and not self._writer.transport.get_write_buffer_size():
            self._lingering.cancel()

    async def _read(self) -> bytes:
        """The next bytes; b"" when the peer has closed."""
        try:
            return await self._reader.read(RECEIVE_BYTES)
        except OSError:
            return b""

    def drain(self) -> None:
        """Asks the client to open no more calls."""
        self._session.drain()
        self._write()

    def check_peer(self) -> None:
        """Ends what waits for a peer that has been silent for too long."""
        if self._rest is None and self._turns.check_peer(self._deal):  # else what it sent may not have been read
            self._write()

    def _receive(self, data: bytes) -> None:
        if data:
            self._turns.take(data, self._deal)
        else:
            self._turns.end(self._deal)

    def _deal(self, event: ServerEvent) -> None:
        if respond(self._session, self._service, event):
            return
        if isinstance(event, CallReceived):
            self._start(event.call)
        elif isinstance(event, CallCancelled) and event.call in self._tasks:
            self._tasks[event.call].cancel()

    def _start(self, call: ServerCall) -> None:
        def ended(_: asyncio.Task[None]) -> None:
            del self._tasks[call]
            self._session.finish(call, Code.CANCELLED)  # only a task that was cancelled before it began has not

        self._started += 1
        if self._started == TASKS_AT_ONCE:
            self._turns.end_turn()
        task = self._tasks[call] = asyncio.create_task(self._run(call))
        task.add_done_callback(ended)

    async def _run(self, call: ServerCall) -> None:
        run = None
        code, why = Code.OK, ""
        try:
            run = self._service.start(call, self._identity)
            async for message in handler()(run, self._waits):
                self._session.send_message(call, message)
                if run.streams:
                    await self._flush()
                if run.has_streamed_much:
                    await self._room(call, run)
        except asyncio.CancelledError:
            code, why = Code.CANCELLED, "cancelled by the caller"
        except Exception as error:
            code, why = status_of(error)
        self._session.finish(call, code, why)
        self._write_soon()
        if run is not None:
            run.end(code)

    async def _room(self, call: ServerCall, run: Run) -> None:
        """Returns once the peer has read most of what was sent, or no caller waits for the call."""
        room = asyncio.Event()
        run.when_room = partial(self._session.when_room, call)
        run.ask_room(room.set)
        timeout_s = None if run.deadline_ns is None else (run.deadline_ns - time.monotonic_ns()) / 1e9
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await room.wait()
        run.check()

    def _write_soon(self) -> None:
        """One write for all that happens in this turn of the loop."""
        if not self._write_due:
            self._write_due = True
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        self._write_due = False
        if self._writer.is_closing():  # the connection is lost: asyncio ignores what is written then, uvloop raises
            return
        transport = self._writer.transport
        written = 0
        while transport.get_write_buffer_size() <= UNSENT_BYTES and (data := self._session.data_to_send()):
            self._writer.write(data)
            written += len(data)
            if written >= TURN_BYTES:  # a peer that reads as fast as this writes must not hold the loop
                self._write_soon()
                return
        if self._session.closed and self._lingering is None:
            self._linger(WRITE_STALL_S)
        if transport.get_write_buffer_size() > UNSENT_BYTES:
            self._rest = self._rest or asyncio.create_task(self._write_rest())
        elif self._session.closed:
            with contextlib.suppress(OSError):  # ENOTCONN: the peer was first
                self._writer.write_eof()  # the peer closes in turn, or is cut off: either wakes the reader

    def _linger(self, unread_s: float) -> None:
        self._lingering = asyncio.get_running_loop().call_later(LINGER_S, self._cut_off, unread_s - LINGER_S)

    def _cut_off(self, unread_s: float) -> None:
        """Ends the connection. A peer that has not read all gets `unread_s` more."""
        if unread_s > 0 and self._writer.transport.get_write_buffer_size():
            self._linger(unread_s)
        else:
            self._writer.transport.abort()

    async def _write_rest(self) -> None:
        with contextlib.suppress(OSError):  # the reader learns of it too
            await self._writer.drain()
        self._rest = None
        self._write()

    async def _flush(self) -> None:
        self._write()
        try:
            await self._writer.drain()
        except OSError:
            self._receive(b"")
