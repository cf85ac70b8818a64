"""Claims with values that a test chooses."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tools.claims.claim import Claim, Operand
from tools.claims.sample import Reading

LEAST: Mapping[str, Any] = {
    "claim": "C12",
    "says": "A handler that blocks stalls the loop.",
    "experiment": "block",
    "kind": "measured",
    "statistic": {"measure": "latency_p99_ns", "ratio": ["loop", "threads"]},
    "holds_if": {"at_least": 5},
    "predicts": {"verdict": "holds", "because": "a loop waits"},
    "scope": "One CPU.",
    "refuted_if": "The loop is as fast.",
    "cost_s": 10,
    "written": "2026-11-27",
}


def claim(**changes: Any) -> Claim:
    """A valid one."""
    return msgspec.convert({**LEAST, **changes}, Claim)


class Values:
    """Arm -> its value in each round; None: it has none. At axes it has the value of its arm at that place."""

    def __init__(self, **arms: Sequence[float | None]) -> None:
        self.arms = arms
        self.bounds: dict[str, int] = {}

    @property
    def rounds(self) -> int:
        return max(map(len, self.arms.values()))

    def reading(self, operand: Operand, number: int) -> Reading | None:
        name = operand.measure if operand.measure in self.arms else operand.arm
        values = self.arms[name]
        value = values[number - 1] if number <= len(values) else None
        return None if value is None else Reading(value, self.bounds.get(operand.arm, 0))

    def void(self, _arms: Sequence[str]) -> str:
        return ""

    def along(self, operand: Operand, number: int) -> Sequence[tuple[float, Reading]] | None:
        slope = self.reading(operand, number)
        return None if slope is None else [(place, Reading(7 + place * slope.value)) for place in (0, 10, 20)]
