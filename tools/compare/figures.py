"""The figures of a run for each arm at each point, as estimates that a file can store for a later comparison."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from tools import bundle, closed_folder, measures
from tools.compare.conditions import conditions
from tools.pooling import pooled
from tools.results import BadResultsError, Trial, read_json, write_whole
from tools.standings import FEW_ANSWERS, START_UP, has_few_answers, unsteady
from tools.stats.estimate import Estimate
from tools.stats.interval import estimate, ratio
from tools.stats.series import BlockId
from tools.stats.verdict import Better
from tools.status import PlainError
from tools.units import duration
from tools.values import cpus_ns, p99s_ns, rates_rps, series

VERSION = 1
ValueName = Literal["rate", "p99", "CPU/call"]
VALUES: Mapping[ValueName, Callable[[Trial], dict[BlockId, float]]] = {
    "rate": rates_rps,
    "p99": p99s_ns,
    "CPU/call": cpus_ns,
}
"""Calls a second; nanoseconds; nanoseconds."""
BETTER: Mapping[ValueName, Better] = {"rate": "higher", "p99": "lower", "CPU/call": "lower"}


class ArmFigure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One measure of one arm at one point."""

    arm: str
    point: str
    measure: ValueName
    why: str = ""
    """Why there is no estimate, in a few words; empty if there is one."""
    estimate: Estimate | None = None
    """Of the measure, or of its ratio to that of the reference arm."""
    served_share: float | None = None
    """Share of the clients that got an answer."""

    @property
    def described(self) -> str:
        """As `reactor at 100`."""
        return f"{self.arm} at {self.point}"


class Figures(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All figures of a run. This is what a baseline file holds."""

    version: Literal[1] = 1
    name: str
    """Of the run."""
    reference: str | None
    """The arm to which each figure is a ratio; None if figures are no ratios."""
    conditions: Mapping[str, Any]
    """What must be the same for a comparison, as `conditions` makes it."""
    points: Mapping[str, Mapping[str, Any]]
    """The load at each point."""
    figures: Sequence[ArmFigure]


def of_folder(folder: Path, reference: str | None = None) -> Figures:
    """Raises BadResultsError if it is no closed results folder, PlainError if it lacks the reference arm."""
    found = closed_folder.read(folder)
    arms = sorted({trial.arm for trial in found.trials})
    if reference is not None and reference not in arms:
        raise PlainError(f"{folder}: has no arm {reference!r}; its arms are {', '.join(arms)}")
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in found.trials:
        groups.setdefault((trial.arm, trial.id.point), []).append(trial)
    shared, points = conditions(folder)
    return Figures(
        name=bundle.name(folder),
        reference=reference,
        conditions=shared,
        points=points,
        figures=[
            figure
            for (arm, point), rounds in groups.items()
            if arm != reference
            for figure in _figures(rounds, None if reference is None else groups.get((reference, point), []))
        ],
    )


def names(trial: Trial) -> tuple[ValueName, ...]:
    """The measures by which such trials are compared. The rate of an open loop is that of its schedule."""
    return ("p99", "CPU/call") if trial.result["asked"]["loop"] == "open" else ("rate", "p99", "CPU/call")


def save(path: Path, figures: Figures) -> None:
    """Writes a baseline. Raises BadResultsError."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(figures), indent=1).decode() + "\n")


def read(path: Path) -> Figures:
    """Reads a baseline. Raises BadResultsError."""
    content = read_json(path)
    version = content.get("version") if isinstance(content, dict) else None
    try:
        if isinstance(version, int) and version != VERSION:
            raise BadResultsError(f"{path}: written by another version ({version}, not {VERSION}): save it again")
        return msgspec.convert(content, Figures)
    except msgspec.ValidationError as error:
        raise BadResultsError(f"{path}: not a baseline of `sweetspot compare RESULT --save`: {error}") from error


def _figures(rounds: Sequence[Trial], reference: Sequence[Trial] | None) -> Iterator[ArmFigure]:
    first, whole = rounds[0], pooled(rounds)
    for name in names(first):
        found, why = _estimate(name, rounds, reference)
        yield ArmFigure(
            arm=first.arm,
            point=first.id.point,
            measure=name,
            why=why,
            estimate=found,
            served_share=measures.served_share(whole),
        )


def _estimate(
    name: ValueName, rounds: Sequence[Trial], reference: Sequence[Trial] | None
) -> tuple[Estimate | None, str]:
    """The estimate, or why there is none."""
    if why := why_not(name, rounds):
        return None, why
    values = series(rounds[0].arm, rounds, VALUES[name])
    if reference is None:
        return estimate(values), ""
    if not reference:
        return None, "the reference arm has no trial"
    if why := why_not(name, reference):
        return None, f"of the reference arm: {why}"
    try:
        return ratio(values, series(reference[0].arm, reference, VALUES[name])), ""
    except ValueError:
        return None, "no block has a value of both arms"


def why_not(name: ValueName, rounds: Sequence[Trial]) -> str:
    """Why the rounds of one arm at one point give no estimate, in a few words; empty if they give one."""
    whole = pooled(rounds)
    if not measures.rate_rps(whole):
        return "answered no call"
    if any(map(has_few_answers, rounds)):
        return FEW_ANSWERS
    if any(map(unsteady, rounds)):
        return START_UP
    if name == "p99":
        p99s = [measures.latency(trial, "p99") for trial in rounds]
        if bound := next((each for each in p99s if each and each.is_bound), None):
            return f"more than {duration(bound.ns)}, as too few calls were answered"
    return "" if series(rounds[0].arm, rounds, VALUES[name]).values else "too few calls"
