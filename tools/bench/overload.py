"""Overloads a server: an open loop at several times its capacity, and calls that it rejects while it is full.

The driver makes these calls: it reads statuses, and its schedule does not depend on the answers. Must not know what the
figures should be.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sweetspot.v1.control_pb2 import SnapshotReply
from sweetspot.v1.workload_pb2 import Block, RunRequest, Step

from tools import experiment
from tools.bench.bounds import CONNECTIONS, FACTOR, STREAMS, Overload, bound
from tools.bench.driving import Timing, drive
from tools.bench.experiments import arm_of
from tools.clients.request import PATH
from tools.control import ControlClient, open_channel
from tools.local import LocalError, Pinning, Programs
from tools.serving import LocalService, LocalSetup, listening, serving_backend, starting_arm

SERVED_STREAMS = 5
"""Streams on each connection. The overload has as many connections: some models serve one call of each at a time."""
SERVED = Timing(0.3, 1.5)
OVERLOADED = Timing(3.0, 4.0)
"""The warm-up is long, so that queues are full before memory is read."""
REJECTED = Timing(0.3, 1.0)
BLOCK_S = 30
"""Longer than the whole measurement takes."""
FULL_CONNECTIONS = 40
"""Workers that share a port get connections by chance. With this many, each has more calls than may wait for another
worker."""
FULL_TIMEOUT_S = 10.0
SETTLED_S = 0.5
REJECTIONS = {"RESOURCE_EXHAUSTED", "UNAVAILABLE", "CANCELLED"}
"""A client reports the last two for streams that grpcio's core resets with REFUSED_STREAM and CANCEL."""

_BLOCKS = RunRequest(steps=[Step(block=Block(duration_us=BLOCK_S * 1_000_000))])
_ALONE = ("grpc.use_local_subchannel_pool", 1)


def plan() -> Mapping[str, Any]:
    """The plan of the offered calls: typical work of a service, as in `make demo`."""
    return experiment.read(experiment.path_of("default")).plan


def measure(start: Sequence[str], cpu: int, scratch: Path) -> Overload:
    """Overloads a model with its options on that processor. Driver and backend use the caller's. Raises LocalError."""
    needed = bound(start)
    setup = LocalSetup(scratch, Programs(), Pinning([cpu], []), traced=False)
    _, arm = arm_of((*start, *needed.options))
    with (
        serving_backend(setup) as backend,
        starting_arm(setup, arm, [("backend", backend.address), *arm.options.items()]) as process,
    ):
        server = listening(process)
        with ControlClient(server.control) as control:
            return _measure(start, server, control, scratch)


def _measure(start: Sequence[str], server: LocalService, control: ControlClient, scratch: Path) -> Overload:
    name, *options = start
    needed = bound(start)
    closed = (f"--connections={CONNECTIONS}", f"--streams={SERVED_STREAMS}")
    result, span = drive(closed, plan(), server, SERVED, scratch)
    served = _answered(result)
    capacity_rps, served_cpu_us = served / span.elapsed_s, span.cpu_ns / 1000 / served
    result, span = drive(closed, {}, server, SERVED, scratch)
    echo_cpu_us = span.cpu_ns / 1000 / _answered(result)

    before = control.snapshot()
    looks: list[SnapshotReply] = []
    offered = (f"--connections={CONNECTIONS}", f"--rate={FACTOR * capacity_rps}")
    result, span = drive(offered, plan(), server, OVERLOADED, scratch, look=lambda: looks.append(control.snapshot()))
    answered = _answered(result)
    half, end = looks
    return Overload(
        server=name,
        options=tuple(options),
        capacity_rps=capacity_rps,
        served_cpu_us=served_cpu_us,
        echo_cpu_us=echo_cpu_us,
        offered=result["calls"]["planned"],
        answered_rps=answered / span.elapsed_s,
        rejected=_rejected(result),
        overload_cpu_us=span.cpu_ns / 1000 / answered,
        in_flight=end.calls_in_flight,
        rss_before_bytes=before.rss_bytes,
        rss_half_bytes=half.rss_bytes,
        rss_end_bytes=end.rss_bytes,
        rejection_cpu_us=_rejection_cpu_us(closed, server, control, scratch) if needed.rejects else None,
    )


def _rejection_cpu_us(closed: Sequence[str], server: LocalService, control: ControlClient, scratch: Path) -> float:
    """CPU time of a call that comes while calls that use no CPU fill the service."""
    deadline_s = time.monotonic() + FULL_TIMEOUT_S
    while control.snapshot().calls_in_flight:  # those of the overload, whose client has left
        if time.monotonic() > deadline_s:
            raise LocalError(f"{server.process.name} still has calls of a client that has disconnected")
        time.sleep(SETTLED_S)
    blocks = {"steps": [{"block": {"duration_us": BLOCK_S * 1_000_000}}]}
    with _full(server):
        result, span = drive(closed, blocks, server, REJECTED, scratch, look=lambda: None)
    if not (rejected := _rejected(result)):
        raise LocalError(f"{server.process.name} rejected no call while it was full")
    return span.cpu_ns / 1000 / rejected


@contextmanager
def _full(server: LocalService) -> Iterator[None]:
    """Blocks everything that runs calls, and fills all queues, until the `with` block ends. Raises LocalError."""
    with ExitStack() as stack:
        calls: list[Any] = []
        for _ in range(FULL_CONNECTIONS):
            run = stack.enter_context(open_channel(server.address, _ALONE)).unary_unary(
                PATH, RunRequest.SerializeToString
            )
            calls += [run.future(_BLOCKS, timeout=BLOCK_S) for _ in range(STREAMS)]
        deadline_s = time.monotonic() + FULL_TIMEOUT_S
        rejected, before = 0, -1
        while not 0 < rejected == before:
            if time.monotonic() > deadline_s:
                raise LocalError(
                    f"{server.process.name} accepts more than {len(calls):,} calls, so its overload cannot be measured"
                )
            time.sleep(SETTLED_S)
            rejected, before = sum(call.done() for call in calls), rejected
        yield


def _answered(result: Mapping[str, Any]) -> int:
    answered: int = result["got"]["answered"]
    if not answered:
        raise LocalError(f"no call was answered; {result['calls']['first_messages']}")
    return answered


def _rejected(result: Mapping[str, Any]) -> int:
    by_status = result["calls"]["by_status"]
    if not by_status.keys() <= REJECTIONS:
        raise LocalError(
            f"calls ended with another status than a rejection: {by_status} {result['calls']['first_messages']}"
        )
    return sum(by_status.values())
