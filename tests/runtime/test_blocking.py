"""A connection that threads share loses nothing of what its end means, whichever of them meets it."""

import socket

from services.runtime.blocking import Connection
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
