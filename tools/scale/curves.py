"""How each service scales along a row or a column of the grid, with the law fitted to it or the reason why not.

Must not know how a curve is drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tools import usl
from tools.scale import metrics
from tools.scale.cells import SearchedCell
from tools.scale.headline import cpus
from tools.units import count


@dataclass(frozen=True, slots=True)
class ScalingCurve:
    """One service along one line of the grid; all four sequences go together."""

    service: str
    n: tuple[float, ...]
    """Replicas, or CPUs."""
    rates: tuple[float, ...]
    """The middles of the intervals. Calls a second."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    """The ends; where no rate missed, the same as the low one."""
    fitted: usl.Fit | None
    refused: str
    """Why there is no fit; empty where there is one."""

    @property
    def alone(self) -> float:
        """The rate that one would have, by the point with the fewest: what speed-up is counted from."""
        return self.rates[0] / self.n[0]


@dataclass(frozen=True, slots=True)
class Direction:
    """A row or a column of the grid under one plan."""

    label: str
    """As `N x 0.25 CPUs`."""
    unit: str
    """What N counts."""
    curves: tuple[ScalingCurve, ...]


def directions(searched: Sequence[SearchedCell], plan: str) -> list[Direction]:
    """More replicas of each limit, then higher limits of each number of replicas; those with two points or more."""
    ours = [one for one in searched if one.cell.plan == plan and metrics.middle_rps(one) is not None]
    found = [
        Direction(
            f"N x {cpus(limit)}",
            "replicas",
            _curves([(one.cell.replicas, one) for one in ours if one.cell.cpus == limit]),
        )
        for limit in sorted({one.cell.cpus for one in ours})
    ]
    found += [
        Direction(
            f"{count(replicas)} x N CPUs",
            "CPUs of each replica",
            _curves([(one.cell.cpus, one) for one in ours if one.cell.replicas == replicas]),
        )
        for replicas in sorted({one.cell.replicas for one in ours})
    ]
    return [direction for direction in found if direction.curves]


def _curves(points: Sequence[tuple[float, SearchedCell]]) -> tuple[ScalingCurve, ...]:
    services = dict.fromkeys(one.cell.service for _, one in points)
    curves = []
    for service in services:
        ours = sorted(((n, one) for n, one in points if one.cell.service == service), key=lambda point: point[0])
        if len(ours) > 1:
            curves.append(_curve(service, ours))
    return tuple(curves)


def _curve(service: str, points: Sequence[tuple[float, SearchedCell]]) -> ScalingCurve:
    n = tuple(n for n, _ in points)
    rates = tuple(metrics.middle_rps(one) or 0.0 for _, one in points)
    ends = [metrics.rates(one) or (0.0, None) for _, one in points]
    fitted, refused = None, ""
    try:
        fitted = usl.fit(n, rates)
    except usl.FitError as error:
        refused = str(error)
    return ScalingCurve(
        service, n, rates, tuple(met for met, _ in ends), tuple(end or met for met, end in ends), fitted, refused
    )
