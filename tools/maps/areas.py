"""The areas of a map: one for each kind of call and number of connections, with the models that serve most there.

A model is among them if it cannot be distinguished from the best, or if it serves at least NEAR of the best rate. A
smaller difference does not decide which model a person chooses. Must not know words or pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.maps.question import MapKind, Question
from tools.results import read_trials
from tools.standings import PointStandings, standings

NEAR = 0.9
TRIALS = "trials"


@dataclass(frozen=True, slots=True)
class Area:
    """One of them."""

    kind: MapKind
    connections: int
    rates_rps: dict[str, float]
    """Model -> calls a second, of those that are ranked; the highest first."""
    best: tuple[str, ...]
    """Those that serve most; empty if none is ranked."""
    unranked: dict[str, str]
    """Model -> why it is not ranked, in a few words."""

    @property
    def is_tie(self) -> bool:
        """Whether all models serve most."""
        return len(self.best) == len(self.rates_rps) + len(self.unranked) > 1

    @property
    def best_rps(self) -> float:
        """What the best serves. Calls a second; 0 if no model is ranked."""
        return max(self.rates_rps.values(), default=0.0)


def areas(folder: Path, question: Question) -> list[Area]:
    """Those that have been measured, in the order of the question. Raises BadResultsError."""
    return [
        _area(kind, at)
        for kind in question.kinds
        if (folder / kind.key / TRIALS).is_dir()
        for at in standings(read_trials(folder / kind.key).trials)
    ]


def first_void(folder: Path, question: Question) -> str:
    """Why the first void trial of the map is void; empty if none is. Raises BadResultsError."""
    runs = (folder / kind.key for kind in question.kinds)
    return next((why for run in runs if (run / TRIALS).is_dir() for _, why in read_trials(run).void), "")


def _area(kind: MapKind, at: PointStandings) -> Area:
    rates = {one.arm: one.value.value for one in at.ranked if one.value is not None}
    most = max(rates.values(), default=0.0)
    tied = {one.arm for one in at.best}
    return Area(
        kind,
        at.point.connections,
        dict(sorted(rates.items(), key=lambda item: -item[1])),
        tuple(arm for arm, rate in rates.items() if arm in tied or rate >= NEAR * most),
        {one.arm: one.why for one in at.standings if one.rank == "unranked"},
    )


def of(found: Sequence[Area], kind: MapKind, connections: int) -> Area | None:
    """That area; None if it has not been measured."""
    return next((one for one in found if (one.kind, one.connections) == (kind, connections)), None)
