"""The policy decides which call is taken next, in a queue by itself and in a pool that serves."""

import os
import threading
from operator import itemgetter

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from services.runtime.queues.policy import POLICIES, ordered
from tests.conformance.conftest import Workload
from tests.serving import serving

TIMEOUT_S = 20


def sleeps(duration_us: int) -> workload_pb2.RunRequest:
    return workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=duration_us))])


WAITING = [("a", 3), ("a", 1), ("b", 2), ("b", 1)]
"""Owner and duration, in the order in which they came."""
ORDERS = {
    "turns": [("a", 3), ("b", 2), ("a", 1), ("b", 1)],
    "first-come": WAITING,
    "last-come": WAITING[::-1],
    "shortest": [("a", 1), ("b", 1), ("b", 2), ("a", 3)],
}


@pytest.mark.parametrize("policy", POLICIES)
def test_each_policy_has_its_order(policy: str) -> None:
    queue = ordered(policy, itemgetter(0), lambda item: sleeps(item[1]).SerializeToString())
    for item in WAITING:
        queue.append(item)
    assert [queue.popleft() for _ in range(len(queue))] == ORDERS[policy]
    assert not len(queue)


CPUS = len(os.sched_getaffinity(0))
LONG_US, MANY = 300_000, 4 * CPUS
FIRST = [("first-come", False), ("last-come", True), ("shortest", True)]


@pytest.mark.parametrize("model", ["thread_pool", "half_sync_half_async"])
@pytest.mark.parametrize(("policy", "is_first"), FIRST)
def test_a_short_call_that_came_last_is_served_when_the_policy_says(model: str, policy: str, is_first: bool) -> None:
    with (
        serving(model, f"--policy={policy}", "--threads-per-cpu=1") as service,
        grpc.insecure_channel(service.address) as channel,
    ):
        client = Workload(channel)
        ended: list[str] = []
        long = [client.run.future(sleeps(LONG_US), timeout=TIMEOUT_S) for _ in range(MANY)]
        for call in long:
            call.add_done_callback(lambda _: ended.append("long"))
        service.wait_until_in_flight(MANY)
        # One thread of the channel ends all futures, in the order of the answers on the connection. A blocking call
        # returns in another thread, which may come before the callback of an earlier answer.
        short = client.run.future(sleeps(0), timeout=TIMEOUT_S)
        is_over = threading.Event()
        short.add_done_callback(lambda _: ended.append("short"))
        short.add_done_callback(lambda _: is_over.set())
        assert is_over.wait(TIMEOUT_S), "the short call has no answer"
        assert (ended.index("short") <= MANY - CPUS) is is_first
        for call in long:
            call.cancel()
