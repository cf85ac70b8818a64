"""Event-loop lag: a loop that is stalled reports it, and one that is idle is not woken to measure it."""

import time

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from services.models import MODELS
from tests.conformance.conftest import Workload
from tests.serving import serving

BLOCK_US = 60_000
BLOCK = workload_pb2.RunRequest(steps=[workload_pb2.Step(block=workload_pb2.Block(duration_us=BLOCK_US))])
WINDOW_S = 0.5
FEW_SWITCHES = 10
"""In a window. A timer of 20 ms makes 25 for each loop."""


@pytest.mark.parametrize(
    "start",
    [
        "reactor",
        "reactor --loops 2",
        "proactor",
        "multi_reactor",
        "coroutines",
        "coroutines --loops 2",
        "green_threads",
        "partitioned",
        "grpcio_asyncio",
    ],
)
def test_a_handler_that_blocks_is_seen_as_lag(start: str) -> None:
    model, *options = start.split()
    with serving(model, *options) as service, grpc.insecure_channel(service.address) as channel:
        with service.snapshots() as snapshot:
            snapshot()  # what the start took
        Workload(channel).run(BLOCK)
        # An iteration is noted at its end, a moment after its answers.
        service.wait_until(lambda reply: reply.loop_lag_max_ns >= BLOCK_US * 1000, "no iteration was that long")


# The controllers of seda's stages look 20 times a second. grpcio's library has threads that wake 50 times a second.
@pytest.mark.parametrize("model", sorted(set(MODELS) - {"seda", "grpcio_asyncio", "grpcio_threads"}))
def test_an_idle_service_does_not_wake(model: str) -> None:
    with serving(model) as service, service.snapshots() as snapshot:
        snapshot()
        before = snapshot()
        time.sleep(WINDOW_S)  # what is shown is that nothing happens
        after = snapshot()
    assert after.voluntary_switches - before.voluntary_switches < FEW_SWITCHES
