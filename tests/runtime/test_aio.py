"""A coroutine that waits for the backend gets its reply, or the one reason why there is none."""

import asyncio
import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest
from sweetspot.v1 import backend_pb2, control_pb2, workload_pb2

from services.models import coroutines
from services.network.address import Address
from services.runtime.config import Config
from services.runtime.connections import turns
from services.runtime.counters.shared_counters import SharedCounters
from services.runtime.drain import Drain
from services.runtime.libraries import aio
from services.runtime.libraries.aio import AsyncioAcceptor, AsyncioConnection, AsyncioWaits, serve_until_drained
from services.runtime.readiness.writer import TURN_BYTES
from services.runtime.service import Service
from services.runtime.shortage import Shortage
from services.wire import ClientSession, Code, RpcError, ServerCall, ServerEvent, ServerSession, Shape
from services.workload.ledger import Ledger
from services.workload.run import FETCH_PATH, Fetch, Run
from tests.serving import Serving, serving

TIMEOUT_S = 10
PIECE_BYTES = 100_000
NEVER_US = 60_000_000


class FakeCall:
    """A call whose caller waits for so long."""

    def __init__(self, timeout_s: float | None = None) -> None:
        self.request = b""
        self.received_ns = time.monotonic_ns()
        self.cancelled = False
        self.deadline_ns = None if timeout_s is None else self.received_ns + int(timeout_s * 1e9)


class Silent:
    """An `Answering` that has no answers."""

    def responder(self, call: ServerCall) -> None: ...


def run_of(call: FakeCall) -> Run:
    return Run(call, b"", Ledger(2), streams=False)


async def fetch(waits: AsyncioWaits, delay_us: int = 0, timeout_s: float | None = None) -> bytes | RpcError:
    call = FakeCall(timeout_s)
    return await waits.fetch(Fetch(workload_pb2.Call(delay_us=delay_us), call.deadline_ns, None), run_of(call))


def reason(reply: bytes | RpcError) -> tuple[Code, str]:
    assert isinstance(reply, RpcError)
    return reply.code, reply.message


@pytest.fixture(scope="module")
def backend() -> Iterator[Serving]:
    with serving("backend") as started:
        yield started


async def until_in_flight(backend: Serving, calls: int) -> None:
    async with grpc.aio.insecure_channel(backend.control) as control:
        snapshot = control.unary_unary(
            "/sweetspot.v1.Control/Snapshot", response_deserializer=control_pb2.SnapshotReply.FromString
        )
        async with asyncio.timeout(TIMEOUT_S):
            while (await snapshot(b"")).calls_in_flight != calls:
                pass


def test_a_thousand_wait_at_once_on_one_connection(backend: Serving) -> None:
    async def story() -> tuple[list[bytes | RpcError], int]:
        waits = AsyncioWaits(Address.parse(backend.address))
        replies = await asyncio.gather(*(fetch(waits, 100_000) for _ in range(1000)))
        async with grpc.aio.insecure_channel(backend.control) as control:
            snapshot = control.unary_unary("/sweetspot.v1.Control/Snapshot")
            return replies, control_pb2.SnapshotReply.FromString(await snapshot(b"")).connections

    replies, connections = asyncio.run(story())
    assert replies == [backend_pb2.FetchReply(delay_us=100_000).SerializeToString()] * 1000
    assert connections == 1


def test_without_a_backend_a_call_step_cannot_be_taken() -> None:
    reply = asyncio.run(fetch(AsyncioWaits(None)))
    assert reason(reply) == (Code.FAILED_PRECONDITION, "this service was started without --backend")


def test_a_backend_that_is_down_is_unavailable_and_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    reply = asyncio.run(fetch(AsyncioWaits(Address("127.0.0.1", port))))
    assert reason(reply) == (Code.UNAVAILABLE, f"backend 127.0.0.1:{port}: Connection refused")


