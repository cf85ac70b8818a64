"""What a service is asked to do, in the units of a person who sizes one."""

from dataclasses import dataclass

from tools.experiment import Objective
from tools.knee import slo
from tools.status import PlainError
from tools.units import count

MOST_WAIT_MS = 60_000
"""Of a `call` step (services/workload/plan.py)."""


@dataclass(frozen=True, slots=True)
class Need:
    """Calls, their cost, and what must hold for them. Raises PlainError where that cannot be met."""

    cpu_ms: float
    """CPU time of the handler's Python code. Milliseconds a call; what the server itself uses comes on top."""
    wait_ms: float
    """For how long a call waits for another service. Milliseconds."""
    connections: int
    """Clients, each with a connection of its own."""
    rate_rps: float
    """Of all clients. Calls a second."""
    objective: Objective
    spare: float
    """Share of what a pod serves that stays free."""

    def __post_init__(self) -> None:
        if self.wait_ms > MOST_WAIT_MS:
            raise PlainError(f"--wait-ms {self.wait_ms:g}: a call waits for at most {count(MOST_WAIT_MS)} ms")
        least_ms = self.cpu_ms + self.wait_ms
        if least_ms >= self.objective.p99_ms:
            raise PlainError(
                f"--slo {slo.written(self.objective)!r} cannot be met: a call takes {least_ms:g} ms "
                f"(--cpu-ms {self.cpu_ms:g}, --wait-ms {self.wait_ms:g}) before it waits for others"
            )

    def __str__(self) -> str:
        """As `1,500 calls/s from 2,000 connections, each with 0.3 ms of CPU and a wait of 20 ms`."""
        wait = f" and a wait of {self.wait_ms:g} ms" if self.wait_ms else ""
        clients = f"{count(self.connections)} connection{'' if self.connections == 1 else 's'}"
        return f"{count(self.rate_rps)} calls/s from {clients}, each call with {self.cpu_ms:g} ms of CPU{wait}"
