"""What is asked about a service is answered by every model, also while all its workers are busy."""

import grpc
import pytest
from grpc_health.v1 import health_pb2
from sweetspot.v1 import workload_pb2

from tests.conformance.conftest import Workload
from tests.serving import Serving

TIMEOUT_S = 10
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
    blocked = workload.run.future(
        workload_pb2.RunRequest(steps=[workload_pb2.Step(block=workload_pb2.Block(duration_us=1_500_000))])
    )
    snapshot = service.wait_until_in_flight(1)
    with grpc.insecure_channel(service.control) as control:
        assert check(control, "liveness") == SERVING
        assert not blocked.done()
    assert (snapshot.processes == 1) == (service.runs_in == "one")
    assert snapshot.cpu_user_ns > 0
    assert blocked.result(TIMEOUT_S).steps == 1
