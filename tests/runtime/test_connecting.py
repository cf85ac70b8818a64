"""A backend that does not accept is waited for no longer than its caller waits, and never for ever."""

import socket
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from sweetspot.v1 import workload_pb2

from services.models import proactor
from services.runtime import backend_connection, connecting
from services.runtime.blocking import BlockingWaits
from services.runtime.callback_waits import CallbackWaits
from services.runtime.config import Address
from services.runtime.loop import Loop
from services.runtime.proactor.loop import Proactor
from services.runtime.refusal import NotHereError
from services.wire import Code, RpcError
from services.workload.ledger import Ledger
from services.workload.run import Fetch, Run

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


def test_a_thread_takes_the_next_address_where_one_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        nobody = gone.getsockname()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", at) for at in (nobody, listener.getsockname())]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with connecting.connect(Address("backend", 1), lambda: None) as sock:
            assert sock.getpeername() == listener.getsockname()


def on_a_loop(deaf: Address) -> tuple[Loop, CallbackWaits]:
    loop = Loop()
    return loop, CallbackWaits(deaf, loop, partial(backend_connection.BackendConnection, loop))


def on_a_ring(deaf: Address) -> tuple[Proactor, CallbackWaits]:
    try:
        ring = Proactor()
    except NotHereError as error:
        pytest.skip(str(error))
    return ring, CallbackWaits(deaf, ring, partial(proactor.BackendConnection, ring))


@pytest.mark.parametrize("waiting", [on_a_loop, on_a_ring])
def test_a_loop_gives_a_connection_up_in_time(
    deaf: Address,
    waiting: Callable[[Address], tuple[Loop | Proactor, CallbackWaits]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (backend_connection, proactor):
        monkeypatch.setattr(module, "CONNECT_TIMEOUT_S", 0.05)
    loop, waits = waiting(deaf)
    replies = list[bytes | RpcError]()

    def replied(reply: bytes | RpcError) -> None:
        replies.append(reply)
        loop.stop()

    waits.fetch(FETCH, run_of(FakeCall()), replied)
    loop.call_at(time.monotonic_ns() + FAR_NS, lambda: pytest.fail("it still waits"))
    loop.run()
    (reply,) = replies
    assert isinstance(reply, RpcError)
    assert (reply.code, reply.message) == (Code.UNAVAILABLE, f"backend {deaf}: timed out while connecting")
