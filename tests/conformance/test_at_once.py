"""How much a model serves at the same time is what its row promises: who has to wait does, and is served then."""

from contextlib import ExitStack

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from tests.conformance.conftest import Workload
from tests.serving import Serving, serving

TIMEOUT_S = 10
ECHO = workload_pb2.RunRequest(payload=b"echo")
# Else grpcio gives two channels to one address the same connection.
ALONE = [("grpc.use_local_subchannel_pool", 1)]

FEW = {
    "process_pool": ("--processes", "2"),
    "process_pool of threads": ("--processes", "1", "--threads", "2"),
}
"""Options with which there is room for two connections."""


def connect(service: Serving, stack: ExitStack) -> grpc.Channel:
    return stack.enter_context(grpc.insecure_channel(service.address, options=ALONE))


@pytest.mark.parametrize("few", FEW)
def test_a_connection_too_many_waits_until_another_one_ends(few: str) -> None:
    with serving(few.split(maxsplit=1)[0], *FEW[few]) as service, ExitStack() as stack:
        served = [connect(service, stack) for _ in range(2)]
        for channel in served:
            assert Workload(channel).run(ECHO, timeout=TIMEOUT_S).payload == b"echo"
        late = Workload(connect(service, stack)).run.future(ECHO, timeout=TIMEOUT_S, wait_for_ready=True)
        assert Workload(served[0]).run(ECHO, timeout=TIMEOUT_S).payload == b"echo"
        assert service.wait_until_in_flight(0).connections == 2
        assert not late.done()
        served[1].close()
        assert late.result().payload == b"echo"
