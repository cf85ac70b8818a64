"""Estimates for limits of CPUs that were not measured, from the largest limit that was.

Up to one CPU, a pod serves in proportion to its CPUs. Above one CPU, the interpreter lock decides. One thread uses one
CPU at most. Several threads overlap only in what they do without the lock, and contend for it. A process holds the lock
for its user time at most, so it can serve 1 / (user time of a call) if it has the CPUs. These are the asymptotic bounds
of a service with two demands (Denning and Buzen, The Operational Analysis of Queueing Network Models, 1978).
The threads of gRPC's core need no lock, so only the number of CPUs bounds them from above.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tools.size.need import Need
from tools.size.shapes import POOLS, Shape, pods_for, pool_rps

ONE_THREAD = ("coroutines",)
LOCKED = ("thread_pool", "half_sync_half_async")
CORE = ("grpcio_threads", "grpcio_asyncio")
CONTENDED = 0.8
"""Calls/s with two CPUs divided by one, if threads contend for the lock: 0.80 (0.52 to 1.23), docs/verdicts.md, C5."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a pod with that limit is expected to serve."""

    model: str
    cpus: float
    low_rps: float
    high_rps: float
    pods: int
    """For the lower rate."""


def estimated(need: Need, found: Sequence[Shape], model: str, cpus: float) -> Estimate | None:
    """From the measured shape of the model with the most CPUs below; None where none of it meets the objective."""
    known = [one for one in found if one.model == model and one.pods and one.cpus < cpus]
    if not known or model not in (*ONE_THREAD, *LOCKED, *CORE):
        return None
    base = max(known, key=lambda one: one.cpus)
    below = min(cpus, 1) / min(base.cpus, 1)
    above = max(cpus, 1) / max(base.cpus, 1)
    least = most = 1.0
    if above > 1 and model not in ONE_THREAD:
        least = CONTENDED
        most = above if model in CORE else min(above, 1 / (base.user_share or 1.0))
    low, high = below * least * base.lowest_rps, below * most * base.highest_rps
    if model in POOLS:
        bound = pool_rps(need, cpus)
        low, high = min(low, bound), min(high, bound)
    return Estimate(model, cpus, low, high, pods_for(need, low))


def checked(need: Need, found: Sequence[Shape]) -> list[tuple[Shape, Estimate]]:
    """Each model's largest measured limit, and the estimate for it from the smaller ones."""
    pairs = []
    for model in dict.fromkeys(one.model for one in found):
        largest = max((one for one in found if one.model == model), key=lambda one: one.cpus)
        estimate = estimated(need, found, model, largest.cpus)
        if estimate is not None and largest.pods:
            pairs.append((largest, estimate))
    return pairs
