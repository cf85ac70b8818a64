"""CPU time as rounds of a `compute` step, measured on the machine where services will run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tools.local import Programs, json_of
from tools.status import PlainError
from tools.units import count, share, three_digits

MEASURING_TIMEOUT_S = 30.0
DRIFT = 0.15
"""As a share of the time of a round: answers of one question differ by as much on a shared machine."""
MOST_ROUNDS = 10_000_000
"""Of one step (services/workload/plan.py)."""


@dataclass(frozen=True, slots=True)
class RoundCost:
    """What a round of one engine costs on this machine at one moment. Nanoseconds of CPU time."""

    low_ns: float
    """A tenth of the batches were faster. What it counts with: slower batches shared the core with other processes.

    On one machine it was 93 to 97 ns in six measurements within an hour, the median 96 to 166 ns.
    """
    middle_ns: float
    """The median."""
    high_ns: float
    """A tenth of the batches were slower."""

    def of(self, cpu_ms: float) -> int:
        """How many rounds take that CPU time. Raises PlainError for more than a step may have."""
        rounds = round(cpu_ms * 1e6 / self.low_ns)
        if rounds > MOST_ROUNDS:
            most_ms = int(MOST_ROUNDS * self.low_ns / 1e6)
            raise PlainError(
                f"{cpu_ms:g} ms of CPU are too long for one step: it computes for at most {count(most_ms)} ms here"
            )
        return max(1, rounds)

    def __str__(self) -> str:
        """As `96 ns a round (median 125, up to 153)`."""
        slower = f"median {three_digits(self.middle_ns)}, up to {three_digits(self.high_ns)}"
        return f"{three_digits(self.low_ns)} ns a round ({slower})"


def measure(programs: Programs) -> Mapping[str, RoundCost]:
    """Of each engine. Takes 0.5 s. Raises LocalError."""
    found: Mapping[str, Sequence[float]] = json_of("rounds", programs.rounds, MEASURING_TIMEOUT_S)
    return {engine: _rounds(batches) for engine, batches in found.items()}


def _rounds(batches_ns: Sequence[float]) -> RoundCost:
    tenth = len(batches_ns) // 10
    return RoundCost(batches_ns[tenth], median(batches_ns), batches_ns[-1 - tenth])


def calibrated(cpu_ms: float, here: RoundCost) -> str:
    """As `0.3 ms of Python are 3,125 rounds: 96 ns a round (median 125, up to 153).`"""
    return f"{cpu_ms:.3g} ms of Python are {count(here.of(cpu_ms))} rounds: {here}."


def drift(before: RoundCost, after: RoundCost) -> str:
    """As ` The machine became 70 % slower: ask again.`; empty within DRIFT."""
    change = after.low_ns / before.low_ns - 1
    if abs(change) <= DRIFT:
        return ""
    return f" The machine became {share(abs(change))} {'slower' if change > 0 else 'faster'}: ask again."
