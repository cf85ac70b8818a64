"""Who waits for whom: which other callers wait for a handler that does not give way, by the picture of its model."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from tests.conformance.conftest import BY_CHANCE, STARTS, Workload
from tests.serving import Serving, serving

TIMEOUT_S = 20
ECHO = workload_pb2.RunRequest(payload=b"echo")
HELD_UP_S = 0.3
"""An echo takes some 5 ms, and so does a look at what is in flight."""
BLOCKS = workload_pb2.RunRequest(steps=[workload_pb2.Step(block=workload_pb2.Block(duration_us=int(HELD_UP_S * 1e6)))])
SLEEPS = workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=int(HELD_UP_S * 1e6)))])
# Without this option a channel of grpcio's shares its connection with others to the same address.
ALONE = (("grpc.use_local_subchannel_pool", 1),)


@dataclass(frozen=True, slots=True)
class Waits:
    """Who waits for a call that blocks its thread, or that sleeps and so could let others run."""

    same: str = ""
    """A call of the same connection waits for one that does this: `blocks`, `blocks, sleeps`, or nothing."""
    other: str = ""
    """A call of another connection does."""


NOBODY = Waits()
THE_CONNECTION = Waits(same="blocks, sleeps")
THE_LOOP = Waits(same="blocks", other="blocks")

WHO_WAITS = {
    "iterative": Waits(same="blocks, sleeps", other="blocks, sleeps"),  # and for all that the connection brings
    "thread_per_connection": THE_CONNECTION,  # head-of-line blocking: HTTP/2 brings many calls to one thread
    "thread_per_request": NOBODY,
    "thread_pool": NOBODY,
    "process_per_connection": THE_CONNECTION,
    "process_pool": THE_CONNECTION,
    "process_pool --reuse-port": THE_CONNECTION,
    "process_pool --threads 4": THE_CONNECTION,
    "reactor": THE_LOOP,
    "reactor --demultiplexer poll": THE_LOOP,
    "reactor --demultiplexer select": THE_LOOP,
    "reactor --style ripped": THE_LOOP,
    "reactor --style continuations": THE_LOOP,
    "reactor --loops 2": Waits(same="blocks"),
    "proactor": THE_LOOP,
    "proactor --hand-off threads": NOBODY,
    "proactor --hand-off processes": NOBODY,
    "half_sync_half_async": NOBODY,
    "half_sync_half_async --hand-off blocking": NOBODY,
    "half_sync_half_async --hand-off processes": NOBODY,
    "callback_pool": NOBODY,
    "callback_pool --colour connection": Waits(same="blocks"),
    "callback_pool --colour key": THE_LOOP,  # all of these calls have the same key
    "multi_reactor": Waits(same="blocks"),
    "multi_reactor --balance least-connections": Waits(same="blocks"),
    "multi_reactor --balance random": Waits(same="blocks"),
    "multi_reactor --balance kernel": Waits(same="blocks"),
    "coroutines": THE_LOOP,
    "coroutines --loop uvloop": THE_LOOP,
    "coroutines --processes 2": Waits(same="blocks"),
    "coroutines --loops 2": Waits(same="blocks"),
    "green_threads": THE_LOOP,
    "partitioned": THE_LOOP,  # all of these calls have the same key
    "seda": NOBODY,
    "seda --stages-in threads": NOBODY,
    "grpcio_threads": NOBODY,
    "grpcio_threads --processes 2": NOBODY,
    "grpcio_asyncio": THE_LOOP,
    "grpcio_asyncio --processes 2": Waits(same="blocks"),
}

PROCESSES = {"process_pool": 2, "multi_reactor": 2, "partitioned": 2, "proactor --hand-off processes": 3}
"""As many as these calls can use, however many CPUs there are."""
NOT_KNOWN = {"process_pool --reuse-port"}
"""Whether another connection waits depends on its process, which serves one connection at a time."""


def test_every_model_and_variant_is_in_the_table() -> None:
    assert set(WHO_WAITS) == {" ".join(start) for start in STARTS}


@pytest.fixture(scope="module", params=WHO_WAITS)
def started(request: pytest.FixtureRequest) -> Iterator[tuple[str, Serving]]:
    """A row of the table, and a service of it."""
    start: str = request.param
    model, *options = start.split()
    options += [f"--processes={count}" for name, count in PROCESSES.items() if start.startswith(name)]
    with serving(model, *options) as service:
        yield start, service


@pytest.mark.parametrize(("what", "holds_up"), [("blocks", BLOCKS), ("sleeps", SLEEPS)], ids=["blocks", "sleeps"])
def test_a_call_is_held_up_by_whom_its_model_says(
    started: tuple[str, Serving], what: str, holds_up: workload_pb2.RunRequest
) -> None:
    start, service = started
    expected = WHO_WAITS[start]
    is_served_beside = start not in NOT_KNOWN and "sleeps" not in expected.other
    ended_s: dict[str, float] = {}
    all_ended = threading.Semaphore(0)

    def note(name: str) -> None:
        ended_s[name] = time.monotonic()
        all_ended.release()

    with ExitStack() as stack:
        snapshot = stack.enter_context(service.snapshots())
        channels = [stack.enter_context(grpc.insecure_channel(service.address, options=ALONE)) for _ in range(2)]
        same, other = map(Workload, channels)
        served_by = same.worker(TIMEOUT_S)
        if is_served_beside:  # its connection is there
            while other.worker(TIMEOUT_S) == served_by and (*start.split(),) in BY_CHANCE:
                other = Workload(stack.enter_context(grpc.insecure_channel(service.address, options=ALONE)))
        service.wait_until(lambda reply: reply.calls_in_flight == 0, "a call is left over")
        sent_s = time.monotonic()
        first = same.run.future(holds_up, timeout=TIMEOUT_S)
        while snapshot().calls_in_flight == 0:
            assert not first.done(), "it was over before it was seen"
        calls = {"same": same.run.future(ECHO, timeout=TIMEOUT_S)}
        if is_served_beside:
            calls["other"] = other.run.future(ECHO, timeout=TIMEOUT_S)
        for name, call in calls.items():
            call.add_done_callback(lambda _, name=name: note(name))
        assert all(call.result() for call in (first, *calls.values()))
        assert all(all_ended.acquire(timeout=TIMEOUT_S) for _ in calls)
    # Who waits for it ends no sooner than it can.
    waited = {name for name in calls if ended_s[name] >= sent_s + HELD_UP_S}
    assert waited == {name for name in calls if what in getattr(expected, name)}
