"""The load of an experiment: axes as they are written, and the points that they span."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Annotated, Any, Literal, TypeVar

from msgspec import Meta, Struct, structs

T = TypeVar("T")
Axis = Annotated[tuple[T, ...], Meta(min_length=1)]
Count = Annotated[int, Meta(ge=1, le=100_000)]
Rate = Annotated[float, Meta(ge=0.001, le=1_000_000)]

AXES = ("connections", "streams", "rate_rps", "rate_of_capacity", "idle")
"""The keys of a load that may be a list. Each list is an axis; a point has one value of each."""
SHORT = {"connections": "c", "streams": "s", "rate_rps": "r", "rate_of_capacity": "x", "idle": "i"}
"""The letter of an axis in the name of a point."""


class Action(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is done to a service while a slice is measured: new settings of a stage, or the end of a worker."""

    at_s: Annotated[float, Meta(ge=0, le=86_400)]
    """Seconds from the begin of the window."""
    stage: str | None = None
    """The stage that gets `settings`."""
    settings: Mapping[str, Annotated[int, Meta(ge=0, lt=2**32)]] = {}
    """As `sweetspot stages` names them. They last until another action changes them."""
    kill: Literal["worker"] | None = None
    """SIGKILL for the first worker process."""


class Load(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How calls are made. Without a rate and without `streams`, the load is a closed loop with one stream."""

    connections: Axis[Count]
    """Clients. Each has a connection of its own."""
    streams: Axis[Count] | None = None
    """Closed loop: number of open calls on each connection."""
    rate_rps: Axis[Rate] | None = None
    """Open loop: calls a second over all connections."""
    rate_of_capacity: Axis[Annotated[float, Meta(gt=0, le=100)]] | None = None
    """Open loop: the rate as a multiple of what the arm answers in a closed loop in the same round."""
    schedule: str | None = None
    """Open loop: steps, a ramp, bursts or a file of times, as `python -m services.driver --help` describes."""
    arrival: Literal["constant", "poisson"] | None = None
    """Open loop: how calls are spaced; constant without it."""
    idle: Axis[Annotated[int, Meta(ge=0, le=100_000)]] = (0,)
    """Connections that are open beside the others and never make a call."""
    calls_per_connection: Count | None = None
    """After this many calls, a client closes its connection and opens another one."""
    method: Literal["Run", "RunStream"] = "Run"
    """One reply for a call, or one message for each step."""
    timeout_s: Annotated[float, Meta(ge=0.001, le=120)] = 10.0
    """Of a call. Seconds."""
    deadline_s: Annotated[float, Meta(ge=0.001, le=120)] | None = None
    """An answer that comes later does not count in the goodput. Seconds."""

    actions: tuple[Action, ...] = ()
    """What is done to the service in each slice."""

    @property
    def is_open(self) -> bool:
        """Whether a schedule decides when calls are sent, and not the end of earlier calls."""
        return not (self.rate_rps is None and self.rate_of_capacity is None and self.schedule is None)


class Point(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One value on each axis of a load."""

    name: str
    """Of it in file names: the connections, and each other axis that has several values, as `20-r400`."""
    connections: int
    streams: int | None = None
    rate_rps: float | None = None
    rate_of_capacity: float | None = None
    idle: int = 0

    @property
    def closed(self) -> "Point":
        """The same point as a closed loop: the rate that its arm answers there is the capacity."""
        return structs.replace(self, rate_of_capacity=None, streams=1)

    def at_capacity(self, capacity_rps: float | None) -> "Point":
        """The same point. If its rate depends on the capacity, the rate is set."""
        if self.rate_of_capacity is None or capacity_rps is None:
            return self
        return structs.replace(self, rate_rps=self.rate_of_capacity * capacity_rps)

    @property
    def values(self) -> dict[str, float]:
        """Axis -> its value, of the axes that the point sets."""
        axes = {axis: getattr(self, axis) for axis in AXES}
        return {axis: value for axis, value in axes.items() if value is not None}

    @property
    def order(self) -> tuple[float, ...]:
        """What points are sorted by: their values, in the order of the axes."""
        return tuple(self.values.get(axis, 0) for axis in AXES)

    @property
    def described(self) -> str:
        """`100 connections, 400 calls/s`: only what it sets beyond the defaults."""
        parts = [f"{self.connections:,} connection{'' if self.connections == 1 else 's'}"]
        if self.streams not in {None, 1}:
            parts.append(f"{self.streams:,} calls at a time on each")
        if self.rate_rps is not None:
            parts.append(f"{self.rate_rps:,g} calls/s")
        if self.rate_of_capacity is not None:
            parts.append(f"{self.rate_of_capacity:g}x its capacity")
        if self.idle:
            parts.append(f"{self.idle:,} idle")
        return ", ".join(parts)


def points(load: Load) -> tuple[Point, ...]:
    """Every combination of the axes, in the order in which they are written."""
    axes: dict[str, tuple[Any, ...]] = {name: getattr(load, name) or (None,) for name in AXES}
    several = [name for name in AXES[1:] if len(axes[name]) > 1]
    return tuple(Point(name=_name(values, several), **values) for values in _combined(axes))


def _combined(axes: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    for values in product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def _name(values: Mapping[str, Any], several: list[str]) -> str:
    return "-".join([str(values["connections"]), *(f"{SHORT[name]}{values[name]:g}" for name in several)])
