"""What one call costs the handler: given by a person, read from spans, or measured on a function of the user."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from tools.local import Programs, json_of
from tools.status import PlainError
from tools.units import count, share

MOST_WAIT_MS = 60_000
"""Of a `call` step (services/workload/plan.py)."""
MOST_CALLS = 63
"""To other services: a plan has 64 steps at most, and one computes."""
REPLY_BYTES = 128
MEASURING_TIMEOUT_S = 30.0
ToRounds = Callable[[float], int]
"""CPU time in milliseconds -> rounds of a `compute` step."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the calls, with costs of their own."""

    name: str
    """As `slow`."""
    share: float
    """Of all calls."""
    cpu_ms: float
    wait_ms: float
    calls: int

    @property
    def total_ms(self) -> float:
        """For how long such a call lasts where it waits for no thread and no processor."""
        return self.cpu_ms + self.wait_ms

    def __str__(self) -> str:
        """As `5 % slow with 0.9 ms and 130 ms`."""
        return f"{share(self.share)} {self.name} with {self.cpu_ms:.3g} ms and {self.wait_ms:.3g} ms"


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one call, without what the server itself uses. Raises PlainError for what no plan can do."""

    cpu_ms: float
    """CPU time of the handler. Milliseconds; a mean."""
    wait_ms: float
    """For how long it waits for other services, in all. Milliseconds; a mean."""
    calls: int = 1
    """Number of calls to other services, one after the other. Together they wait `wait_ms`."""
    function: str = ""
    """As `shop.prices:quote`: each call runs it, and it has these costs."""
    is_async: bool = False
    """Whether the function is awaited. Else it blocks the thread that runs it."""
    parts: tuple[Part, ...] = ()
    """Calls that differ; their shares add up to 1. Empty: all calls are alike."""

    def __post_init__(self) -> None:
        for wait_ms, calls in ((each.wait_ms, each.calls) for each in self.parts or (self,)):
            if wait_ms > MOST_WAIT_MS:
                raise PlainError(f"a wait of {wait_ms:g} ms: a call waits for at most {count(MOST_WAIT_MS)} ms")
            if calls > MOST_CALLS:
                raise PlainError(f"{count(calls)} calls to other services: a call makes at most {MOST_CALLS}")

    @property
    def total_ms(self) -> float:
        """For how long a call lasts where it waits for no thread and no processor; a mean."""
        return self.cpu_ms + self.wait_ms

    @property
    def blocks(self) -> bool:
        """Whether a call blocks the thread that runs it for all of its time."""
        return bool(self.function) and not self.is_async

    def plan(self, rounds: ToRounds) -> dict[str, object]:
        """What the driver asks in a call, or in the calls of a mix."""
        if self.function:
            return {"steps": [{"compute": {"rounds": 1, "engine": "ENGINE_OWN"}}]}
        if not self.parts:
            return {"steps": _steps(self, rounds)}
        return {"mix": {each.name: {"share": each.share, "steps": _steps(each, rounds)} for each in self.parts}}

    def __str__(self) -> str:
        """As `0.3 ms of CPU and 20 ms of wait`."""
        wait = f" and {self.wait_ms:.3g} ms of wait" if self.wait_ms else ""
        of_calls = f" in {self.calls} calls to other services" if wait and self.calls > 1 else ""
        of_parts = f" ({', '.join(map(str, self.parts))})" if self.parts else ""
        how = "is async" if self.is_async else "blocks"
        what = f" in {self.function}, which {how}" if self.function else ""
        return f"{self.cpu_ms:.3g} ms of CPU{wait}{of_calls}{of_parts}{what}"


def _steps(of: Cost | Part, rounds: ToRounds) -> list[dict[str, object]]:
    compute = {"rounds": rounds(of.cpu_ms), "engine": "ENGINE_PYTHON"}
    if not (of.wait_ms and of.calls):
        return [{"compute": compute}]
    call: dict[str, object] = {"call": {"delay_us": round(of.wait_ms * 1000 / of.calls), "reply_bytes": REPLY_BYTES}}
    return [{"compute": compute}, *[call] * of.calls]


def of_function(name: str, programs: Programs) -> Cost:
    """Calls it for up to 2 s in a process of its own. Raises LocalError where it cannot be called."""
    found: dict[str, Any] = json_of("--step", [*programs.function_cost, name], MEASURING_TIMEOUT_S)
    cpu_ms, wall_ms = mean(_ns(found, "cpu_ns")) / 1e6, mean(_ns(found, "wall_ns")) / 1e6
    return Cost(cpu_ms, max(0.0, wall_ms - cpu_ms), 0, name, is_async=bool(found["is_async"]))


def _ns(found: dict[str, Any], key: str) -> Sequence[int]:
    values: Sequence[int] = found[key]
    return values


def options(cost: Cost) -> dict[str, Any]:
    """What every service is started with."""
    return {"function": cost.function} if cost.function else {}
