"""A connection on a loop ends, whatever its peer leaves unread."""

import socket
import time
from contextlib import suppress

import pytest
from sweetspot.v1 import workload_pb2

from services.runtime import nonblocking
from services.runtime.calls import Caller
from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.loop import Loop
from services.runtime.nonblocking import Connection
from services.runtime.service import Service
from services.wire import ClientSession, Code, ServerCall


class Later:
    """Answers no call for now."""

    def __init__(self) -> None:
        self.calls: list[tuple[Caller, ServerCall]] = []

    def received(self, connection: Caller, call: ServerCall) -> None:
        self.calls.append((connection, call))

    def cancelled(self, call: ServerCall) -> None: ...


def test_a_client_that_does_not_read_its_last_reply_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nonblocking, "WRITE_STALL_S", 0.01)
    loop, calls, closed = Loop(), Later(), list[Connection]()
    client, ours = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    ours.setblocking(False)
    client.setblocking(False)
    connection = Connection(ours, Service("reactor", Config(), drain=Drain()), loop, calls, closed.append)
    session = ClientSession("in.memory")
    session.start("/sweetspot.v1.Workload/Run", b"")

    def turn() -> None:
        loop.soon(loop.stop)
        loop.call_at(time.monotonic_ns() + 1_000_000, lambda: None)
        loop.run()

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
