"""What stages promise: each has a queue that is seen, bounded and steered, and a process whose death is told of."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from sweetspot.v1 import control_pb2, workload_pb2

from tests.conformance.conftest import Workload
from tests.serving import Serving, serving

TIMEOUT_S = 20
CPUS = len(os.sched_getaffinity(0))
STAGES = ["read", "admit", "compute", "call", "reply"]
ECHO = workload_pb2.RunRequest(payload=b"echo")


def plan(**kinds: object) -> workload_pb2.RunRequest:
    return workload_pb2.RunRequest(steps=[workload_pb2.Step(**{kind: step}) for kind, step in kinds.items()])


BLOCKS_LONG = plan(block=workload_pb2.Block(duration_us=60_000_000))
BLOCKS = plan(block=workload_pb2.Block(duration_us=1_000_000))
SLEEPS_LONG = plan(sleep=workload_pb2.Sleep(duration_us=60_000_000))
SLEEPS = plan(sleep=workload_pb2.Sleep(duration_us=1000))


@contextmanager
def seda(*options: str) -> Iterator[tuple[Serving, Workload]]:
    """With as many threads in `compute` as there are CPUs."""
    with (
        serving("seda", "--threads-per-cpu", "1", *options) as service,
        grpc.insecure_channel(service.address, options=[("grpc.enable_retries", 0)]) as channel,
    ):
        yield service, Workload(channel)


def stage(reply: control_pb2.SnapshotReply, name: str) -> control_pb2.Stage:
    return next(found for found in reply.stages if found.name == name)


def process_of(service: Serving, name: str) -> int:
    """The stage's, by the name that ps shows."""
    number = ["front", "admit", "compute", "call"].index(name)
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text(encoding="ascii")
    return next(
        int(pid)
        for pid in children.split()
        if Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip() == f"worker-{number}"
    )


def test_a_call_goes_through_every_stage_and_returns_to_compute_after_each_wait() -> None:
    with seda() as (service, client):
        for _ in range(3):
            client.run(SLEEPS, timeout=TIMEOUT_S)
        seen = service.wait_until(lambda reply: reply.queue_depth == 0, "something still waits")
        assert {found.name: found.served for found in seen.stages} == dict(zip(STAGES, (3, 3, 6, 3, 3), strict=True))
        assert all(found.queue_wait_ns > 0 for found in seen.stages)


def test_where_compute_is_full_admit_sheds_and_says_when_to_come_again() -> None:
    with seda("--queue-bound", "5") as (service, client):
        running = [client.run.future(BLOCKS, timeout=TIMEOUT_S) for _ in range(CPUS)]
        service.wait_until(lambda reply: stage(reply, "compute").served == CPUS, "it has not taken them")
        waiting = [client.run.future(ECHO, timeout=TIMEOUT_S) for _ in range(5)]
        service.wait_until(lambda reply: stage(reply, "compute").queue_depth == 5, "they do not wait there")
        refused = [client.run.future(ECHO, timeout=TIMEOUT_S) for _ in range(5)]
        assert {(call.code(), call.details()) for call in refused} == {
            (grpc.StatusCode.RESOURCE_EXHAUSTED, "queue of compute is full")
        }
        assert all(int(dict(call.trailing_metadata())["grpc-retry-pushback-ms"]) > 0 for call in refused)
        seen = service.wait_until(lambda reply: reply.queue_depth == 0, "something still waits")
        assert {call.code() for call in running + waiting} == {grpc.StatusCode.OK}
        assert {found.name: found.shed for found in seen.stages if found.shed} == {"admit": 5}


@pytest.mark.parametrize(("dies", "held"), [("compute", BLOCKS_LONG), ("call", SLEEPS_LONG)])
def test_what_a_dead_stage_had_taken_is_unavailable_and_its_successor_serves(
    dies: str, held: workload_pb2.RunRequest
) -> None:
    with seda() as (service, client):
        taken = [client.run.future(held, timeout=TIMEOUT_S) for _ in range(CPUS)]
        service.wait_until(lambda reply: stage(reply, dies).served == CPUS, "it has not taken them")
        os.kill(process_of(service, dies), signal.SIGKILL)
        assert {(call.code(), call.details()) for call in taken} == {(grpc.StatusCode.UNAVAILABLE, f"{dies} has died")}
        assert client.run(SLEEPS, timeout=TIMEOUT_S).steps == 1


def test_what_waited_in_the_queue_of_a_dead_stage_is_served_by_its_successor() -> None:
    with seda() as (service, client):
        taken = [client.run.future(BLOCKS_LONG, timeout=TIMEOUT_S) for _ in range(CPUS)]
        service.wait_until(lambda reply: stage(reply, "compute").served == CPUS, "it has not taken them")
        waiting = [client.run.future(ECHO, timeout=TIMEOUT_S) for _ in range(50)]
        service.wait_until(lambda reply: stage(reply, "compute").queue_depth == 50, "they do not wait there")
        os.kill(process_of(service, "compute"), signal.SIGKILL)
        assert {call.code() for call in waiting} == {grpc.StatusCode.OK}
        assert {call.code() for call in taken} == {grpc.StatusCode.UNAVAILABLE}
        service.wait_until(lambda reply: reply.calls_in_flight == reply.queue_depth == 0, "something is left over")


def test_every_answer_of_a_stream_comes_in_its_place_whichever_stage_it_comes_from() -> None:
    steps = [workload_pb2.Step(compute=workload_pb2.Compute(rounds=1)), *SLEEPS.steps] * 32
    with seda() as (_, client):
        streams = [client.run_stream(workload_pb2.RunRequest(steps=steps), timeout=TIMEOUT_S) for _ in range(8)]
        assert [[reply.steps for reply in stream] for stream in streams] == [list(range(1, 65))] * 8
