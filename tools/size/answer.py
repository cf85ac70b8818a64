"""The sizes as an answer: the advice, the rows of the table, and what they rest on. Must not know of terminals."""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.families import GRPCIO
from tools.knee import slo
from tools.scale.results import StoredCells
from tools.size.estimates import PodEstimate, estimated
from tools.size.need import Need
from tools.size.notes import notes
from tools.size.shapes import PodShape, between, shapes
from tools.size.size_question import SizeQuestion
from tools.units import count, duration, share

UNKNOWN = "–"  # noqa: RUF001  (an en dash is how a table says "no value")
COLUMNS = ("model", "pods", "serves, calls/s", "p99", "CPU/call", "bound by")
LEFT = ("model", "bound by")
"""Columns of words."""


@dataclass(frozen=True, slots=True)
class SizeAnswer:
    """What a person reads, in the terminal and in the report."""

    advice: str
    rows: Sequence[Sequence[str]]
    """In the order of COLUMNS. A number that was not measured begins with `~`."""
    notes: Sequence[str]


def answer(stored: SizeQuestion, stored_cells: StoredCells) -> SizeAnswer:
    """From the searches that there are."""
    need, found = stored.need, shapes(stored.need, stored_cells.searched)
    left_out = {(one.cell.model, one.cell.cpus): one for one in stored_cells.left_out}
    estimates = [estimated(need, found, model, cpus) for model, cpus in left_out]
    known = [one for one in estimates if one is not None]
    rows = [_row(one) for one in found] + [_estimated(one) for one in known]
    return SizeAnswer(
        advice(need, found), rows, notes(stored, found, recommended(found), list(left_out.values()), known)
    )


def recommended(found: Sequence[PodShape]) -> list[PodShape]:
    """The one with the fewest CPUs, and the first of grpcio if that is another."""
    fits = [one for one in found if one.pods]
    if not fits:
        return []
    grpcio = next((one for one in fits if one.model.startswith(GRPCIO)), None)
    return [fits[0]] if grpcio is None or grpcio is fits[0] else [fits[0], grpcio]


def advice(need: Need, found: Sequence[PodShape]) -> str:
    """As `The fewest CPUs: coroutines, 2 pods of 1 CPU. To deploy today, with grpcio: grpcio_asyncio, 3 pods of 1 CPU.`

    Models are named together if they need the same pods.
    """
    within = slo.written(need.objective)
    chosen = recommended(found)
    if not found:
        return "Nothing has been measured yet, so there is no advice."
    if not any(one.starts for one in found):
        return f"No advice: every search is {found[0].bound}."
    if not chosen:
        return f"No model meets {within}. The table has the reasons."
    best, grpcio = chosen[0], chosen[-1]
    alike = _like(best, found)
    parts = [f"The fewest CPUs: {' or '.join(alike)}, {best.pods_of}{_cost(need, best)}."]
    if grpcio.model not in alike:
        servers = [model for model in _like(grpcio, found) if model.startswith(GRPCIO)]
        parts.append(f"To deploy today, with grpcio: {' or '.join(servers)}, {grpcio.pods_of}{_cost(need, grpcio)}.")
    parts.append(f"So they meet {within} at {count(need.rate_rps)} calls/s, with {share(need.spare)} in reserve.")
    return " ".join(parts)


def _like(shape: PodShape, found: Sequence[PodShape]) -> list[str]:
    """The models that need the same pods."""
    return [one.model for one in found if one.pods and (one.pods, one.cpus) == (shape.pods, shape.cpus)]


def _cost(need: Need, one: PodShape) -> str:
    if need.price is None:
        return ""
    return f" ({need.price.of_million_calls(one.total_cpus, need.rate_rps)} for a million calls)"


def _row(one: PodShape) -> Sequence[str]:
    return (
        one.model,
        f"{count(one.pods)} x {count(one.cpus)}" if one.pods else UNKNOWN,
        between(one.lowest_rps, one.highest_rps) if one.highest_rps else UNKNOWN,
        UNKNOWN if one.p99_ns is None else duration(one.p99_ns),
        UNKNOWN if one.cpu_ns is None else duration(one.cpu_ns),
        one.bound,
    )


def _estimated(one: PodEstimate) -> Sequence[str]:
    return (
        one.model,
        f"~{count(one.pods)} x {count(one.cpus)}",
        f"~{between(one.low_rps, one.high_rps)}",
        UNKNOWN,
        UNKNOWN,
        "estimate",
    )
