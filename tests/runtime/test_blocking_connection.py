"""A connection that threads share loses nothing of what its end means, whichever of them meets it."""

import select
import socket
import threading
from types import SimpleNamespace
from typing import cast

import pytest
from sweetspot.v1 import workload_pb2

from services.runtime.answers.reflection import PATHS
from services.runtime.config import Config
from services.runtime.connections.linger import WRITE_STALL_S
from services.runtime.drain import Drain
from services.runtime.service import Service
from services.runtime.threads import blocking_connection
from services.runtime.threads.blocking_connection import BlockingConnection, BlockingConnections
from services.runtime.threads.blocking_waits import BlockingWaits
from services.wire import ClientSession, Code, ServerCall

TIMEOUT_S = 10


def test_a_stream_that_the_reader_answers_ends_where_another_thread_finds_its_client_gone() -> None:
    service = Service("thread_pool", Config(), drain=Drain())
    client, ours = socket.socketpair()
    connection = BlockingConnection(ours, service)
    session = ClientSession("in.memory")
    session.start(PATHS[0].decode(), streaming=True)
    session.start("/sweetspot.v1.Workload/Run", b"")
    client.sendall(session.data_to_send())
    (call,) = connection.receive() or []
    assert service.calls_in_flight.own() == 2
    client.close()
    connection.finish(call, Code.OK, "")
    assert connection.receive() is None
    assert service.calls_in_flight.own() == 0
    connection.close()


def test_a_peer_that_does_not_read_blocks_one_of_the_threads_that_answer_it() -> None:
    client, ours = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    connection = BlockingConnection(ours, Service("thread_pool", Config(), drain=Drain()))
    session = ClientSession("in.memory")
    request = workload_pb2.RunRequest(payload=bytes(30_000)).SerializeToString()
    asked = [session.start("/sweetspot.v1.Workload/Run", request) for _ in range(2)]
    client.sendall(session.data_to_send())
    calls: list[ServerCall] = []
    while len(calls) < len(asked):
        calls += connection.receive() or []
    threads = [
        threading.Thread(target=connection.run, args=(call, BlockingWaits(None), b""), daemon=True) for call in calls
    ]
    threads[0].start()
    select.select([client], [], [])
    threads[1].start()
    threads[1].join(5)
    assert [thread.is_alive() for thread in threads] == [True, False]
    while any(call.code is None for call in asked):
        session.receive_data(client.recv(65_536))
    assert [call.code for call in asked] == [Code.OK, Code.OK]
    threads[0].join()
    client.close()
    assert connection.receive() is None
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
    monkeypatch.setattr(blocking_connection, "time", SimpleNamespace(monotonic=lambda: sock.taken))
    connection = BlockingConnection(cast(socket.socket, sock), Service("thread_pool", Config(), drain=Drain()))
    connection.drain()
    assert (sock.taken, sock.is_shut) == (WRITE_STALL_S, True)


class Late:
    """A socket with a timeout, whose peer sends after that time."""

    def __init__(self) -> None:
        self.reads = 0

    def setsockopt(self, *_: object) -> None:
        pass

    def recv(self, _size: int) -> bytes:
        self.reads += 1
        if self.reads == 1:
            raise TimeoutError
        return b""


def test_a_timeout_of_a_read_is_not_the_end_of_a_connection() -> None:
    sock = Late()
    connection = BlockingConnection(cast(socket.socket, sock), Service("green_threads", Config(), drain=Drain()))
    assert connection._read() == b""
    assert sock.reads == 2


def test_a_connection_that_opens_while_the_service_drains_takes_no_calls() -> None:
    service = Service("thread_pool", Config(), drain=Drain())
    connections = BlockingConnections(service)
    service.drain.request()
    client, ours = socket.socketpair()
    client.settimeout(TIMEOUT_S)
    reading = threading.Thread(target=lambda: [*connections.open(ours).read_calls()], daemon=True)
    reading.start()
    session = ClientSession("in.memory")
    while not session.going_away:
        client.sendall(session.data_to_send())
        session.receive_data(client.recv(65_536))
    client.close()
    reading.join(TIMEOUT_S)
    assert not reading.is_alive()
