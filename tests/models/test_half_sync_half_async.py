"""The bound between the two halves, and what the loop still does while the pool is full."""

import math
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from services.runtime.counters.quota import usable_cpus
from services.runtime.processes.forwarding import AHEAD
from tests.conformance.conftest import Workload
from tests.serving import serving

TIMEOUT_S = 20
THREADS = math.ceil(usable_cpus())
"""With one thread for each CPU."""
BOUND = 2
ECHO = workload_pb2.RunRequest(payload=b"echo")
BLOCK = workload_pb2.RunRequest(steps=[workload_pb2.Step(block=workload_pb2.Block(duration_us=60_000_000))])
SLEEP = workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=60_000_000))])
FULL = [
    # hand-off, what fills the pool, what is rejected then, what is served then
    ("all", SLEEP, [ECHO, SLEEP, BLOCK], []),
    ("blocking", BLOCK, [BLOCK], [ECHO]),
    ("processes", SLEEP, [ECHO, SLEEP, BLOCK], []),
]


@contextmanager
def full(hand_off: str, filling: workload_pb2.RunRequest) -> Iterator[tuple[Workload, list["grpc.Future"]]]:
    """The model with all its threads and its queue filled by such calls. Yields these calls too."""
    options = ("--hand-off", hand_off, "--threads-per-cpu", "1", "--queue-bound", str(BOUND), "--drain-timeout-s", "0")
    with serving("half_sync_half_async", *options) as started, grpc.insecure_channel(started.address) as channel:
        workload = Workload(channel)
        filled = []
        for calls in range(1, THREADS + BOUND + 1):  # one by one: a thread needs a moment to take its call
            filled.append(workload.run.future(filling))
            state = (calls, max(0, calls - THREADS))
            started.wait_until(
                lambda reply, state=state: (reply.calls_in_flight, reply.queue_depth) == state,  # type: ignore[misc]
                "the pool did not take its calls",
            )
        yield workload, filled


@pytest.mark.parametrize(("hand_off", "filling", "refused", "served"), FULL, ids=["all", "blocking", "processes"])
def test_what_does_not_fit_into_the_queue_is_refused_and_nothing_else(
    hand_off: str,
    filling: workload_pb2.RunRequest,
    refused: list[workload_pb2.RunRequest],
    served: list[workload_pb2.RunRequest],
) -> None:
    with full(hand_off, filling) as (workload, filled):
        for plan in refused:
            with pytest.raises(grpc.RpcError) as error:
                workload.run(plan, timeout=TIMEOUT_S)
            assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        for plan in served:
            assert workload.run(plan, timeout=TIMEOUT_S).payload == plan.payload
        assert not any(call.done() for call in filled)


def test_a_call_that_will_block_is_not_begun_while_no_helper_would_take_it() -> None:
    compute = workload_pb2.Step(compute=workload_pb2.Compute(rounds=1))
    with full("blocking", BLOCK) as (workload, _):
        replies = workload.run_stream(workload_pb2.RunRequest(steps=[compute, *BLOCK.steps]), timeout=TIMEOUT_S)
        with pytest.raises(grpc.RpcError) as error:
            next(replies)
        assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_process_that_dies_takes_its_calls_with_it_and_those_of_the_queue_are_served() -> None:
    options = ("--hand-off", "processes", "--processes", "2", "--threads-per-cpu", "1")
    briefly = workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=50_000))])
    with serving("half_sync_half_async", *options) as started, grpc.insecure_channel(started.address) as channel:
        run = Workload(channel).run
        victim = run(ECHO, timeout=TIMEOUT_S).process
        lost = run.future(SLEEP, timeout=TIMEOUT_S)
        started.wait_until_in_flight(1)
        others = [run.future(briefly, timeout=TIMEOUT_S) for _ in range(4 * AHEAD)]
        started.wait_until(lambda reply: reply.queue_depth > 2 * AHEAD, "no call waits in the queue")
        os.kill(victim, signal.SIGKILL)
        assert (lost.code(), lost.details()) == (grpc.StatusCode.UNAVAILABLE, "worker-1 has died")
        served = [call for call in others if call.code() is grpc.StatusCode.OK]
        assert len(served) >= 3 * AHEAD - 1
        assert victim not in {call.result().process for call in served}
