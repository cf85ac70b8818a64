"""A connection on a loop ends, whatever its peer leaves unread, and lets others go first, whatever it unpacks."""

import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from sweetspot.v1 import workload_pb2

from services.runtime.config import Config
from services.runtime.connections import turns
from services.runtime.drain import Drain
from services.runtime.readiness import loop_connection
from services.runtime.readiness.calls import ResponseSink
from services.runtime.readiness.demultiplexer import READABLE
from services.runtime.readiness.loop import Loop
from services.runtime.readiness.loop_connection import LoopConnection
from services.runtime.service import Service
from services.wire import ClientSession, Code, ServerCall
from tests.runtime.rounds import take_round, take_round_now

RUN = "/sweetspot.v1.Workload/Run"


class Later:
    """Answers no call for now."""

    def __init__(self) -> None:
        self.calls: list[tuple[ResponseSink, ServerCall]] = []

    def received(self, connection: ResponseSink, call: ServerCall) -> None:
        self.calls.append((connection, call))

    def cancelled(self, call: ServerCall) -> None: ...


def service() -> Service:
    return Service("reactor", Config(), drain=Drain())


def registered(
    loop: Loop, sock: socket.socket, service: Service, calls: Later, closed: Callable[[LoopConnection], None]
) -> LoopConnection:
    connection = LoopConnection(sock, service, loop, calls, closed)
    loop.register(sock, connection)
    return connection


def test_a_client_that_does_not_read_its_last_reply_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_connection, "WRITE_STALL_S", 0.01)
    loop, calls, closed = Loop(), Later(), list[LoopConnection]()
    client, ours = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    ours.setblocking(False)
    client.setblocking(False)
    connection = registered(loop, ours, service(), calls, closed.append)
    session = ClientSession("in.memory")
    session.start(RUN, b"")

    def turn() -> None:
        loop.call_at(time.monotonic_ns() + 1_000_000, lambda: None)
        take_round(loop)

    connection.drain()
    for _ in range(3):
        client.sendall(session.data_to_send())
        turn()
        with suppress(BlockingIOError):
            session.receive_data(client.recv(4096))
    ((caller, call),) = calls.calls
    caller.send(call, workload_pb2.RunReply(payload=bytes(40_000)).SerializeToString())
    caller.finish(call, Code.OK)
    until_s = time.monotonic() + 2
    while not closed:
        assert time.monotonic() < until_s
        turn()
    client.close()


@pytest.mark.parametrize("others", [0, 1])
def test_a_connection_pauses_after_it_has_unpacked_much_while_calls_of_others_are_in_flight(others: int) -> None:
    loop, calls = Loop(), Later()
    shared = service()
    ends = [socket.socketpair() for _ in range(2)]
    connections = []
    for _, ours in ends:
        ours.setblocking(False)
        connections.append(registered(loop, ours, shared, calls, lambda _: None))
    sessions = [ClientSession("in.memory") for _ in ends]

    def send_calls(peer: int, count: int, request: bytes) -> None:
        for _ in range(count):
            sessions[peer].start(RUN, request, gzip=True)
        ends[peer][0].sendall(b"".join(iter(sessions[peer].data_to_send, b"")))

    def rounds_until(received: int) -> int:
        rounds = 0
        while len(calls.calls) < received:
            rounds += 1
            take_round_now(loop)
        return rounds

    send_calls(0, others, b"")
    rounds_until(others)
    send_calls(1, 5, workload_pb2.RunRequest(payload=bytes(1_000_000)).SerializeToString())
    rounds = [rounds_until(others + 1 + number) for number in range(5)]
    assert (max(rounds) > 5) == bool(others), rounds
    for client, ours in ends:
        client.close()
        ours.close()


def test_a_connection_whose_turn_is_not_over_leaves_the_loop_asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_NS", 0)
    monkeypatch.setattr(loop_connection, "RECEIVE_BYTES", 2048)
    waiting, calls = select.epoll(), Later()
    loop = Loop(waiting)
    client, ours = socket.socketpair()
    ours.setblocking(False)
    connection = registered(loop, ours, service(), calls, lambda _: None)
    session = ClientSession("in.memory")
    for _ in range(100):
        session.start(RUN, workload_pb2.RunRequest(payload=bytes(200)).SerializeToString())
    client.sendall(b"".join(iter(session.data_to_send, b"")))
    connection.ready(READABLE)
    assert waiting.poll(0) == []
    while len(calls.calls) < 100:
        take_round_now(loop)
    client.close()
    ours.close()


def test_a_peer_that_has_gone_ends_its_connection_though_its_turn_is_not_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_NS", 0)
    client, ours = socket.socketpair()
    ours.setblocking(False)
    ended: list[LoopConnection] = []
    connection = registered(Loop(), ours, service(), Later(), ended.append)
    session = ClientSession("in.memory")
    for _ in range(100):
        session.start(RUN, b"")
    client.sendall(b"".join(iter(session.data_to_send, b"")))
    connection.ready(READABLE)
    connection.ready(select.EPOLLHUP)
    assert ended == [connection]
    client.close()
