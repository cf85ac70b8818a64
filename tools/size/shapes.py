"""How many pods are needed, from what one pod serves, and what bounds a pod. Must not know how that is shown.

Linear scaling over pods is assumed, and stated: n pods serve n times what one does.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tools import measures
from tools.scale import metrics
from tools.scale.cells import SearchedCell
from tools.scale.void import why_void
from tools.size.need import Need
from tools.units import count, share

POOLS = ("thread_pool", "half_sync_half_async", "grpcio_threads")
AT_BOUND = 0.85
"""A share of what a pool can serve by Little's law. Above this share, the pool bounds the pod."""


@dataclass(frozen=True, slots=True)
class JudgedTrial:
    """One trial of a search."""

    rate_rps: float
    """Asked. Calls a second."""
    met: bool
    """The objective."""


@dataclass(frozen=True, slots=True)
class PodShape:
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
    user_share: float | None
    """How much of that was in user mode, where Python code holds the interpreter lock."""
    trials: tuple[JudgedTrial, ...]
    """All of those starts."""
    bound: str
    """Why a pod does not serve more, or why there is no number of pods."""

    @property
    def total_cpus(self) -> float:
        """Limits of all pods added up."""
        return self.pods * self.cpus

    def __str__(self) -> str:
        """As `coroutines as 2 pods of 1 CPU`."""
        return f"{self.model} as {self.pods_of}"

    @property
    def pods_of(self) -> str:
        """As `2 pods of 1 CPU`."""
        return f"{count(self.pods)} pod{'' if self.pods == 1 else 's'} of {cpus_of(self.cpus)}"


def cpus_of(cpus: float) -> str:
    """As `1 CPU`, `0.5 CPUs`."""
    return f"{count(cpus)} CPU{'' if cpus == 1 else 's'}"


def shapes(need: Need, searched: Sequence[SearchedCell]) -> list[PodShape]:
    """Sorted by total CPUs, then by the CPU time of a call; the least comes first. Those that do not fit are last."""
    of: dict[tuple[str, float], list[SearchedCell]] = {}
    for one in searched:
        of.setdefault((one.cell.model, one.cell.cpus), []).append(one)
    found = [_shape(need, model, cpus, starts) for (model, cpus), starts in of.items()]
    return sorted(found, key=lambda one: (not one.pods, one.total_cpus, one.cpu_ns or 0.0))


def _shape(need: Need, model: str, cpus: float, starts: Sequence[SearchedCell]) -> PodShape:
    whole = [one for one in starts if not why_void(one)]
    if not whole:
        return PodShape(model, cpus, 0, 0, 0.0, 0.0, None, None, None, (), f"void: {why_void(starts[0])}")
    met = [one.found.met_rps or 0.0 for one in whole]
    lowest = min(met)
    trials = [one.best for one in whole if one.best is not None]
    p99s = [found.ns for trial in trials if (found := measures.latency(trial, "p99")) is not None]
    costs = [cost for trial in trials if (cost := measures.per_call(trial, "cpu_user_ns", "cpu_system_ns")) is not None]
    user = [cost for trial in trials if (cost := measures.per_call(trial, "cpu_user_ns")) is not None]
    return PodShape(
        model,
        cpus,
        len(whole),
        pods_for(need, lowest),
        lowest,
        max(met),
        max(p99s, default=None),
        sum(costs) / len(costs) if costs else None,
        sum(user) / sum(costs) if sum(costs) else None,
        tuple(JudgedTrial(each.rate_rps, not each.missed) for one in whole for each in one.tries),
        _bound(need, model, whole[met.index(lowest)]) if lowest else _why_not(whole[met.index(lowest)]),
    )


def pods_for(need: Need, pod_rps: float) -> int:
    """How many pods that serve so much each are needed; 0 where a pod serves nothing."""
    return math.ceil(round(need.rate_rps / (pod_rps * (1 - need.spare)), 6)) if pod_rps else 0


def pool_rps(need: Need, cpus: float) -> float:
    """What a pool of threads serves at most: each serves one call at a time (Little's law). Calls a second."""
    return threads_of(need, cpus) / (need.cost.total_ms / 1000)


def threads_of(need: Need, cpus: float) -> int:
    """Of the pool of a pod with that limit."""
    return math.ceil(need.threads_per_cpu * cpus)


def _bound(need: Need, model: str, one: SearchedCell) -> str:
    """The bound of the start that served least: the first of these that it reaches."""
    if one.found.missed_rps is None:
        return "not reached"
    trial, cpus = metrics.last_miss(one), one.cell.cpus
    # At the rate that was met too: a service whose queue is long may use less at the rate that was missed.
    used = max(metrics.used_share(one, each) for each in (trial, one.best) if each is not None)
    throttled = metrics.throttled_share(trial)
    met_rps, blocks = one.found.met_rps or 0.0, need.cost.blocks and model not in POOLS
    reached = {
        "CPU": used >= metrics.USED_UP,
        f"{threads_of(need, cpus)} threads": model in POOLS and met_rps >= AT_BOUND * pool_rps(need, cpus),
        "interpreter lock": cpus > 1 and metrics.USED_UP <= used * cpus <= measures.ONE_CPU,
        f"quota, used up in {share(throttled or 0)} of periods": bool(throttled),
        "one call at a time: the function blocks": blocks and met_rps >= AT_BOUND * 1000 / need.cost.total_ms,
        "queue_bound": bool(trial.result["calls"]["by_status"].get("RESOURCE_EXHAUSTED")),
    }
    return next((bound for bound, is_reached in reached.items() if is_reached), "not known")


def _why_not(one: SearchedCell) -> str:
    whys = [each.missed for each in one.tries if each.missed]
    return f"misses at {one.found.missed_rps:,.0f} calls/s: {whys[-1]}" if whys else "met at no rate"


def between(low_rps: float, high_rps: float) -> str:
    """As `1,120 to 1,230`: three digits each, because a search is not more precise."""
    low, high = (count(round(float(f"{rate:.3g}"))) for rate in (low_rps, high_rps))
    return low if low == high else f"{low} to {high}"
