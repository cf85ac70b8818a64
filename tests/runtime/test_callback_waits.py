"""Callbacks that wait for the backend continue with its reply, over any connection that takes calls."""

from sweetspot.v1 import workload_pb2

from services.network.address import Address
from services.runtime.backend.channel import Channel
from services.runtime.backend.connector import NameLookups
from services.runtime.callbacks.callback_waits import CallbackWaits
from services.runtime.readiness.loop import Loop
from services.wire import CallReceived, RpcError, ServerCall, ServerSession, Shape
from services.workload.ledger import Ledger
from services.workload.run import FETCH_PATH, Fetch, Run


class FakeCall:
    request = b""
    received_ns = 0
    cancelled = False
    deadline_ns = None


class InMemory:
    """A connection to a backend that replies when the test has it reply."""

    def __init__(self, backend: Address) -> None:
        self.channel = Channel(backend)
        self.server = ServerSession({FETCH_PATH.encode(): Shape.UNARY})
        self.calls: list[ServerCall] = []

    def connect(self) -> None: ...

    def flush_soon(self) -> None: ...

    def talk(self) -> None:
        """Passes bytes in both directions until neither end has more to send."""
        while True:
            to_server, to_client = self.channel.data_to_send(), self.server.data_to_send()
            if not to_server and not to_client:
                return
            if to_server:
                events = self.server.receive_data(to_server)
                self.calls += [event.call for event in events if isinstance(event, CallReceived)]
            if to_client:
                self.channel.receive_data(to_client)


def test_a_backend_that_goes_away_is_asked_on_a_new_connection_and_finishes_what_it_has_on_the_old_one() -> None:
    connections: list[InMemory] = []
    replies: list[bytes | RpcError] = []

    def connect(backend: Address, _names: NameLookups) -> InMemory:
        connections.append(InMemory(backend))
        return connections[-1]

    waits = CallbackWaits(Address("backend", 1), Loop(), connect)

    def fetch() -> None:
        run = Run(FakeCall(), b"", Ledger(2), streams=False)
        waits.fetch(Fetch(workload_pb2.Call(), None, None), run, replies.append)
        connections[-1].talk()

    fetch()
    connections[0].server.drain()
    connections[0].talk()
    fetch()
    assert [len(connection.calls) for connection in connections] == [1, 1]
    for connection, reply in zip(connections, (b"old", b"new"), strict=True):
        connection.server.reply(connection.calls[0], reply)
        connection.talk()
    assert replies == [b"old", b"new"]
