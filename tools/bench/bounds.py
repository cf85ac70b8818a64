"""What a model does at several times the load that it can serve: its bound in words, and its figures. Arithmetic.

Must not know how anything is started or measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass

FACTOR = 4
"""The rate of offered calls is this many times the rate that was served."""
STREAMS = 100
"""Concurrent calls on a connection: the default limit of a service."""
CONNECTIONS = 20
"""With STREAMS calls on each, they have more calls than any queue can hold by default."""
MOST_GROWTH = 0.05
"""Memory is flat if it grows by at most this share in the second half of the overload."""
MOST_REJECTION_COST = 0.10
"""A share of the CPU time of a served call."""


@dataclass(frozen=True, slots=True)
class BoundTexts:
    """The texts of a model's row in docs/performance.md."""

    room: str
    """What it can hold at one time, with default options on one CPU."""
    beyond: str
    """What happens to the next call."""
    rejects: bool = False
    options: tuple[str, ...] = ()
    """Options that it needs on one CPU: without them, it has nothing that can be full."""


_WAITS_IN_CLIENT = "waits in its client"
_REJECTED = "RESOURCE_EXHAUSTED"
_STREAMS = BoundTexts(f"{STREAMS} streams on each connection", _WAITS_IN_CLIENT)
_POOL = BoundTexts("16 threads and a queue of 1,000", _REJECTED, rejects=True)

_BOUNDS: dict[tuple[str, ...], BoundTexts] = {
    ("iterative",): BoundTexts(
        f"{STREAMS} streams on one connection", f"{_WAITS_IN_CLIENT}; a connection, in the backlog"
    ),
    ("thread_per_connection",): _STREAMS,
    ("thread_per_request",): BoundTexts("1,000 threads", _REJECTED, rejects=True),
    ("thread_pool",): _POOL,
    ("process_per_connection",): BoundTexts(
        f"{STREAMS} streams on each of 256 connections", f"{_WAITS_IN_CLIENT}; a connection, in the backlog"
    ),
    ("process_pool",): BoundTexts(
        f"{STREAMS} streams on each of 16 connections", f"{_WAITS_IN_CLIENT}; a connection, in the backlog"
    ),
    ("reactor",): _STREAMS,
    ("proactor",): _STREAMS,
    ("proactor", "--hand-off", "threads"): _POOL,
    ("proactor", "--hand-off", "processes"): BoundTexts(
        "1,000 calls not yet begun by the process", _REJECTED, rejects=True
    ),
    ("half_sync_half_async",): _POOL,
    ("half_sync_half_async", "--hand-off", "blocking"): BoundTexts(
        f"{STREAMS} streams on each connection; of steps that block, 16 threads and a queue of 1,000",
        f"{_WAITS_IN_CLIENT}; with a step that blocks, {_REJECTED}",
        rejects=True,
    ),
    ("half_sync_half_async", "--hand-off", "processes"): _POOL,
    ("callback_pool",): BoundTexts("a queue of 1,000 callbacks", _REJECTED, rejects=True),
    ("multi_reactor",): _STREAMS,
    ("coroutines",): _STREAMS,
    ("green_threads",): _STREAMS,
    ("partitioned",): BoundTexts(
        f"{STREAMS} streams on each connection; 1,000 calls not yet begun by another worker",
        f"{_WAITS_IN_CLIENT}, or is {_REJECTED}",
        rejects=True,
        options=("--processes", "2"),
    ),
    ("seda",): BoundTexts("queues of 1,000", _REJECTED, rejects=True),
    ("grpcio_threads",): BoundTexts("16 threads and a queue of 1,000", f"{_REJECTED}, by grpcio", rejects=True),
    ("grpcio_asyncio",): BoundTexts(
        f"{STREAMS} streams on each connection; 1,000 to 3,000 calls in grpcio's core",
        f"{_WAITS_IN_CLIENT}; CANCELLED, or reset",
    ),
}


def bound(start: Sequence[str]) -> BoundTexts:
    """The bound of a model with options, or that of the model if they do not change it. Raises KeyError."""
    return _BOUNDS.get(tuple(start)) or _BOUNDS[tuple(start[:1])]


@dataclass(frozen=True, slots=True)
class Overload:
    """A model with options, first at its capacity and then overloaded. CPU time is that of all its processes."""

    server: str
    options: tuple[str, ...]
    capacity_rps: float
    """Calls served per second in a closed loop, with the plan of the overload."""
    served_cpu_us: float
    """CPU time of a call in that closed loop."""
    echo_cpu_us: float
    """CPU time of a call that asks for no work."""
    offered: int
    """Calls planned during the overload."""
    answered_rps: float
    """Calls answered with OK per second, during the overload."""
    rejected: int
    """Offered calls that were rejected. Those that were neither answered nor rejected stayed in the client."""
    overload_cpu_us: float
    """CPU time for each call answered during the overload; it includes the time for rejections."""
    in_flight: int
    """Calls in the service at the end of the overload."""
    rss_before_bytes: int
    rss_half_bytes: int
    """In the middle of the overload."""
    rss_end_bytes: int
    rejection_cpu_us: float | None
    """CPU time of a call that is rejected while blocking calls fill the service; None if it rejects none."""

    @property
    def start(self) -> tuple[str, ...]:
        return (self.server, *self.options)

    @property
    def served_share(self) -> float:
        """The rate during the overload, as a share of the capacity."""
        return self.answered_rps / self.capacity_rps

    @property
    def rejected_share(self) -> float:
        """The share of offered calls that were rejected."""
        return self.rejected / self.offered

    @property
    def growth(self) -> float:
        """Growth of memory in the second half of the overload."""
        return self.rss_end_bytes / self.rss_half_bytes - 1

    @property
    def is_flat(self) -> bool:
        return self.growth <= MOST_GROWTH

    @property
    def rejection_cost(self) -> float | None:
        """CPU time of a rejection, divided by that of a served call."""
        return None if self.rejection_cpu_us is None else self.rejection_cpu_us / self.served_cpu_us

    @property
    def rejection_cost_in_echoes(self) -> float | None:
        return None if self.rejection_cpu_us is None else self.rejection_cpu_us / self.echo_cpu_us
