"""A backend that is down, does not answer, goes away or comes back: its callers get a status, all others are served.

The name of the backend stands for two addresses. At most one of them serves.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from sweetspot.v1 import backend_pb2

from services.models import MODELS
from services.wire import CallReceived, Code, ServerSession, Shape
from services.workload.run import FETCH_PATH
from tests.conformance.test_workload import Call
from tests.names import named
from tests.serving import Serving, serving
from tests.stacks import Outcome, own_wire
from tools.claims.counting.answers import plan

BACKEND_HOST = "127.0.0.7"
"""Clients get no ports of this address, so a port is still free when the backend comes back to it."""
OTHER_HOST = "::1"
RUN = "/sweetspot.v1.Workload/Run"
FETCH = plan(call=Call()).SerializeToString()
MOST_STALE = 200
"""Connections to the backend that a service may hold. Each may fail one call, which shows that it has ended."""


@dataclass(frozen=True, slots=True)
class Troubled:
    """A service, and the address of its backend, which only tests make listen."""

    service: Serving
    backend: tuple[str, int]

    def run(self, request: bytes, timeout_s: float = 10) -> Outcome:
        return own_wire(self.service.address, RUN, request, timeout_s=timeout_s)

    def still_serves(self) -> bool:
        self.service.wait_until(lambda reply: reply.calls_in_flight == 0, "a call is left over")
        return self.run(b"").code is Code.OK


@pytest.fixture(scope="module", params=MODELS)
def troubled(request: pytest.FixtureRequest) -> Iterator[Troubled]:
    with socket.create_server((BACKEND_HOST, 0)) as taken:
        backend = taken.getsockname()
    interpreter = named("mixed", OTHER_HOST, BACKEND_HOST)
    with serving(request.param, "--backend", f"mixed:{backend[1]}", interpreter=interpreter) as service:
        yield Troubled(service, backend)


def test_a_backend_that_is_down_is_unavailable_by_name(troubled: Troubled) -> None:
    outcome = troubled.run(FETCH)
    assert outcome.code is Code.UNAVAILABLE
    port = troubled.backend[1]
    tried = f"[{OTHER_HOST}]:{port}: Connection refused; {BACKEND_HOST}:{port}: Connection refused"
    assert outcome.message == f"backend mixed:{port}: {tried}"
    assert troubled.still_serves()


def test_a_backend_that_says_nothing_costs_its_caller_no_more_than_the_deadline(troubled: Troubled) -> None:
    with socket.create_server(troubled.backend):  # the kernel connects and takes bytes, no process reads them
        assert troubled.run(FETCH, timeout_s=0.1).code is Code.DEADLINE_EXCEEDED
        assert troubled.still_serves()


def test_a_backend_that_goes_away_with_a_call_is_unavailable(troubled: Troubled) -> None:
    with backend_at(troubled, take_and_leave):
        assert troubled.run(FETCH).code is Code.UNAVAILABLE
    assert troubled.still_serves()


@pytest.mark.parametrize("host", [BACKEND_HOST, OTHER_HOST])
def test_a_backend_that_comes_back_is_asked_again_at_whichever_address(troubled: Troubled, host: str) -> None:
    codes = set()
    with backend_at(troubled, answer, host):
        for _ in range(MOST_STALE):
            codes.add(troubled.run(FETCH).code)
            if Code.OK in codes:
                break
    assert codes in ({Code.OK}, {Code.OK, Code.UNAVAILABLE})


@contextlib.contextmanager
def backend_at(troubled: Troubled, serve: Callable[[socket.socket], None], host: str = BACKEND_HOST) -> Iterator[None]:
    """Has each connection to the backend's address served, one after the other."""

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                with listener.accept()[0] as connection:
                    serve(connection)

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, troubled.backend[1]), family=family) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield
        listener.shutdown(socket.SHUT_RDWR)


def take_and_leave(connection: socket.socket) -> None:
    connection.recv(1)


def answer(connection: socket.socket) -> None:
    session = ServerSession({FETCH_PATH.encode(): Shape.UNARY})
    while data := connection.recv(65_536):
        for event in session.receive_data(data):
            if isinstance(event, CallReceived):
                session.reply(event.call, backend_pb2.FetchReply().SerializeToString())
        connection.sendall(session.data_to_send())
