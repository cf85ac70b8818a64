"""A peer that reads nothing, or does not close its connection after the last answer, is cut off: it may be gone."""

import socket
import sys

import pytest
from sweetspot.v1 import workload_pb2

from services.models import MODELS
from services.wire import Code
from tests.attackers import LARGE_STREAM, WIDE_OPENING
from tests.serving import serving
from tests.wire.frames import data, headers, message, request_to
from tests.wire_client import RECEIVE_BYTES, WireClient

PATH = "/sweetspot.v1.Workload/Run"
ECHO = workload_pb2.RunRequest().SerializeToString()


@pytest.mark.parametrize("model", [name for name, model in MODELS.items() if model.own_wire])
def test_whoever_is_mute_after_the_last_call_of_a_connection_is_not_waited_for(model: str) -> None:
    with serving(model, "--max-connection-age-s", "0.000001") as started, WireClient(started.address) as client:
        session = client.session
        first = session.start(PATH, ECHO)
        client.flush()
        # The service drains what is so old. With a call on its way when that is acknowledged, that call is the last.
        last = session.start(PATH, ECHO)
        unsent = session.data_to_send()
        while first.code is None:
            session.receive_data(client.sock.recv(RECEIVE_BYTES))
            unsent += session.data_to_send()
        client.sock.sendall(unsent)
        client.wait_for(lambda: last.code is not None)
        assert (first.code, last.code) == (Code.OK, Code.OK)
        started.wait_until(lambda reply: reply.connections == 0, "it waits for a peer that says nothing")


SHORT_STALL = "from services.network import listen; listen.STALL_S = 1; " + (
    "import sys; from services.__main__ import main; main(sys.argv[3:])"
)


# One of each way to write to a connection.
@pytest.mark.parametrize("model", ["process_pool", "green_threads", "reactor", "coroutines", "proactor"])
def test_a_peer_that_never_reads_loses_its_open_connection_and_its_memory(model: str) -> None:
    fields = request_to(b"/grpc.testing.TestService/StreamingOutputCall")
    body = message(LARGE_STREAM)
    calls = [headers(number, fields) + data(number, body, end_stream=True) for number in range(1, 11, 2)]
    with (
        serving(model, "--interop", interpreter=(sys.executable, "-c", SHORT_STALL)) as started,
        socket.socket() as peer,
    ):
        host, _, port = started.address.rpartition(":")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect((host, int(port)))
        peer.sendall(WIDE_OPENING + b"".join(calls))
        started.wait_until(lambda reply: reply.connections == 1, "it does not accept the connection")
        # Calls end a moment after their connection.
        started.wait_until(
            lambda reply: not (reply.connections or reply.calls_in_flight or reply.held_bytes),
            "it waits for a peer that does not read",
        )
