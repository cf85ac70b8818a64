"""What is asked about a service is answered by every model, also while all its workers are busy."""

import grpc
import pytest
from grpc_health.v1 import health_pb2
from sweetspot.v1 import workload_pb2

from tests.conformance.conftest import Workload
from tests.serving import Serving

TIMEOUT_S = 10
BLOCKED_US = (100_000, 400_000, 1_600_000, 6_400_000)
"""Each is for a machine that is too busy for the one before. A port that waits for the handler answers within none."""
SERVING = health_pb2.HealthCheckResponse.SERVING


def check(channel: grpc.Channel, name: str) -> int:
    method = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        health_pb2.HealthCheckRequest.SerializeToString,
        health_pb2.HealthCheckResponse.FromString,
    )
    status: int = method(health_pb2.HealthCheckRequest(service=name), timeout=TIMEOUT_S).status
    return status


@pytest.mark.parametrize("name", ["", "readiness", "liveness", "sweetspot.v1.Workload"])
def test_the_port_that_serves_calls_says_that_it_does(channel: grpc.Channel, name: str) -> None:
    assert check(channel, name) == SERVING


def test_the_control_port_answers_while_the_handler_holds_its_thread(workload: Workload, service: Serving) -> None:
    with service.snapshots() as snapshot, grpc.insecure_channel(service.control) as control:
        for duration_us in BLOCKED_US:
            blocked = workload.run.future(
                workload_pb2.RunRequest(steps=[workload_pb2.Step(block=workload_pb2.Block(duration_us=duration_us))])
            )
            while not (seen := snapshot()).calls_in_flight and not blocked.done():
                pass
            assert check(control, "liveness") == SERVING
            if not blocked.done():
                break
            assert blocked.result().steps == 1
        else:
            pytest.fail("the control port answers when the handler has ended")
    assert (seen.processes == 1) == (service.runs_in == "one")
    assert seen.cpu_user_ns > 0
    assert blocked.result(TIMEOUT_S).steps == 1
