"""The one way to stop: calls in flight are finished, and clients are notified to send later calls elsewhere."""

import signal
import socket

import grpc
import pytest
from grpc_health.v1 import health_pb2
from sweetspot.v1 import workload_pb2

from services.__main__ import parse
from services.models import MODELS
from tests.conformance.conftest import SPREAD, Workload
from tests.serving import EXIT_TIMEOUT_S, serving
from tests.wire.frames import PREFACE, SETTINGS, frame

IN_FLIGHT = 20
SLOW = workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=500_000))])
STUCK = workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=60_000_000))])
BLOCKED = workload_pb2.RunRequest(steps=[workload_pb2.Step(block=workload_pb2.Block(duration_us=60_000_000))])
STARTS = [*((name,) for name in MODELS), *SPREAD]
CUT_OFF = [
    start
    for start in STARTS
    for model, config in [(MODELS[start[0]], parse(start, {})[1])]
    if model.tasks(config) != "cooperative" or model.runs_in(config) != "one"
]
"""Those in which another thread or process can end what blocks. One loop in one process has none."""
CONCURRENT = [name for name, model in MODELS.items() if model.at_once == "many calls"]
"""Models that run the calls of one connection at the same time."""


@pytest.mark.parametrize("start", STARTS, ids=" ".join)
def test_calls_in_flight_are_finished_before_the_service_exits(start: tuple[str, ...]) -> None:
    calls = IN_FLIGHT if start[0] in CONCURRENT else 1
    with serving(*start) as started, grpc.insecure_channel(started.address) as channel:
        pending = [Workload(channel).run.future(SLOW) for _ in range(calls)]
        started.wait_until_in_flight(calls)
        assert started.stop() == 0
        assert [call.code() for call in pending] == [grpc.StatusCode.OK] * calls


@pytest.mark.parametrize("start", STARTS, ids=" ".join)
def test_a_second_signal_does_not_wait(start: tuple[str, ...]) -> None:
    with serving(*start) as started, grpc.insecure_channel(started.address) as channel:
        pending = Workload(channel).run.future(STUCK)
        started.wait_until_in_flight(1)
        with grpc.insecure_channel(started.control) as control:
            watch = control.unary_stream(
                "/grpc.health.v1.Health/Watch",
                health_pb2.HealthCheckRequest.SerializeToString,
                health_pb2.HealthCheckResponse.FromString,
            )(health_pb2.HealthCheckRequest())
            states = [next(watch).status]
            started.process.send_signal(signal.SIGTERM)
            states.append(next(watch).status)
        assert states == [health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING]
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(EXIT_TIMEOUT_S) == 128 + signal.SIGTERM
        assert pending.code() is not grpc.StatusCode.OK


@pytest.mark.parametrize("start", STARTS, ids=" ".join)
def test_a_peer_that_never_reads_what_it_is_told_does_not_hold_the_service_up(start: tuple[str, ...]) -> None:
    with serving(*start, "--drain-timeout-s", "3600") as started:
        host, _, port = started.address.rpartition(":")
        with socket.create_connection((host, int(port))) as deaf:
            deaf.sendall(PREFACE + frame(SETTINGS))
            assert deaf.recv(1), "its settings say that it has taken the connection"
            assert started.stop() == 0


@pytest.mark.parametrize("start", CUT_OFF, ids=" ".join)
def test_a_handler_that_blocks_has_its_time_to_drain_and_no_more(
    start: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(*start, "--drain-timeout-s", "0.5") as started, grpc.insecure_channel(started.address) as channel:
        pending = Workload(channel).run.future(BLOCKED)
        started.wait_until_in_flight(1)
        assert started.stop() == 0
        assert pending.code() is not grpc.StatusCode.OK
    assert "Traceback" not in capfd.readouterr().err
