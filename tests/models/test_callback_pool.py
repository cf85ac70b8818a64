"""The promise of a colour: its callbacks never run at the same time, and those of another colour may."""

import sys
import threading
import time
from collections.abc import Iterator
from functools import partial

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from services.models.callback_pool import Colour, ReadyQueue
from services.runtime.counters.shared_counters import SharedCounters
from tests.conformance.conftest import Workload
from tests.serving import serving

TIMEOUT_S = 20
THREADS = 4
CALLBACKS = 2000
BLOCK_US = 800_000
ALONE = (("grpc.use_local_subchannel_pool", 1),)
"""Else grpcio gives two channels to one address the same connection."""


@pytest.fixture
def often_switched() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Room:
    """Counts how often a visit meets another one, and stores the order of the visits."""

    def __init__(self) -> None:
        self.order: list[int] = []
        self.met = 0
        self._inside = 0

    def visit(self, number: int) -> None:
        self._inside += 1
        self.order.append(number)
        time.sleep(0)  # gives the interpreter lock to any thread that wants it
        for _ in range(50):  # byte code, in which a thread may be preempted
            self.met += self._inside != 1
        self._inside -= 1


def run_all(ready: ReadyQueue, callbacks: int) -> None:
    """Has THREADS threads run so many callbacks, among them some that follow on others."""
    shares = [callbacks // THREADS] * THREADS

    def work(share: int) -> None:
        for _ in range(share):
            ready.run_next()

    threads = [threading.Thread(target=work, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("colour", ["red", None])
def test_connections_take_turns(colour: Colour) -> None:
    ready, order = ReadyQueue(SharedCounters().gauge()), list[str]()
    for owner in ("abuser", "abuser", "abuser", "honest"):
        ready.put(colour, partial(order.append, owner), owner)
    for _ in range(4):
        ready.run_next()
    assert order.index("honest") < 3


@pytest.mark.usefixtures("often_switched")
@pytest.mark.parametrize(("colours", "meet"), [((None, None), True), (("red", "blue"), False)])
def test_callbacks_of_one_colour_never_meet_and_keep_their_order(colours: tuple[Colour, ...], meet: bool) -> None:
    ready = ReadyQueue(depth := SharedCounters().gauge())
    rooms = [Room() for _ in colours]
    for number in range(CALLBACKS):
        for colour, room in zip(colours, rooms, strict=True):
            ready.put(colour, lambda room=room, number=number: room.visit(number))  # type: ignore[misc]
    run_all(ready, CALLBACKS * len(colours))
    assert any(room.met for room in rooms) is meet
    assert [sorted(room.order) for room in rooms] == [[*range(CALLBACKS)]] * len(colours)
    assert meet or [room.order for room in rooms] == [[*range(CALLBACKS)]] * len(colours)
    assert depth.value() == 0


def test_callbacks_of_two_colours_run_at_the_same_time() -> None:
    ready = ReadyQueue(SharedCounters().gauge())
    both = threading.Barrier(THREADS, timeout=TIMEOUT_S)

    def meet() -> None:
        both.wait()

    for colour in range(THREADS):
        ready.put(colour, meet)
    run_all(ready, THREADS)
    assert not both.broken


def test_a_colour_is_forgotten_once_nothing_of_it_is_left() -> None:
    ready = ReadyQueue(SharedCounters().gauge())
    for colour in range(100):
        ready.put(colour, lambda: None)
        ready.put(colour, lambda: None)
    run_all(ready, 200)
    assert ready._behind == {}


SAME_COLOUR = [
    # colour, whether the two calls share a connection, whether they share a key; whether one waits for the other
    ("none", True, True, False),
    ("key", False, True, True),
    ("key", True, False, False),
    ("connection", True, False, True),
    ("connection", False, True, False),
]


@pytest.mark.parametrize(("colour", "one_connection", "one_key", "waits"), SAME_COLOUR)
def test_a_call_waits_for_another_that_has_its_colour(
    colour: str, one_connection: bool, one_key: bool, waits: bool
) -> None:
    stuck = [workload_pb2.Step(block=workload_pb2.Block(duration_us=60_000_000))]
    with (
        serving("callback_pool", "--colour", colour, "--drain-timeout-s", "0") as started,
        grpc.insecure_channel(started.address, options=ALONE) as one,
        grpc.insecure_channel(started.address, options=ALONE) as other,
        grpc.insecure_channel(started.address, options=ALONE) as third,
    ):
        channels = (one, one if one_connection else other)
        plans = [workload_pb2.RunRequest(key=key, steps=stuck) for key in ((1, 1) if one_key else (1, 2))]
        calls = [Workload(channel).run.future(plan) for channel, plan in zip(channels, plans, strict=True)]
        started.wait_until_in_flight(len(calls))
        # It came last and has a colour of its own: once it is answered, whatever could run before it does.
        assert Workload(third).run(workload_pb2.RunRequest(key=3), timeout=TIMEOUT_S).steps == 0
        depth = 1 if waits else 0
        started.wait_until(lambda reply: reply.queue_depth == depth, f"not {depth} waits")
        assert not any(call.done() for call in calls)


def test_a_full_queue_refuses_calls_and_none_that_has_begun() -> None:
    sleep = workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=300_000))] * 2)
    block = workload_pb2.RunRequest(key=1, steps=[workload_pb2.Step(block=workload_pb2.Block(duration_us=BLOCK_US))])
    bound = 2
    with (
        serving("callback_pool", "--colour", "connection", "--queue-bound", str(bound)) as started,
        grpc.insecure_channel(started.address) as channel,
    ):
        workload = Workload(channel)
        begun = workload.run.future(sleep, timeout=TIMEOUT_S)
        started.wait_until_in_flight(1)
        calls = [workload.run.future(block, timeout=TIMEOUT_S) for _ in range(1 + bound + 3)]
        codes = [call.code() for call in calls]
        assert codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) >= 3
        assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert begun.result().steps == 2
        assert workload.run(workload_pb2.RunRequest(), timeout=TIMEOUT_S).steps == 0
