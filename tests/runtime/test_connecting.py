"""A backend that does not accept is waited for no longer than its caller waits, and never for ever."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import uvloop
from sweetspot.v1 import workload_pb2

from services.models import proactor
from services.network.address import Address
from services.runtime.backend import connector
from services.runtime.backend.backend_connection import BackendConnection
from services.runtime.callbacks.callback_waits import CallbackWaits
from services.runtime.libraries import aio
from services.runtime.libraries.aio import AsyncioWaits
from services.runtime.proactor.loop import Proactor
from services.runtime.readiness.loop import Loop
from services.runtime.refusal import NotHereError
from services.runtime.threads import blocking_waits
from services.runtime.threads.blocking_waits import BlockingWaits
from services.wire import Code, RpcError
from services.workload.ledger import Ledger
from services.workload.run import Fetch, Run
from tests.driver.runs import nobody
from tests.runtime.rounds import take_rounds_until

FAR_NS = 10 * 10**9


class FakeCall:
    """A call whose caller waits, at first."""

    request = b""
    received_ns = 0
    deadline_ns: int | None = None
    cancelled = False


def run_of(call: FakeCall) -> Run:
    return Run(call, b"", Ledger(2), streams=False)


FETCH = Fetch(workload_pb2.Call(), None, None)


@pytest.fixture
def deaf() -> Iterator[Address]:
    """Takes no connection: its backlog is full, and the kernel drops what comes (listen(2))."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        with socket.create_connection(listener.getsockname()):
            yield Address(*listener.getsockname())


@pytest.mark.parametrize(
    ("what", "value", "code"),
    [("deadline_ns", 1, Code.DEADLINE_EXCEEDED), ("cancelled", True, Code.CANCELLED)],
    ids=["deadline", "cancelled"],
)
def test_a_thread_that_connects_stops_once_nobody_waits_for_it(
    deaf: Address, what: str, value: int, code: Code
) -> None:
    call = FakeCall()
    run = run_of(call)
    setattr(call, what, value)
    reply = BlockingWaits(deaf).fetch(FETCH, run)
    assert isinstance(reply, RpcError)
    assert reply.code is code


def by_thread(backend: Address, meanwhile: Callable[[], None]) -> bytes | RpcError:
    return BlockingWaits(backend).fetch(FETCH, run_of(FakeCall()))


def by_loop(backend: Address, meanwhile: Callable[[], None]) -> bytes | RpcError:
    loop = Loop()
    return by(loop, CallbackWaits(backend, loop, partial(BackendConnection, loop)), meanwhile)


def by_ring(backend: Address, meanwhile: Callable[[], None]) -> bytes | RpcError:
    try:
        ring = Proactor()
    except NotHereError as error:
        pytest.skip(str(error))
    return by(ring, CallbackWaits(backend, ring, partial(proactor.ProactorBackendConnection, ring)), meanwhile)


def by(loop: Loop | Proactor, waits: CallbackWaits, meanwhile: Callable[[], None]) -> bytes | RpcError:
    replies = list[bytes | RpcError]()

    waits.fetch(FETCH, run_of(FakeCall()), replies.append)
    loop.call_at(time.monotonic_ns(), meanwhile)
    loop.call_at(time.monotonic_ns() + FAR_NS, lambda: pytest.fail("it still waits"))
    take_rounds_until(loop, lambda: replies)
    (reply,) = replies
    return reply


def by_asyncio(backend: Address, meanwhile: Callable[[], None]) -> bytes | RpcError:
    return asyncio.run(by_coroutine(backend, meanwhile))


def by_uvloop(backend: Address, meanwhile: Callable[[], None]) -> bytes | RpcError:
    return uvloop.run(by_coroutine(backend, meanwhile))


async def by_coroutine(backend: Address, meanwhile: Callable[[], None]) -> bytes | RpcError:
    asyncio.get_running_loop().call_later(0.01, meanwhile)
    async with asyncio.timeout(FAR_NS / 1e9):
        return await AsyncioWaits(backend).fetch(FETCH, run_of(FakeCall()))


By = Callable[[Address, Callable[[], None]], bytes | RpcError]
LOOPS = [by_loop, by_ring, by_asyncio, by_uvloop]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (aio, blocking_waits, connector):
        monkeypatch.setattr(module, "CONNECT_TIMEOUT_S", 0.1)


def name_stands_for(monkeypatch: pytest.MonkeyPatch, *addresses: Address) -> None:
    """Whatever is looked up."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (each.host, each.port)) for each in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fetch", [by_thread, *LOOPS])
def test_a_connection_is_given_up_in_time(deaf: Address, fetch: By) -> None:
    reply = fetch(deaf, lambda: None)
    assert isinstance(reply, RpcError)
    assert (reply.code, reply.message) == (Code.UNAVAILABLE, f"backend {deaf}: timed out while connecting")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fetch", [by_thread, *LOOPS])
def test_an_address_that_drops_what_comes_leaves_time_for_the_next(
    deaf: Address, fetch: By, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuses = nobody()
    name_stands_for(monkeypatch, deaf, refuses)
    reply = fetch(Address("mixed", 1), lambda: None)
    assert isinstance(reply, RpcError)
    tried = f"{deaf}: timed out while connecting; {refuses}: Connection refused"
    assert (reply.code, reply.message) == (Code.UNAVAILABLE, f"backend mixed:1: {tried}")


@pytest.mark.parametrize("fetch", LOOPS)
def test_a_loop_goes_on_while_a_name_is_looked_up(fetch: By, monkeypatch: pytest.MonkeyPatch) -> None:
    the_loop_goes_on = threading.Event()
    in_time: list[bool] = []

    def look_up(*_: object, **__: object) -> list[tuple[object, ...]]:
        in_time.append(the_loop_goes_on.wait(5))
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (refuses.host, refuses.port))]

    refuses = nobody()
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    reply = fetch(Address("slow", 1), the_loop_goes_on.set)
    assert isinstance(reply, RpcError)
    assert reply.message == f"backend slow:1: {refuses}: Connection refused"
    assert in_time == [True]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("fetch", LOOPS)
def test_a_look_up_that_takes_too_long_is_given_up(fetch: By, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [over.wait(5)][1:])
    reply = fetch(Address("slow", 1), lambda: None)
    over.set()
    assert isinstance(reply, RpcError)
    assert reply.message == "backend slow:1: timed out while the name was looked up"


@pytest.mark.parametrize("fetch", [by_thread, *LOOPS])
@pytest.mark.parametrize("name", ["no-such-host.invalid", "a..b"])
def test_a_name_that_stands_for_nothing_is_unavailable(fetch: By, name: str) -> None:
    reply = fetch(Address(name, 1), lambda: None)
    assert isinstance(reply, RpcError)
    assert reply.code is Code.UNAVAILABLE
    assert reply.message.startswith(f"backend {name}:1: ")
