"""A map applied to a question of `sweetspot size`: which models are so far behind that they need no search."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tools.families import GRPCIO
from tools.maps.areas import Area

FAR = 5.0
"""A map with no area within this ratio on each axis has no effect."""
LEAST_MS = 0.05
"""CPU and wait below this count as this: an empty call costs as much."""
BEHIND = 0.5
"""A model that serves less than this share of the best is left out: no start and no trial makes up for it."""


@dataclass(frozen=True, slots=True)
class Worth:
    """Which models are worth a search."""

    models: tuple[str, ...]
    left_out: tuple[str, ...]


def nearest(found: Iterable[Area], cpu_ms: float, wait_ms: float, connections: int) -> Area | None:
    """The area that is most like such calls, on logarithmic axes; None if none is within FAR."""

    def ratios(area: Area) -> tuple[float, float, float]:
        return (
            _ratio(area.kind.cpu_ms, cpu_ms, LEAST_MS),
            _ratio(area.kind.wait_ms, wait_ms, LEAST_MS),
            _ratio(area.connections, connections, 1),
        )

    near = [area for area in found if max(ratios(area)) <= FAR and area.best]
    return min(near, key=lambda area: math.hypot(*map(math.log, ratios(area))), default=None)


def worth(area: Area, models: Sequence[str]) -> Worth:
    """Of those models. The best of grpcio always is: it can be deployed."""
    known = {*area.rates_rps, *area.unranked}
    grpcio = next((model for model in area.rates_rps if model.startswith(GRPCIO) and model in models), None)
    behind = tuple(
        model
        for model in models
        if model in known and model != grpcio and area.rates_rps.get(model, 0.0) < BEHIND * area.best_rps
    )
    return Worth(tuple(model for model in models if model not in behind), behind)


def _ratio(one: float, other: float, least: float) -> float:
    one, other = max(one, least), max(other, least)
    return max(one, other) / min(one, other)
