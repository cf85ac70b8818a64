"""Estimates for limits of CPUs that were not measured, from the largest limit that was.

Up to one CPU, a pod serves in proportion to its CPUs. Above one CPU, the interpreter lock decides. One thread uses one
CPU at most. Several threads overlap only in what they do without the lock, and contend for it. A process holds the lock
for its user time at most, so it can serve 1 / (user time of a call) if it has the CPUs. These are the asymptotic bounds
of a service with two demands (Denning and Buzen, The Operational Analysis of Queueing Network Models, 1978).
The threads of gRPC's core need no lock, so only the number of CPUs bounds them from above.

If a model was measured with enough limits, the Universal Scalability Law is fitted to them instead (tools/usl.py).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.size.need import Need
from tools.size.shapes import POOLS, PodShape, pods_for, pool_rps

if TYPE_CHECKING:
    from tools.usl import Fit

ONE_THREAD = ("coroutines",)
LOCKED = ("thread_pool", "half_sync_half_async")
CORE = ("grpcio_threads", "grpcio_asyncio")
CONTENDED = 0.8
"""Calls/s with two CPUs divided by one, if threads contend for the lock: 0.80 (0.52 to 1.23), docs/verdicts.md, C5."""

LEAST_FITTED = 6
"""Limits (tools/usl.py)."""


@dataclass(frozen=True, slots=True)
class PodEstimate:
    """What a pod with that limit is expected to serve."""

    model: str
    cpus: float
    low_rps: float
    high_rps: float
    pods: int
    """For the lower rate."""
    law: str = ""
    """The fitted law, as `sigma 0.1 (0.08 to 0.12), kappa 0 (0 to 0)`; empty where the bounds were used."""


def estimated(need: Need, found: Sequence[PodShape], model: str, cpus: float) -> PodEstimate | None:
    """From the measured shape of the model with the most CPUs below; None where none of it meets the objective."""
    known = [one for one in found if one.model == model and one.pods and one.cpus < cpus]
    if not known or model not in (*ONE_THREAD, *LOCKED, *CORE):
        return None
    base = max(known, key=lambda one: one.cpus)
    if (fitted := _fitted(known)) is not None:
        share = fitted.at(cpus) / _middle_rps(base)
        low, high = share * base.lowest_rps, share * base.highest_rps
        law = f"sigma {fitted.sigma}, kappa {fitted.kappa}"
        return PodEstimate(model, cpus, low, high, pods_for(need, low), law)
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
    return PodEstimate(model, cpus, low, high, pods_for(need, low))


def _fitted(known: Sequence[PodShape]) -> "Fit | None":
    if len(known) < LEAST_FITTED:
        return None
    from tools import usl  # noqa: PLC0415  (scipy)

    try:
        return usl.fit([one.cpus for one in known], [_middle_rps(one) for one in known])
    except usl.FitError:
        return None


def _middle_rps(one: PodShape) -> float:
    return math.sqrt(one.lowest_rps * one.highest_rps)


def checked(need: Need, found: Sequence[PodShape]) -> list[tuple[PodShape, PodEstimate]]:
    """Each model's largest measured limit, and the estimate for it from the smaller ones."""
    pairs = []
    for model in dict.fromkeys(one.model for one in found):
        largest = max((one for one in found if one.model == model), key=lambda one: one.cpus)
        estimate = estimated(need, found, model, largest.cpus)
        if estimate is not None and largest.pods:
            pairs.append((largest, estimate))
    return pairs
