"""The policy decides which call is taken next, in a queue by itself and in a pool that serves."""

import os
from operator import itemgetter

import pytest
from sweetspot.v1 import workload_pb2

from services.runtime.queues.policy import POLICIES, ordered
from services.wire import CallEnded, ClientCall
from tests.serving import serving
from tests.wire_client import RECEIVE_BYTES, WireClient

RUN = "/sweetspot.v1.Workload/Run"


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
LONGER_THAN_THE_TEST_US = 60_000_000
DURATIONS_US = (90_000, 30_000, 60_000, 30_000)
TAKEN = {"turns": (0, 1, 2, 3), "first-come": (0, 1, 2, 3), "last-come": (3, 2, 1, 0), "shortest": (1, 3, 2, 0)}
"""Which of the calls of one connection is taken first, second, ...: their places in `DURATIONS_US`.

Replies that a busy loop sends together go out in the order of their streams. So each call takes longer than a loop is
late.
"""


@pytest.mark.parametrize("model", ["thread_pool", "half_sync_half_async"])
@pytest.mark.parametrize("policy", POLICIES)
def test_one_thread_takes_the_calls_that_wait_in_the_order_of_the_policy(model: str, policy: str) -> None:
    with (
        serving(model, f"--policy={policy}", "--threads-per-cpu=1") as service,
        WireClient(service.address) as client,
    ):

        def start(duration_us: int) -> ClientCall:
            return client.session.start(RUN, sleeps(duration_us).SerializeToString())

        running = [start(LONGER_THAN_THE_TEST_US) for _ in range(CPUS)]
        client.flush()
        service.wait_until(lambda now: (now.calls_in_flight, now.queue_depth) == (CPUS, 0), "a thread is free")
        calls = [start(duration_us) for duration_us in DURATIONS_US]
        client.flush()
        service.wait_until(lambda now: now.queue_depth == len(calls), "a call does not wait")
        client.session.cancel(running[0])  # one thread only, so each call ends before the next one is taken
        client.flush()
        ended: list[ClientCall] = []
        while len(ended) < len(calls):
            events = client.session.receive_data(client.sock.recv(RECEIVE_BYTES))
            ended += [event.call for event in events if isinstance(event, CallEnded)]
            client.flush()
    assert tuple(map(calls.index, ended)) == TAKEN[policy]
