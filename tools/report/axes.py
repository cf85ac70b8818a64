"""Which axis of the load the curves run along, and which points make one set of curves. Must not know plots."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.experiment import AXES, Point
from tools.units import count


@dataclass(frozen=True, slots=True)
class Words:
    """How one axis is described."""

    over: str
    """As in `Over the number of connections`."""
    title: str
    """Below the axis, with its unit."""
    value: Callable[[float], str]
    """One value by itself, as `100 conn.`."""
    tick: Callable[[float], str] = count
    """One value on the axis."""


WORDS = {
    "connections": Words("the number of connections", "connections", lambda number: f"{count(number)} conn."),
    "streams": Words(
        "the calls at a time", "calls at a time on each connection", lambda number: f"{count(number)} at a time"
    ),
    "rate_rps": Words("the rate asked", "calls/s asked", lambda rate_rps: f"{count(rate_rps)} calls/s"),
    "rate_of_capacity": Words(
        "the share of capacity asked",
        "rate asked, as a multiple of the closed-loop rate",
        lambda share: f"{share:g}x capacity",
        lambda share: f"{share:g}x",
    ),
    "idle": Words("the number of idle connections", "idle connections", lambda number: f"{count(number)} idle"),
}


@dataclass(frozen=True, slots=True)
class CurveGroup:
    """The points of one set of curves: they differ along one axis only."""

    label: str
    """The values of the other axes that have several, as `100 calls/s`; empty where there is none."""
    points: tuple[Point, ...]
    """Ascending."""


def along(asked: Sequence[Point]) -> str | None:
    """The axis with the most values, of several the first; None where no axis has two."""
    several = _several(asked)
    return max(several, key=lambda axis: len(several[axis]), default=None)


def groups(asked: Sequence[Point]) -> list[CurveGroup]:
    """The points, ascending, by the values of the axes that the curves do not run along."""
    axis = along(asked)
    others = [each for each in _several(asked) if each != axis]
    found: dict[str, list[Point]] = {}
    for point in sorted(asked, key=lambda point: point.order):
        label = ", ".join(WORDS[each].value(point.values[each]) for each in others if each in point.values)
        found.setdefault(label, []).append(point)
    return [CurveGroup(label, tuple(points)) for label, points in found.items()]


def _several(asked: Sequence[Point]) -> dict[str, set[float]]:
    """Axis -> its values, of the axes that have two or more."""
    values = {axis: {point.values[axis] for point in asked if axis in point.values} for axis in AXES}
    return {axis: known for axis, known in values.items() if len(known) > 1}
