"""What one call costs the handler: given by a person, read from spans, or measured on a function of the user."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from tools.local import Programs, json_of
from tools.status import PlainError
from tools.units import count

MOST_WAIT_MS = 60_000
"""Of a `call` step (services/workload/plan.py)."""
MOST_CALLS = 63
"""To other services: a plan has 64 steps at most, and one computes."""
REPLY_BYTES = 128
MEASURING_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one call, without what the server itself uses. Raises PlainError for what no plan can do."""

    cpu_ms: float
    """CPU time of the handler. Milliseconds."""
    wait_ms: float
    """For how long it waits for other services, in all. Milliseconds."""
    calls: int = 1
    """Number of calls to other services, one after the other. Together they wait `wait_ms`."""
    function: str = ""
    """As `shop.prices:quote`: each call runs it, and it has these costs. It blocks the thread that runs it."""

    def __post_init__(self) -> None:
        if self.wait_ms > MOST_WAIT_MS:
            raise PlainError(f"a wait of {self.wait_ms:g} ms: a call waits for at most {count(MOST_WAIT_MS)} ms")
        if self.calls > MOST_CALLS:
            raise PlainError(f"{count(self.calls)} calls to other services: a call makes at most {MOST_CALLS}")

    @property
    def total_ms(self) -> float:
        """For how long a call lasts where it waits for no thread and no processor."""
        return self.cpu_ms + self.wait_ms

    def steps(self, rounds: int) -> list[dict[str, object]]:
        """The plan of a call. `rounds` take `cpu_ms`."""
        if self.function:
            return [{"compute": {"rounds": 1, "engine": "ENGINE_OWN"}}]
        steps: list[dict[str, object]] = [{"compute": {"rounds": rounds, "engine": "ENGINE_PYTHON"}}]
        if self.wait_ms and self.calls:
            delay_us = round(self.wait_ms * 1000 / self.calls)
            steps += [{"call": {"delay_us": delay_us, "reply_bytes": REPLY_BYTES}}] * self.calls
        return steps

    def __str__(self) -> str:
        """As `0.3 ms of CPU and 20 ms of wait`."""
        wait = f" and {self.wait_ms:.3g} ms of wait" if self.wait_ms else ""
        of_calls = f" in {self.calls} calls to other services" if wait and self.calls > 1 else ""
        what = f" in {self.function}, which blocks" if self.function else ""
        return f"{self.cpu_ms:.3g} ms of CPU{wait}{of_calls}{what}"


def of_function(name: str, programs: Programs) -> Cost:
    """Calls it for up to 2 s in a process of its own. Raises LocalError where it cannot be called."""
    found: dict[str, Sequence[int]] = json_of("--step", [*programs.function_cost, name], MEASURING_TIMEOUT_S)
    cpu_ms, wall_ms = mean(found["cpu_ns"]) / 1e6, mean(found["wall_ns"]) / 1e6
    return Cost(cpu_ms, max(0.0, wall_ms - cpu_ms), 0, name)


def options(cost: Cost) -> dict[str, Any]:
    """What every service is started with."""
    return {"function": cost.function} if cost.function else {}