def test_a_lost_backend_is_unavailable_until_it_is_back() -> None:
    async def story() -> None:
        with serving("backend") as first:
            address = Address.parse(first.address)
            waits = AsyncioWaits(address)
            assert isinstance(await fetch(waits), bytes)
            waiting = asyncio.create_task(fetch(waits, NEVER_US))
            await until_in_flight(first, 1)
            first.process.kill()
            code, message = reason(await waiting)
            assert code is Code.UNAVAILABLE
            assert message.startswith(f"backend {address}: ")
        with serving("backend", "--port", str(address.port)):
            assert isinstance(await fetch(waits), bytes)

    asyncio.run(story())


def test_a_backend_that_goes_away_is_asked_on_a_new_connection_and_finishes_what_it_has_on_the_old_one() -> None:
    calls: list[tuple[AsyncioConnection, ServerCall]] = []

    def handle(connection: AsyncioConnection, event: ServerEvent) -> None:
        calls.append((connection, event.call))
        if len(calls) > 1:
            connection.session.reply(event.call, b"new")

    def accepted() -> AsyncioConnection:
        return AsyncioConnection(ServerSession({FETCH_PATH.encode(): Shape.UNARY}), Silent(), handle, lambda _: None)

    async def story() -> None:
        async with asyncio.timeout(TIMEOUT_S):
            server = await asyncio.get_running_loop().create_server(accepted, "127.0.0.1", 0)
            waits = AsyncioWaits(Address(*server.sockets[0].getsockname()))
            waiting = asyncio.create_task(fetch(waits))
            while not calls:
                await asyncio.sleep(0)
            old, call = calls[0]
            old.drain()
            while calls[-1][0] is old:
                assert await fetch(waits) == b"new"
            old.session.reply(call, b"old")
            old.flush()
            assert await waiting == b"old"
            server.close()

    asyncio.run(story())


def test_a_deadline_ends_the_wait(backend: Serving) -> None:
    async def story() -> None:
        waits = AsyncioWaits(Address.parse(backend.address))
        started = time.monotonic()
        reply = await fetch(waits, NEVER_US, timeout_s=0.05)
        assert reason(reply)[0] is Code.DEADLINE_EXCEEDED
        assert 0.04 < time.monotonic() - started < 1
        await until_in_flight(backend, 0)

    asyncio.run(story())


def test_a_task_that_is_cancelled_cancels_its_call_and_no_other(backend: Serving) -> None:
    async def story() -> None:
        waits = AsyncioWaits(Address.parse(backend.address))
        given_up, other = (asyncio.create_task(fetch(waits, delay_us)) for delay_us in (NEVER_US, 300_000))
        await until_in_flight(backend, 2)
        given_up.cancel()
        await until_in_flight(backend, 1)
        assert isinstance(await other, bytes)
        assert given_up.cancelled()

    asyncio.run(story())


def test_a_call_that_is_cancelled_before_there_is_a_connection_is_not_waited_for(backend: Serving) -> None:
    async def story() -> None:
        waits = AsyncioWaits(Address.parse(backend.address))
        given_up = asyncio.create_task(fetch(waits, NEVER_US))
        await asyncio.sleep(0)
        given_up.cancel()
        assert isinstance(await fetch(waits), bytes)
        await until_in_flight(backend, 0)

    asyncio.run(story())


@pytest.mark.parametrize(("timeout_s", "least_s", "most_s"), [(None, 0.1, 1), (0.02, 0.02, 0.1), (0.5, 0.1, 0.5)])
def test_a_sleep_ends_with_its_time_or_the_deadline(timeout_s: float | None, least_s: float, most_s: float) -> None:
    async def story() -> float:
        call = FakeCall(timeout_s)
        started = time.monotonic()
        await AsyncioWaits(None).sleep(100_000, run_of(call))
        return time.monotonic() - started

    assert least_s - 0.005 <= asyncio.run(story()) < most_s


class Reading:
    """A transport, as far as it is asked to read or not, or to end."""

    def __init__(self) -> None:
        self.reads = True
        self.aborted = asyncio.Event()

    def abort(self) -> None:
        self.aborted.set()

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def write(self, _data: bytes) -> None: ...

    def is_closing(self) -> bool:
        return False


