"""A connection that threads share loses nothing of what its end means, whichever of them meets it."""

import socket
from types import SimpleNamespace
from typing import cast

import pytest

from services.runtime import blocking
from services.runtime.blocking import WRITE_STALL_S, Connection
from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.reflection import PATHS
from services.runtime.service import Service
from services.wire import CallReceived, ClientSession, Code


def test_a_stream_that_the_reader_answers_ends_where_another_thread_finds_its_client_gone() -> None:
    service = Service("thread_pool", Config(), drain=Drain())
    client, ours = socket.socketpair()
    connection = Connection(ours, service)
    session = ClientSession("in.memory")
    session.start(PATHS[0].decode(), streaming=True)
    session.start("/sweetspot.v1.Workload/Run", b"")
    client.sendall(session.data_to_send())
    (event,) = connection.receive() or []
    assert isinstance(event, CallReceived)
    assert service.calls_in_flight.own() == 2
    client.close()
    connection.finish(event.call, Code.OK, "")
    assert connection.receive() is None
    assert service.calls_in_flight.own() == 0
    connection.close()


class Dribbling:
    """A socket whose peer reads a byte in a second."""

    def __init__(self) -> None:
        self.taken = 0
        self.is_shut = False

    def setsockopt(self, *_: object) -> None:
        pass

    def send(self, _data: bytes | memoryview) -> int:
        self.taken += 1
        return 1

    def shutdown(self, _how: int) -> None:
        self.is_shut = True


def test_a_peer_that_reads_byte_by_byte_is_cut_off_when_its_time_for_all_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sock = Dribbling()
    monkeypatch.setattr(blocking, "time", SimpleNamespace(monotonic=lambda: sock.taken))
    connection = Connection(cast(socket.socket, sock), Service("thread_pool", Config(), drain=Drain()))
    connection.drain()
    assert (sock.taken, sock.is_shut) == (WRITE_STALL_S, True)
