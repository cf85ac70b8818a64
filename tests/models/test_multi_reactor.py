"""Connections go to the loops that `--balance` chooses. None is lost on the way to a loop that is busy or dead."""

import os
import signal
from collections import Counter
from contextlib import ExitStack

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from tests.conformance.conftest import Workload
from tests.serving import Serving, serving

TIMEOUT_S = 20
ECHO = workload_pb2.RunRequest()
BLOCKING = workload_pb2.RunRequest(steps=[workload_pb2.Step(block=workload_pb2.Block(duration_us=500_000))])
SLOW = workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=500_000))])
MODEL = ("multi_reactor", "--processes", "2", "--balance")


class Clients:
    """Each with a connection of its own; they know which process serves it."""

    def __init__(self, service: Serving, stack: ExitStack) -> None:
        self._service = service
        self._stack = stack
        self.processes: list[int] = []
        self.channels: list[grpc.Channel] = []

    def connect(self, count: int) -> list[int]:
        """So many more, one after the other; the processes that serve them."""
        for _ in range(count):
            alone = [("grpc.use_local_subchannel_pool", 1)]
            channel = self._stack.enter_context(grpc.insecure_channel(self._service.address, options=alone))
            self.channels.append(channel)
            self.processes.append(Workload(channel).run(ECHO, timeout=TIMEOUT_S, wait_for_ready=True).process)
        return self.processes[-count:]

    def close_those_of(self, process: int) -> None:
        for channel, of_channel in zip(self.channels, self.processes, strict=True):
            if of_channel == process:
                channel.close()


def test_round_robin_gives_one_to_each_in_turn() -> None:
    with serving(*MODEL, "round-robin") as service, ExitStack() as stack:
        processes = Clients(service, stack).connect(6)
        assert processes[0] != processes[1]
        assert processes == processes[:2] * 3


def test_least_connections_makes_up_for_those_that_have_left() -> None:
    with serving(*MODEL, "least-connections") as service, ExitStack() as stack:
        clients = Clients(service, stack)
        left, stayed = Counter(clients.connect(6))
        clients.close_those_of(left)
        service.wait_until(lambda reply: reply.connections == 3, "clients never left")
        assert clients.connect(3) == [left] * 3
        assert set(clients.connect(2)) == {left, stayed}


@pytest.mark.parametrize("balance", ["random", "kernel"])
def test_chance_gives_some_to_each(balance: str) -> None:
    with serving(*MODEL, balance) as service, ExitStack() as stack:
        assert len(set(Clients(service, stack).connect(40))) == 2  # all on one side: once in 2 to the 39th


def test_one_loop_that_is_blocked_holds_up_its_own_clients_only() -> None:
    with serving(*MODEL, "round-robin") as service, ExitStack() as stack:
        clients = Clients(service, stack)
        blocked, free = clients.connect(2)
        blocking = Workload(clients.channels[0]).run.future(BLOCKING, timeout=TIMEOUT_S)
        service.wait_until_in_flight(1)
        assert Workload(clients.channels[1]).run(ECHO, timeout=TIMEOUT_S).process == free
        assert not blocking.done()
        assert blocking.result().process == blocked


def test_what_is_dealt_to_a_loop_that_is_dead_is_served_by_the_next_one() -> None:
    with serving("multi_reactor", "--processes", "1") as service, ExitStack() as stack:
        clients = Clients(service, stack)
        (first,) = clients.connect(1)
        os.kill(first, signal.SIGSTOP)  # so that what comes now waits in the channel
        alone = [("grpc.use_local_subchannel_pool", 1)]
        channel = stack.enter_context(grpc.insecure_channel(service.address, options=alone))
        waiting = Workload(channel).run.future(ECHO, timeout=TIMEOUT_S, wait_for_ready=True)
        os.kill(first, signal.SIGKILL)
        assert waiting.result().process not in (first, service.process.pid)


def test_a_drain_waits_for_the_calls_of_every_loop() -> None:
    with serving(*MODEL, "round-robin") as service, ExitStack() as stack:
        clients = Clients(service, stack)
        clients.connect(4)
        calls = [Workload(channel).run.future(SLOW, timeout=TIMEOUT_S) for channel in clients.channels * 5]
        service.wait_until_in_flight(20)
        assert service.stop() == 0
        assert Counter(call.result().process for call in calls) == dict.fromkeys(clients.processes[:2], 10)
