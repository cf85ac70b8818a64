"""A peer that has all its answers and does not close its connection is cut off: it may have vanished."""

import pytest
from sweetspot.v1 import workload_pb2

from services.models import MODELS
from services.wire import Code
from tests.serving import serving
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
