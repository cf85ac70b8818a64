"""The control port as an orchestrator, a load driver and a user use it: with grpcio's client."""

import socket
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from sweetspot.v1 import control_pb2, workload_pb2

from services.runtime.config import Config
from services.runtime.control.control_port import ControlPort
from services.runtime.drain import Drain
from services.runtime.service import Service
from tests.serving import serving

TIMEOUT_S = 10
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Client:
    """The methods of a control port."""

    def __init__(self, channel: grpc.Channel) -> None:
        of_check, to_state = health_pb2.HealthCheckRequest.SerializeToString, health_pb2.HealthCheckResponse.FromString
        self._check = channel.unary_unary("/grpc.health.v1.Health/Check", of_check, to_state)
        self._watch = channel.unary_stream("/grpc.health.v1.Health/Watch", of_check, to_state)
        self._snapshot = channel.unary_unary(
            "/sweetspot.v1.Control/Snapshot", response_deserializer=control_pb2.SnapshotReply.FromString
        )

    def check(self, name: str = "") -> int:
        status: int = self._check(health_pb2.HealthCheckRequest(service=name), timeout=TIMEOUT_S).status
        return status

    def watch(self, name: str = "") -> Iterator[int]:
        for state in self._watch(health_pb2.HealthCheckRequest(service=name), timeout=TIMEOUT_S):
            yield state.status

    def snapshot(self) -> control_pb2.SnapshotReply:
        reply: control_pb2.SnapshotReply = self._snapshot(b"", timeout=TIMEOUT_S)
        return reply


@pytest.fixture
def service() -> Service:
    return Service("thread_pool", Config(of_model={"queue_bound": 1}), drain=Drain())


@pytest.fixture
def channel(service: Service) -> Iterator[grpc.Channel]:
    control = ControlPort(service)
    with grpc.insecure_channel(str(control.start())) as opened:
        yield opened
    control.stop()


@pytest.fixture
def client(channel: grpc.Channel) -> Client:
    return Client(channel)


def test_watch_tells_the_state_at_once_and_then_each_change(client: Client, service: Service) -> None:
    states = client.watch("readiness")
    seen = [next(states)]
    service.queue.set(1)
    seen.append(next(states))
    service.queue.set(0)
    seen.append(next(states))
    service.drain.request()
    seen.append(next(states))
    assert seen == [SERVING, NOT_SERVING, SERVING, NOT_SERVING]


def test_each_watcher_is_told_of_its_own_name(client: Client, service: Service) -> None:
    watches = [client.watch(name) for name in ("readiness", "liveness", "nobody")]
    assert [next(watch) for watch in watches] == [SERVING, SERVING, SERVICE_UNKNOWN]
    service.drain.request()
    assert next(watches[0]) == NOT_SERVING
    assert client.check("liveness") == SERVING


def test_stopping_tells_a_watcher_that_it_is_over(service: Service) -> None:
    control = ControlPort(service)
    with grpc.insecure_channel(str(control.start())) as channel:
        states = Client(channel).watch()
        assert next(states) == SERVING
        service.drain.request()
        control.stop()
        assert next(states) == NOT_SERVING
        with pytest.raises(grpc.RpcError) as ended:
            next(states)
    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_snapshot_names_the_model_and_counts_the_queue(client: Client, service: Service) -> None:
    service.queue.set(42)
    reply = client.snapshot()
    assert (reply.model, reply.queue_depth) == ("thread_pool", 42)


def test_reflection_describes_what_the_port_serves(channel: grpc.Channel) -> None:
    database = ProtoReflectionDescriptorDatabase(channel)
    assert "sweetspot.v1.Control" in database.get_services()
    assert database.FindFileContainingSymbol("sweetspot.v1.Control").name == "sweetspot/v1/control.proto"


def test_a_port_in_use_is_the_callers_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = Config(control_port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            ControlPort(Service("reactor", config, drain=Drain())).start()


@pytest.mark.parametrize("ask", [Client.check, Client.snapshot])
def test_it_answers_within_100_ms_while_the_main_thread_computes(ask: Callable[[Client], object]) -> None:
    # Some 2 s of byte code on the reactor's only thread, which never waits and so never lets the lock go by itself.
    compute = [workload_pb2.Step(compute=workload_pb2.Compute(rounds=10_000_000))] * 2

    def took_s(client: Client) -> float:
        started = time.perf_counter()
        ask(client)
        return time.perf_counter() - started

    with serving("reactor") as reactor, grpc.insecure_channel(reactor.control) as channel:
        client = Client(channel)
        client.check()
        with grpc.insecure_channel(reactor.address) as calls:
            running = calls.unary_unary("/sweetspot.v1.Workload/Run").future(
                workload_pb2.RunRequest(steps=compute).SerializeToString()
            )
            while client.snapshot().calls_in_flight == 0:
                assert not running.done()
            times_s = [took_s(client) for _ in islice(iter(running.done, True), 10)]
            assert not running.done(), "the main thread was done too soon"
            running.cancel()
    assert statistics.median(times_s) < 0.1
