"""How much a model serves at the same time is what its row and its file promise."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from services.models import MODELS
from tests.conformance.conftest import STARTS, Workload
from tests.serving import Serving, serving
from tools.claims.counting.parts import ALONE, Parts, clients, is_served, made_of

TIMEOUT_S = 20
ECHO = workload_pb2.RunRequest(payload=b"echo")
STUCK = workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=60_000_000))])


@contextmanager
def served_clients(service: Serving, count: int) -> Iterator[list[grpc.Channel]]:
    """So many, each with a connection of its own on which it has been served."""
    with clients(service.address, count) as served:
        assert len(served) == count
        yield served


FEW = {
    ("iterative",): 1,
    ("process_per_connection", "--processes-bound", "2"): 2,
    ("process_pool", "--processes", "2"): 2,
    ("process_pool", "--processes", "1", "--threads", "2"): 2,
    ("process_pool", "--processes", "1", "--reuse-port"): 1,
}
"""Models that have room for so many connections and no more."""


@pytest.mark.parametrize(("start", "room"), FEW.items(), ids=map(" ".join, FEW))
def test_a_connection_too_many_waits_until_another_one_ends(start: tuple[str, ...], room: int) -> None:
    with (
        serving(*start) as service,
        served_clients(service, room) as served,
        grpc.insecure_channel(service.address, options=[ALONE]) as late,
    ):
        waiting = Workload(late).run.future(ECHO, timeout=TIMEOUT_S, wait_for_ready=True)
        assert all(is_served(channel, TIMEOUT_S) for channel in served)
        assert service.wait_until_in_flight(0).connections == room
        assert not waiting.done()
        served[-1].close()
        assert waiting.result().payload == b"echo"


CLIENTS = 3
POOL = 16 * len(os.sched_getaffinity(0))
COUNTS = {
    ("thread_per_connection",): (1, 1 + CLIENTS),
    ("thread_per_request",): (1, 1 + CLIENTS),
    ("thread_pool", "--threads-per-cpu", "16"): (1, 1 + POOL + CLIENTS),
    ("process_per_connection",): (1 + CLIENTS, 1 + CLIENTS),
    ("process_pool", "--processes", "5"): (1 + 5, 1 + 5),
    ("process_pool", "--processes", "2", "--threads", "4"): (1 + 2, 1 + 2 * 4),
    ("reactor",): (1, 1),
    ("reactor", "--loops", "2"): (1, 1 + 2),
    ("proactor",): (1, 1),
    ("proactor", "--hand-off", "threads", "--threads-per-cpu", "16"): (1, 1 + POOL),
    ("proactor", "--hand-off", "processes", "--processes", "2"): (1 + 1 + 2, 1 + 1 + 2),
    ("multi_reactor", "--processes", "2"): (1 + 2, 1 + 2),
    ("multi_reactor", "--processes", "2", "--balance", "kernel"): (1 + 2, 1 + 2),
    ("half_sync_half_async", "--threads-per-cpu", "16"): (1, 1 + POOL),
    ("half_sync_half_async", "--hand-off", "processes", "--processes", "1", "--threads-per-cpu", "16"): (3, 3 + POOL),
    ("callback_pool", "--threads-per-cpu", "16"): (1, 1 + POOL),
    ("coroutines",): (1, 1),
    ("coroutines", "--loops", "2"): (1, 1 + 2),
    ("coroutines", "--processes", "2"): (1 + 2, 1 + 2 * (1 + 1)),
    ("coroutines", "--processes", "2", "--loops", "2"): (1 + 2, 1 + 2 * (1 + 2)),
    ("green_threads",): (1, 1),
    ("partitioned", "--processes", "2"): (1 + 2, 1 + 2),
    ("seda", "--threads-per-cpu", "16"): (1 + 4, 1 + 4 + POOL),
    ("seda", "--stages-in", "threads", "--threads-per-cpu", "16"): (1, 1 + 1 + 1 + POOL),
}
"""Processes and threads that a model is made of, while so many clients are connected."""


@pytest.mark.parametrize(("start", "counts"), COUNTS.items(), ids=map(" ".join, COUNTS))
def test_a_model_is_made_of_the_processes_and_threads_of_its_picture(
    start: tuple[str, ...], counts: tuple[int, int]
) -> None:
    with serving(*start) as service, served_clients(service, CLIENTS):
        assert made_of(service.control) == Parts(*counts, connections=CLIENTS)


def test_the_only_thread_of_one_connection_after_the_other_is_the_only_one() -> None:
    with serving("iterative") as service, served_clients(service, 1):
        assert made_of(service.control) == Parts(processes=1, threads=1, connections=1)


FORKED = [
    *(
        start
        for start in STARTS
        if MODELS[start[0]].processes != "one" and MODELS[start[0]].taxonomy.partitioning == "full"
    ),
    ("coroutines", "--processes", "2"),
    ("grpcio_threads", "--processes", "2"),
    ("grpcio_asyncio", "--processes", "2"),
]
"""Where a connection's process runs its calls; tests/models/ has those that hand them to other processes."""


@pytest.mark.parametrize("start", FORKED, ids=" ".join)
def test_a_process_that_dies_takes_only_its_own_connections_with_it(start: tuple[str, ...]) -> None:
    with serving(*start) as service, served_clients(service, 1) as (victim,):
        killed = Workload(victim).run(ECHO, timeout=TIMEOUT_S).process
        with ExitStack() as stack:
            # Where connections go is the model's: tried until one is served by another process.
            for _ in range(50):
                other = stack.enter_context(grpc.insecure_channel(service.address, options=[ALONE]))
                try:
                    if Workload(other).run(ECHO, timeout=1).process != killed:
                        break
                except grpc.RpcError:
                    continue
            else:
                pytest.fail("none of 50 connections leads to another process")
            lost = Workload(victim).run.future(STUCK, timeout=TIMEOUT_S)
            service.wait_until_in_flight(1)
            os.kill(killed, signal.SIGKILL)
            assert lost.code() is grpc.StatusCode.UNAVAILABLE
            assert Workload(other).run(ECHO, timeout=TIMEOUT_S).process not in (killed, service.process.pid)
        # With the others closed: the kernel may lead a new connection to a process that serves one at a time.
        assert is_served(victim, TIMEOUT_S)
