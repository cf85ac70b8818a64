"""What makes shared data consistent, in every model: money moves between accounts, and none may be lost or made.

A race cannot be forced. A service that must lose money gets calls until it has lost some: so many that an existing race
shows. A service that must lose none gets as many calls as made others lose money.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import grpc
import pytest
from sweetspot.v1 import control_pb2, workload_pb2

from services.__main__ import parse
from services.models import MODELS
from services.workload.ledger import STRATEGIES, Sharing, fitting_strategy
from services.workload.plan import MAX_STEPS
from tests.conformance.conftest import BY_CHANCE, STARTS, Workload, one_at_a_time
from tests.serving import Serving, serving

TIMEOUT_S = 20
CLIENTS = 8
CALLS = 4
ACCOUNTS = 4
ROUNDS = 300
TRIES = 50
"""Connections until one leads to another loop."""
Start = tuple[str, ...]
SHARING = {start: MODELS[start[0]].sharing(parse(start, {})[1]) for start in STARTS}
LOOPS = [start for start in STARTS if SHARING[start] is Sharing.LOOP and MODELS[start[0]].taxonomy.tasks != "serial"]
RACING = [
    start for start in STARTS if SHARING[start] not in (Sharing.LOOP, Sharing.OWNERS) and not one_at_a_time(start)
]
LOCKED = [start for start in STARTS if SHARING[start] is Sharing.THREADS]


class Bank:
    """Clients of a service, each with a connection of its own."""

    def __init__(self, service: Serving, channels: list[grpc.Channel], control: grpc.Channel) -> None:
        self._workloads = [Workload(channel) for channel in channels]
        self._snapshot = control.unary_unary(
            "/sweetspot.v1.Control/Snapshot", response_deserializer=control_pb2.SnapshotReply.FromString
        )
        self._before = self.snapshot()

    def transfer(self, yields: int, *, back_and_forth: bool = False) -> int:
        """All clients at once move money along a chain of accounts; how many calls were ABORTED."""
        chain = [(number, number + 1) for number in range(MAX_STEPS)]
        if back_and_forth:
            chain[1::2] = [(credited, debited) for debited, credited in chain[::2]]
        steps = [
            workload_pb2.Step(
                transfer=workload_pb2.Transfer(from_account=debited, to_account=credited, amount=1, yields=yields)
            )
            for debited, credited in chain
        ]
        plans = [workload_pb2.RunRequest(key=key, steps=steps) for key in range(len(self._workloads))]
        calls = [
            workload.run.future(plan, timeout=TIMEOUT_S)
            for _ in range(CALLS)
            for workload, plan in zip(self._workloads, plans, strict=True)
        ]
        codes = [call.code() for call in calls]
        assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.ABORTED}
        return codes.count(grpc.StatusCode.ABORTED)

    def snapshot(self) -> control_pb2.SnapshotReply:
        reply: control_pb2.SnapshotReply = self._snapshot(b"", timeout=TIMEOUT_S)
        return reply

    def lost(self) -> tuple[int, int]:
        """By how much the sum of all balances changed, and how many updates are known to be lost, since it began."""
        seen = self.snapshot()
        return seen.ledger_sum - self._before.ledger_sum, seen.lost_updates - self._before.lost_updates

    def until_money_is_lost(self, yields: int) -> Iterator[int]:
        """Rounds of transfers, until a sum that has changed shows that money is lost or made."""
        for number in range(ROUNDS):
            self.transfer(yields)
            if all(self.lost()):
                return
            yield number


@contextmanager
def banking(service: Serving) -> Iterator[Bank]:
    with ExitStack() as stack:

        def connect() -> grpc.Channel:
            alone = (("grpc.use_local_subchannel_pool", 1),)
            return stack.enter_context(grpc.insecure_channel(service.address, options=alone))

        channels = [connect() for _ in range(1 if one_at_a_time(service.start) else CLIENTS)]
        if any(service.start[: len(start)] == start for start in BY_CHANCE):
            for _ in range(TRIES):
                if len({Workload(channel).worker(TIMEOUT_S) for channel in channels}) > 1:
                    break
                channels[-1] = connect()
        yield Bank(service, channels, stack.enter_context(grpc.insecure_channel(service.control)))


RACES = ("--accounts", str(ACCOUNTS), "--switch-interval-us", "1")


@contextmanager
def bank_of(start: Start, *options: str) -> Iterator[Bank]:
    with serving(*start, *RACES, *options) as service, banking(service) as bank:
        yield bank


@pytest.fixture(scope="module")
def unprotected(request: pytest.FixtureRequest) -> Iterator[Serving]:
    """A service that does nothing about conflicts; the tests of one start share it."""
    with serving(*request.param, *RACES, "--conflicts", "none") as service:
        yield service


def of_each(starts: list[Start]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("unprotected", starts, ids=" ".join, indirect=True)


def test_a_model_as_it_is_started_loses_no_money(service: Serving) -> None:
    with banking(service) as bank:
        for _ in range(5):
            bank.transfer(yields=1)
        assert bank.lost() == (0, 0)


@of_each(RACING)
@pytest.mark.parametrize("yields", [0, 1])
def test_calls_that_run_at_once_lose_money_where_nothing_is_done(unprotected: Serving, yields: int) -> None:
    with banking(unprotected) as bank:
        assert len(list(bank.until_money_is_lost(yields))) < ROUNDS


@of_each(LOOPS)
def test_calls_that_run_until_they_wait_lose_nothing(unprotected: Serving) -> None:
    with banking(unprotected) as bank:
        for _ in range(ROUNDS // 15):
            bank.transfer(yields=0)
        assert bank.lost() == (0, 0)


@of_each(LOOPS)
def test_they_do_lose_money_once_they_give_way_between_reading_and_writing(unprotected: Serving) -> None:
    with banking(unprotected) as bank:
        assert len(list(bank.until_money_is_lost(yields=1))) < ROUNDS


@pytest.mark.parametrize("start", LOCKED, ids=" ".join)
@pytest.mark.parametrize("strategy", ["lock", "striped"])
def test_locks_that_are_taken_in_order_lose_nothing_and_never_deadlock(start: Start, strategy: str) -> None:
    # Preempted every microsecond, threads that stand in line for a lock take a minute for this.
    options = ("--conflicts", strategy, "--lock-timeout-s", str(TIMEOUT_S), "--switch-interval-us", "100")
    with bank_of(start, *options) as bank:
        assert sum(bank.transfer(yields=1, back_and_forth=True) for _ in range(ROUNDS // 60)) == 0
        assert bank.lost() == (0, 0)


@pytest.mark.parametrize("start", LOCKED, ids=" ".join)
def test_locks_that_are_taken_in_the_order_of_the_call_deadlock_and_are_given_up(start: Start) -> None:
    with bank_of(start, "--conflicts", "striped-unordered", "--lock-timeout-s", "0.05") as bank:
        aborted = 0
        for _ in range(ROUNDS):
            aborted += bank.transfer(yields=1, back_and_forth=True)
            if aborted:
                break
        assert 0 < aborted == bank.snapshot().aborted_transfers
        assert bank.lost() == (0, 0), "what is given up has written nothing"


def unfit() -> Iterator[tuple[Start, str]]:
    """Each start with each strategy that makes no sense there."""
    for start in STARTS:
        for strategy, places in STRATEGIES.items():
            if SHARING[start] not in places:
                yield start, strategy


@pytest.mark.parametrize("sharing", Sharing)
def test_a_strategy_that_makes_no_sense_is_refused_in_one_line(sharing: Sharing) -> None:
    refused = [(start, strategy) for start, strategy in unfit() if SHARING[start] is sharing]
    assert refused
    for start, strategy in refused[:2]:
        command = [sys.executable, "-m", "services", *start, "--conflicts", strategy]
        told = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        assert told.returncode == 2
        assert told.stderr.count("\n") == 1
        assert f"--conflicts {strategy} does not fit" in told.stderr
        assert fitting_strategy(None, sharing) in told.stderr
