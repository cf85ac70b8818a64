"""Kinds of calls of a mix at one point: what each arm does with each, and which kind waits for which. No HTML."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

from markupsafe import Markup

from tools import measures
from tools.report import picture
from tools.report.folder import Contents
from tools.report.table import TrialRow, percentile
from tools.results import Trial
from tools.standings import PointStandings, Standing
from tools.units import count, duration, share

SHORTER = 0.5
"""A kind is shorter than another where its fastest call takes at most this part of the other's."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """What the page shows of a mix."""

    columns: Mapping[str, str]
    """Key of the rows' cells -> heading."""
    rows: Sequence[TrialRow]
    pictures: Sequence[Markup]
    """p99 of each arm, one for each kind."""
    waits: Sequence[str]
    """A sentence for each kind that waits for another."""


def kinds(contents: Contents, at: PointStandings) -> Kinds | None:
    """None where all calls are of one kind."""
    names = next((tuple(of) for one in at.standings if (of := measures.kinds(one.trial))), ())
    if not names:
        return None
    # A folder may have trials of several plans; notices name them.
    at = replace(at, standings=tuple(one for one in at.standings if tuple(measures.kinds(one.trial)) == names))
    columns = {"calls": "calls", "p50": "p50", "p99": "p99", "errors": "errors"}
    return Kinds(
        columns={f"{name} {key}": f"{name}, {heading}" for name in names for key, heading in columns.items()},
        rows=[_row(one, names) for one in at.standings],
        pictures=[_picture(contents, at, name) for name in names],
        waits=[*_waits(at.standings, names)],
    )


def _row(one: Standing, names: Sequence[str]) -> TrialRow:
    of = measures.kinds(one.trial)
    cells = {f"{name} {key}": cell for name in names for key, cell in _cells(of[name]).items()}
    return TrialRow(one.arm, cells, leads=False, rate_share=0.0, failed=any(map(measures.failures, of.values())))


def _cells(kind: Trial) -> dict[str, str]:
    return {
        "calls": count(kind.result["calls"]["planned"]),
        "p50": percentile(kind, "p50"),
        "p99": percentile(kind, "p99"),
        "errors": share(measures.failed_share(kind)) if measures.failures(kind) else "0",
    }


def _picture(contents: Contents, at: PointStandings, name: str) -> Markup:
    return picture.of_latency(contents, at, f"p99 latency of {name} calls", lambda trial: measures.kinds(trial)[name])


def _waits(found: Sequence[Standing], names: Sequence[str]) -> Iterator[str]:
    for kind, other in permutations(names, 2):
        waiting = [text for one in found if (text := _wait(one, kind, other))]
        if waiting:
            yield (
                f"{kind} calls wait for {other} calls with {', '.join(waiting)}: one in a hundred takes as long as the "
                f"fastest {other} call."
            )


def _wait(one: Standing, kind: str, other: str) -> str:
    """As `reactor (p99 98 ms, fastest long call 90 ms)`; empty where the kind does not wait for the other."""
    of = measures.kinds(one.trial)
    fastest_ns, other_ns = (of[name].result["latency_ns"].get("min") for name in (kind, other))
    p99 = measures.latency(of[kind], "p99")
    if p99 is None or not fastest_ns or not other_ns or fastest_ns > other_ns * SHORTER or p99.ns < other_ns:
        return ""
    found = duration(p99.ns, is_bound=p99.is_bound)
    return f"{one.arm} (p99 {found}, fastest {other} call {duration(other_ns)})"
