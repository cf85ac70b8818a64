"""What partitioning promises: one owner for each key, so no lock; and what that costs when an owner is slow or dies."""

import os
import signal
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import pytest
from sweetspot.v1 import control_pb2, workload_pb2

from tests.conformance.conftest import Workload
from tests.serving import Serving, serving

TIMEOUT_S = 20
KEYS = range(8)
CONNECTIONS = 16
"""The kernel deals them to two workers: that one gets none happens once in 2^15 times."""
MIB = 1024 * 1024


@contextmanager
def partitioned(*options: str) -> Iterator[tuple[Serving, list[Workload]]]:
    """Two workers, and clients that have connections to both."""
    with serving("partitioned", "--processes", "2", *options) as service, ExitStack() as stack:
        own = (("grpc.use_local_subchannel_pool", 1),)
        channels = [
            stack.enter_context(grpc.insecure_channel(service.address, options=own)) for _ in range(CONNECTIONS)
        ]
        for channel in channels:
            grpc.channel_ready_future(channel).result(TIMEOUT_S)
        yield service, [Workload(channel) for channel in channels]


def on(key: int, **step: Any) -> workload_pb2.RunRequest:
    return workload_pb2.RunRequest(key=key, steps=[workload_pb2.Step(**step)] if step else [])


def snapshot(service: Serving) -> control_pb2.SnapshotReply:
    return service.wait_until(lambda _: True, "")


BLOCKS = {"block": workload_pb2.Block(duration_us=1_500_000)}
SLEEPS = {"sleep": workload_pb2.Sleep(duration_us=60_000_000)}


def test_every_call_of_a_key_runs_in_the_same_worker_wherever_it_came_in() -> None:
    with partitioned() as (_, clients):
        ran_in = defaultdict(set)
        for client in clients:
            for key in KEYS:
                reply = client.run(on(key), timeout=TIMEOUT_S)
                ran_in[key].add((reply.process, reply.worker))
        assert [len(workers) for workers in ran_in.values()] == [1] * len(KEYS)
        assert {worker for workers in ran_in.values() for _, worker in workers} == {"worker-0", "worker-1"}


def test_a_working_set_exists_once() -> None:
    touch = workload_pb2.Touch(working_set_kib=16 * 1024)
    with partitioned() as (service, clients):
        for key in KEYS:
            clients[0].run(on(key), timeout=TIMEOUT_S)
        before = snapshot(service).pss_bytes
        for client in clients:
            for key in KEYS:
                client.run(on(key, touch=touch), timeout=TIMEOUT_S)
        sets = (snapshot(service).pss_bytes - before) / (16 * MIB)
        assert len(KEYS) <= sets < len(KEYS) + 2


@pytest.mark.parametrize("to_account", [2, 1], ids=["of one owner", "of two owners"])
def test_money_moves_without_a_lock(to_account: int) -> None:
    transfer = workload_pb2.Transfer(to_account=to_account, amount=1, yields=1)
    with partitioned("--accounts", "4") as (service, clients):
        for _ in range(20):
            calls = [
                client.run.future(on(key, transfer=transfer), timeout=TIMEOUT_S) for client in clients for key in KEYS
            ]
            assert [call.code() for call in calls] == [grpc.StatusCode.OK] * len(calls)
        seen = snapshot(service)
        assert (seen.ledger_sum, seen.lost_updates, seen.aborted_transfers) == (0, 0, 0)


def test_an_owner_that_is_busy_holds_up_its_own_keys_and_its_queue_is_bounded() -> None:
    with partitioned("--queue-bound", "2") as (service, clients):
        blocked = clients[0].run.future(on(0, **BLOCKS), timeout=TIMEOUT_S)
        service.wait_until_in_flight(1)
        served = threading.Event()
        for client in clients:
            client.run.future(on(1), timeout=TIMEOUT_S).add_done_callback(lambda _: served.set())
        assert served.wait(TIMEOUT_S)
        assert not blocked.done()
        waiting = [client.run.future(on(0), timeout=TIMEOUT_S) for client in clients for _ in range(5)]
        refused = next(call for call in waiting if call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED)
        assert refused.details() == "queue of worker-0 is full"
        assert {call.code() for call in waiting} == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert blocked.code() is grpc.StatusCode.OK
        # The blocked worker has just come to what its own clients asked of the other one.
        service.wait_until(lambda reply: reply.queue_depth == 0, "somebody still waits")