@pytest.mark.parametrize("of_model", [False, True], ids=["of the backend", "of coroutines"])
def test_a_peer_that_reads_as_fast_as_the_loop_writes_does_not_hold_the_loop(of_model: bool) -> None:
    replies = [bytes(PIECE_BYTES)] * 20
    session: Any = SimpleNamespace(data_to_send=lambda: replies.pop() if replies else b"", closed=False)

    async def story() -> None:
        if of_model:
            transport = SimpleNamespace(get_write_buffer_size=lambda: 0)
            writer: Any = SimpleNamespace(transport=transport, is_closing=lambda: False, write=lambda _: None)
            service = Service("coroutines", Config(), drain=Drain())
            connection = coroutines.CoroutineConnection(asyncio.StreamReader(), writer, service, AsyncioWaits(None))
            connection._session = session
            connection._write()
        else:
            AsyncioConnection(session, Silent(), lambda *_: None, lambda _: None).connection_made(
                cast(asyncio.Transport, Reading())
            )
        for iterations in range(1, 11):
            left_bytes = len(replies) * PIECE_BYTES
            assert left_bytes >= 20 * PIECE_BYTES - iterations * (TURN_BYTES + PIECE_BYTES)
            if not left_bytes:
                break
            await asyncio.sleep(0)
        assert not replies

    asyncio.run(story())


def test_what_takes_long_is_dealt_with_in_turns_and_nothing_is_read_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_NS", 0)
    calls: list[ServerCall] = []

    async def story() -> None:
        session = ServerSession({FETCH_PATH.encode(): Shape.UNARY})
        connection = AsyncioConnection(session, Silent(), lambda _, event: calls.append(event.call), lambda _: None)
        transport = Reading()
        connection.connection_made(cast(asyncio.Transport, transport))
        client = ClientSession("in.memory")
        for _ in range(5):
            client.start(FETCH_PATH, b"")
        connection.data_received(client.data_to_send())
        assert (len(calls), transport.reads) == (1, False)
        async with asyncio.timeout(TIMEOUT_S):
            while not transport.reads:
                await asyncio.sleep(0)

    asyncio.run(story())
    assert len(calls) == 5


def test_what_is_accepted_last_has_its_protocol_once_the_acceptor_is_closed() -> None:
    made: list[asyncio.BaseTransport] = []

    class Noting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.append(transport)

    async def story() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        acceptor = AsyncioAcceptor(listener, Noting, Shortage("backend", SharedCounters()))
        with socket.create_connection(listener.getsockname()):
            acceptor._ready()
            assert not made
            await acceptor.close()
            (transport,) = made
            transport.close()

    asyncio.run(story())


def test_a_connection_that_is_accepted_as_the_drain_begins_drains(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[bytes] = []

    async def story() -> None:
        service = Service("backend", Config(host="127.0.0.1", drain_timeout_s=TIMEOUT_S), drain=Drain())
        listener = service.open_listener()
        monkeypatch.setattr(service, "listen", lambda: listener)
        client = socket.create_connection(listener.getsockname())
        client.settimeout(TIMEOUT_S)
        serving = asyncio.create_task(serve_until_drained(service, lambda *_: None))
        await asyncio.sleep(0)  # it waits for the drain
        service.drain.request()
        session = ClientSession("in.memory")
        client.sendall(session.data_to_send())

        def talk() -> None:
            while data := client.recv(4096):
                session.receive_data(data)
                client.sendall(session.data_to_send())
            received.append(b"end")
            client.close()

        talking = asyncio.to_thread(talk)
        await asyncio.gather(talking, serving)

    asyncio.run(story())
    assert received == [b"end"]


def test_a_client_that_does_not_read_its_last_bytes_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aio, "WRITE_STALL_S", 0.01)

    async def story() -> None:
        connection = AsyncioConnection(ServerSession({}), Silent(), lambda *_: None, lambda _: None)
        transport = Reading()
        connection.connection_made(cast(asyncio.Transport, transport))
        connection.pause_writing()
        connection.data_received(b"no HTTP/2, so that the session is over")
        async with asyncio.timeout(2):
            await transport.aborted.wait()

    asyncio.run(story())
