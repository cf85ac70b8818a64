"""What a model does at several times of what it serves: its bound in words, and what was measured of it. Arithmetic.

Must not know how anything is started or measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass

FACTOR = 4
"""Calls are offered at so many times the rate that was served."""
STREAMS = 100
"""Calls at once on a connection, as a service allows where it is not told otherwise."""
CONNECTIONS = 20
"""More streams than any queue is long by default."""
MOST_GROWTH = 0.05
"""Memory is flat where it grows by no more in the second half of the overload."""
MOST_REFUSAL_COST = 0.10
"""Of the CPU time of a served call."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The texts of a model's row in docs/performance.md."""

    room: str
    """What it has at once, as it is by default on one CPU."""
    beyond: str
    """What becomes of the next call."""
    refuses: bool = False
    options: tuple[str, ...] = ()
    """What it needs on one CPU, so that there is something to be full."""


_KEPT = "waits in its client"
_REFUSED = "RESOURCE_EXHAUSTED"
_STREAMS = Bound(f"{STREAMS} streams on each connection", _KEPT)
_POOL = Bound("16 threads and a queue of 1,000", _REFUSED, refuses=True)

_BOUNDS: dict[tuple[str, ...], Bound] = {
    ("iterative",): Bound(f"{STREAMS} streams on one connection", f"{_KEPT}; a connection, in the backlog"),
    ("thread_per_connection",): _STREAMS,
    ("thread_per_request",): Bound("1,000 threads", _REFUSED, refuses=True),
    ("thread_pool",): _POOL,
    ("process_per_connection",): Bound(
        f"{STREAMS} streams on each of 256 connections", f"{_KEPT}; a connection, in the backlog"
    ),
    ("process_pool",): Bound(f"{STREAMS} streams on each of 16 connections", f"{_KEPT}; a connection, in the backlog"),
    ("reactor",): _STREAMS,
    ("proactor",): _STREAMS,
    ("proactor", "--hand-off", "threads"): _POOL,
    ("proactor", "--hand-off", "processes"): Bound("1,000 calls not yet begun by the process", _REFUSED, refuses=True),
    ("half_sync_half_async",): _POOL,
    ("half_sync_half_async", "--hand-off", "blocking"): Bound(
        f"{STREAMS} streams on each connection; of steps that block, 16 threads and a queue of 1,000",
        f"{_KEPT}; with a step that blocks, {_REFUSED}",
        refuses=True,
    ),
    ("callback_pool",): Bound("a queue of 1,000 callbacks", _REFUSED, refuses=True),
    ("multi_reactor",): _STREAMS,
    ("coroutines",): _STREAMS,
    ("green_threads",): _STREAMS,
    ("partitioned",): Bound(
        f"{STREAMS} streams on each connection; 1,000 calls not yet begun by another worker",
        f"{_KEPT}, or is {_REFUSED}",
        refuses=True,
        options=("--processes", "2"),
    ),
    ("seda",): Bound("queues of 1,000", _REFUSED, refuses=True),
    ("grpcio_threads",): Bound("16 threads and a queue of 1,000", f"{_REFUSED}, by grpcio", refuses=True),
    ("grpcio_asyncio",): Bound(
        f"{STREAMS} streams on each connection; 1,000 to 3,000 calls in grpcio's core", f"{_KEPT}; CANCELLED, or reset"
    ),
}


def bound(start: Sequence[str]) -> Bound:
    """The bound of a model with options; that of the model where these change nothing. Raises KeyError."""
    return _BOUNDS.get(tuple(start)) or _BOUNDS[tuple(start[:1])]


@dataclass(frozen=True, slots=True)
class Overload:
    """A model with options, first served and then overloaded. CPU time is that of all its processes."""

    server: str
    options: tuple[str, ...]
    capacity_rps: float
    """Served in a closed loop, of the plan that is offered."""
    served_cpu_us: float
    """Of a call, then."""
    echo_cpu_us: float
    """Of a call that asks for nothing."""
    offered: int
    """Calls while overloaded."""
    answered_rps: float
    """OK, meanwhile."""
    refused: int
    """Of those offered; what is neither answered nor refused was kept by the client."""
    overload_cpu_us: float
    """For each call answered meanwhile, refusals included."""
    in_flight: int
    """In the service when that was over."""
    rss_before_bytes: int
    rss_half_bytes: int
    """When half of that was over."""
    rss_end_bytes: int
    refusal_cpu_us: float | None
    """Of a call refused while calls that block fill the service; None where it refuses none."""

    @property
    def start(self) -> tuple[str, ...]:
        return (self.server, *self.options)

    @property
    def served_share(self) -> float:
        """Of what it served before."""
        return self.answered_rps / self.capacity_rps

    @property
    def refused_share(self) -> float:
        """Of what was offered."""
        return self.refused / self.offered

    @property
    def growth(self) -> float:
        """Of memory, in the second half."""
        return self.rss_end_bytes / self.rss_half_bytes - 1

    @property
    def is_flat(self) -> bool:
        return self.growth <= MOST_GROWTH

    @property
    def refusal_cost(self) -> float | None:
        """In served calls."""
        return None if self.refusal_cpu_us is None else self.refusal_cpu_us / self.served_cpu_us

    @property
    def refusal_cost_in_echoes(self) -> float | None:
        return None if self.refusal_cpu_us is None else self.refusal_cpu_us / self.echo_cpu_us
