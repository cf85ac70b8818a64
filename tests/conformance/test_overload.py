"""The calls that a model has at once are bounded, and so is its memory, however many calls clients send.

A call beyond the bound is rejected with RESOURCE_EXHAUSTED, or it stays with its client until a stream is free.
`make bench` measures the cost of both.
"""

import os
import time
from pathlib import Path

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from services.driver.load import LoadGenerator
from services.driver.plan import make_plan
from services.network.address import Address
from tests.conformance.conftest import OWN_WIRE, STARTS, Workload
from tests.driver.runs import options
from tests.serving import POLL_S, Serving, serving

TIMEOUT_S = 20
CPUS = len(os.sched_getaffinity(0))
BOUND = 3
TOO_MANY = 20
BLOCK = workload_pb2.RunRequest(steps=[workload_pb2.Step(block=workload_pb2.Block(duration_us=500_000))])
SLEEP = workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=20_000))])

QUEUE = ("--queue-bound", str(BOUND))
POOL = ("--threads-per-cpu", "1", *QUEUE)
FULL = {
    ("thread_per_request", "--threads-bound", str(BOUND)): BOUND,
    ("thread_pool", *POOL): CPUS + BOUND,
    ("half_sync_half_async", *POOL): CPUS + BOUND,
    ("half_sync_half_async", "--hand-off", "blocking", *POOL): CPUS + BOUND,
    ("half_sync_half_async", "--hand-off", "processes", "--processes", "1", *POOL): CPUS + BOUND,
    ("callback_pool", *POOL): CPUS + BOUND,
    ("callback_pool", "--colour", "connection", *POOL): 1 + BOUND,
    ("proactor", "--hand-off", "threads", *POOL): CPUS + BOUND,
    # Its process cannot report that it has begun a call that blocks it.
    ("proactor", "--hand-off", "processes", "--processes", "1", *QUEUE): BOUND,
    ("grpcio_threads", *POOL): CPUS + BOUND,
}
"""Models that have room for so many calls and no more; tests/models/ has those whose room is in several places."""


@pytest.mark.parametrize(("start", "room"), FULL.items(), ids=map(" ".join, FULL))
def test_a_call_too_many_is_refused(start: tuple[str, ...], room: int) -> None:
    with serving(*start) as service, grpc.insecure_channel(service.address) as channel:
        calls = [Workload(channel).run.future(BLOCK, timeout=TIMEOUT_S) for _ in range(room + TOO_MANY)]
        codes = [call.code() for call in calls]
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) >= TOO_MANY


OWN = [start for start in STARTS if start[0] in OWN_WIRE]
"""grpcio's core resets streams that come near its limit, also those of its own client."""


@pytest.mark.parametrize("start", OWN, ids=" ".join)
def test_a_client_has_as_many_calls_in_a_service_as_its_connection_has_streams(start: tuple[str, ...]) -> None:
    with (
        serving(*start, "--max-concurrent-streams", str(BOUND)) as service,
        grpc.insecure_channel(service.address) as channel,
        service.snapshots() as snapshot,
    ):
        run = Workload(channel).run
        assert run(SLEEP, timeout=TIMEOUT_S).steps == 1  # from now on the client knows how many streams there are
        calls = [run.future(SLEEP, timeout=TIMEOUT_S) for _ in range(10 * BOUND)]
        in_flight = []
        while not all(call.done() for call in calls):
            in_flight.append(snapshot().calls_in_flight)
            time.sleep(POLL_S)
        assert {call.code() for call in calls} == {grpc.StatusCode.OK}
    assert 0 < max(in_flight) <= BOUND


CONNECTIONS, STREAMS = 20, 100
"""More than there are threads, and more than a queue is long by default."""
SATURATED_S = 3.0
KEPT_BYTES = 256
"""Less than libnghttp2 needs for the stream of one call. If the service grows by more a call, calls are not freed."""
PLAN = make_plan({"steps": [{"compute": {"rounds": 2000}}, {"call": {"delay_us": 5000}}]})


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_memory_does_not_grow_with_the_calls_that_a_full_service_is_offered(service: Serving) -> None:
    with service.snapshots() as snapshot:
        saturate(service)
        grown = []
        for _ in range(10):  # a leak grows each time; what a higher load than before needs grows once
            before = snapshot().rss_bytes
            offered = saturate(service)
            grown.append((snapshot().rss_bytes - before) / offered)
            if len(grown) > 1 and max(grown[-2:]) < KEPT_BYTES:
                return
    pytest.fail(f"bytes for each call, again and again: {grown}")


def saturate(service: Serving) -> int:
    """Uses all streams of all connections for SATURATED_S. Returns the number of calls."""
    host, port = service.address.split(":")
    asked = options(
        Address(host, int(port)),
        connections=CONNECTIONS,
        streams=STREAMS,
        duration_s=SATURATED_S,
        timeout_s=TIMEOUT_S,
        plan=Path("unused"),
    )
    load = LoadGenerator(asked, PLAN.requests(asked.seed, asked.shard, asked.connections), None, lambda _: None)
    load.open_connections()
    accounts = load.run().accounts
    service.wait_until(lambda reply: not reply.calls_in_flight, "a call is left over")
    return accounts.planned
