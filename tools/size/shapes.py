"""How many pods are needed, from what one pod serves, and what bounds a pod. Must not know how that is shown.

Linear scaling over pods is assumed, and stated: n pods serve n times what one does.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tools import measures
from tools.knee.found import why_void
from tools.scale import numbers
from tools.scale.cells import Searched
from tools.size.need import Need

THREADS_PER_CPU = 16
"""The default of `--threads-per-cpu` (services/runtime/config.py)."""
POOLS = ("thread_pool", "half_sync_half_async", "grpcio_threads")
AT_BOUND = 0.85
"""A share of what a pool can serve by Little's law. Above this share, the pool bounds the pod."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One model with one limit of CPUs a pod."""

    model: str
    cpus: float
    """Limit of each pod."""
    starts: int
    """Starts of the service, each with a search of its own, that are not void."""
    pods: int
    """How many are needed; 0 if no number of pods meets the objective, or if every search is void."""
    lowest_rps: float
    """Met by every start. Calls a second."""
    highest_rps: float
    """Met by one start at least."""
    p99_ns: float | None
    """At the rate that was met; the largest over the starts."""
    cpu_ns: float | None
    """CPU time of the service for each call there; the mean over the starts."""
    bound: str
    """Why a pod does not serve more, or why there is no number of pods."""

    @property
    def total_cpus(self) -> float:
        """Limits of all pods added up."""
        return self.pods * self.cpus


def shapes(need: Need, searched: Sequence[Searched]) -> list[Shape]:
    """Sorted by total CPUs, then by the CPU time of a call; the least comes first. Those that do not fit are last."""
    of: dict[tuple[str, float], list[Searched]] = {}
    for one in searched:
        of.setdefault((one.cell.model, one.cell.cpus), []).append(one)
    found = [_shape(need, model, cpus, starts) for (model, cpus), starts in of.items()]
    return sorted(found, key=lambda one: (not one.pods, one.total_cpus, one.cpu_ns or 0.0))


def _shape(need: Need, model: str, cpus: float, starts: Sequence[Searched]) -> Shape:
    whole = [one for one in starts if not why_void(one)]
    if not whole:
        return Shape(model, cpus, 0, 0, 0.0, 0.0, None, None, f"void: {why_void(starts[0])}")
    met = [one.found.met_rps or 0.0 for one in whole]
    lowest = min(met)
    trials = [one.best for one in whole if one.best is not None]
    p99s = [found.ns for trial in trials if (found := measures.latency(trial, "p99")) is not None]
    costs = [cost for trial in trials if (cost := measures.per_call(trial, "cpu_user_ns", "cpu_system_ns")) is not None]
    pods = math.ceil(round(need.rate_rps / (lowest * (1 - need.spare)), 6)) if lowest else 0
    return Shape(
        model,
        cpus,
        len(whole),
        pods,
        lowest,
        max(met),
        max(p99s, default=None),
        sum(costs) / len(costs) if costs else None,
        _bound(need, model, whole[met.index(lowest)]) if lowest else _why_not(whole[met.index(lowest)]),
    )


def _bound(need: Need, model: str, one: Searched) -> str:
    """The bound of the start that served least."""
    if one.found.missed_rps is None:
        return "not reached"
    if not numbers.held_back_otherwise(one):
        return "CPU"
    threads = math.ceil(THREADS_PER_CPU * one.cell.cpus)
    call_ms = need.cpu_ms + need.wait_ms
    if model in POOLS and (one.found.met_rps or 0.0) >= AT_BOUND * threads / (call_ms / 1000):
        return f"{threads} threads"
    return "not known"


def _why_not(one: Searched) -> str:
    whys = [each.missed for each in one.tries if each.missed]
    return f"misses at {one.found.missed_rps:,.0f} calls/s: {whys[-1]}" if whys else "met at no rate"