def test_what_a_dead_worker_ran_is_unavailable_and_its_successor_has_its_keys_and_accounts() -> None:
    transfer = workload_pb2.Transfer(to_account=1, amount=5)
    with partitioned() as (service, clients):
        owner = clients[0].run(on(0, transfer=transfer), timeout=TIMEOUT_S).process
        other = clients[0].run(on(1), timeout=TIMEOUT_S).process
        running = [client.run.future(on(0, **SLEEPS), timeout=TIMEOUT_S) for client in clients]
        service.wait_until_in_flight(CONNECTIONS)
        os.kill(owner, signal.SIGKILL)
        assert {call.code() for call in running} == {grpc.StatusCode.UNAVAILABLE}
        assert "worker-0 has died" in {call.details() for call in running}, "so says the other worker"
        reply = clients[0].run(on(0, transfer=transfer), timeout=TIMEOUT_S, wait_for_ready=True)
        assert reply.process not in (owner, other)
        assert reply.worker == "worker-0"
        assert clients[0].run(on(1), timeout=TIMEOUT_S, wait_for_ready=True).process == other
        seen = service.wait_until(lambda reply: reply.calls_in_flight == 0, "calls of the dead are still counted")
        assert (seen.ledger_sum, seen.queue_depth) == (0, 0)


def test_what_a_worker_without_clients_runs_for_another_is_finished_before_the_service_exits() -> None:
    with (
        serving("partitioned", "--processes", "2", "--accounts", "2") as service,
        grpc.insecure_channel(service.address) as channel,
    ):
        # One of them runs in the worker that does not have the connection, and half of its transfer in the other.
        calls = [
            Workload(channel).run.future(
                workload_pb2.RunRequest(
                    key=key,
                    steps=[
                        workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=500_000)),
                        workload_pb2.Step(transfer=workload_pb2.Transfer(to_account=1, amount=1)),
                    ],
                ),
                timeout=TIMEOUT_S,
            )
            for key in (0, 1)
        ]
        service.wait_until_in_flight(2)
        assert service.stop() == 0
        assert [call.code() for call in calls] == [grpc.StatusCode.OK] * 2


def test_a_caller_who_gives_up_is_not_waited_for_at_the_owner() -> None:
    with partitioned() as (service, clients):
        calls = [client.run.future(on(0, **SLEEPS), timeout=TIMEOUT_S) for client in clients]
        service.wait_until_in_flight(CONNECTIONS)
        for call in calls:
            call.cancel()
        service.wait_until(lambda reply: reply.calls_in_flight == 0, "somebody still sleeps")
        assert clients[0].run(on(0), timeout=TIMEOUT_S).worker == "worker-0"


def test_a_worker_that_dies_while_the_service_drains_holds_up_neither_calls_nor_the_drain() -> None:
    transfers = [
        workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=700_000)),
        workload_pb2.Step(transfer=workload_pb2.Transfer(to_account=1, amount=1)),
    ]
    with partitioned("--accounts", "2", "--drain-timeout-s", "15") as (service, clients):
        dies = clients[0].run(on(0), timeout=TIMEOUT_S).process
        # The half of it that is worker 0's is asked for when that is dead, by the worker that lives.
        calls = [
            client.run.future(workload_pb2.RunRequest(key=1, steps=transfers), timeout=TIMEOUT_S) for client in clients
        ]
        service.wait_until_in_flight(CONNECTIONS)
        service.process.send_signal(signal.SIGTERM)
        service.wait_until_ready(ready=False)
        os.kill(dies, signal.SIGKILL)
        assert {call.code() for call in calls} == {grpc.StatusCode.UNAVAILABLE}
        assert "worker-0 has stopped: it did not make a transfer" in {call.details() for call in calls}
        assert service.process.wait(5) == 0
