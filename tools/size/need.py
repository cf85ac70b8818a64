"""What a service is asked to do, in the units of a person who sizes one."""

from dataclasses import dataclass

from tools.experiment import Objective
from tools.knee import slo
from tools.size.cost import Cost
from tools.size.price import Price
from tools.status import PlainError
from tools.units import count, share

THREADS_PER_CPU = 16
"""The default of `--threads-per-cpu` (services/runtime/workers.py)."""

P99_SHARE = 0.01
"""A p99 is above the latency of all calls but so many."""


@dataclass(frozen=True, slots=True)
class Need:
    """Calls, their cost, and what must hold for them. Raises PlainError where that cannot be met."""

    cost: Cost
    """Of one call."""
    connections: int
    """Clients, each with a connection of its own."""
    rate_rps: float
    """Of all clients. Calls a second."""
    objective: Objective
    spare: float
    """Share of what a pod serves that stays free."""
    price: Price | None = None
    threads_per_cpu: int = THREADS_PER_CPU
    """Of a pool."""

    def __post_init__(self) -> None:
        for part in self.cost.parts:
            if part.share >= P99_SHARE and part.total_ms >= self.objective.p99_ms:
                raise PlainError(
                    f"--slo {slo.written(self.objective)!r} cannot be met: {share(part.share)} of the calls take "
                    f"{part.total_ms:.3g} ms before they wait for others"
                )
        if self.cost.total_ms >= self.objective.p99_ms:
            raise PlainError(
                f"--slo {slo.written(self.objective)!r} cannot be met: a call takes {self.cost.total_ms:.3g} ms "
                f"({self.cost}) before it waits for others"
            )

    def __str__(self) -> str:
        """As `1,500 calls/s from 2,000 connections, each call with 0.3 ms of CPU and 20 ms of wait`."""
        clients = f"{count(self.connections)} connection{'' if self.connections == 1 else 's'}"
        return f"{count(self.rate_rps)} calls/s from {clients}, each call with {self.cost}"
