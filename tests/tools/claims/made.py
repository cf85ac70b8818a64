"""Claims that a test makes: with values that it chooses, or as files in the place of those of the product."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tools.claims import reading
from tools.claims.claim import Claim, Operand
from tools.claims.sample import SampleReading

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


def in_place(folder: Path, patch: pytest.MonkeyPatch, **experiments: str) -> None:
    """Folders for claims and experiments, in the place of those of the product; with these experiments, as YAML."""
    for name in ("statements", "experiments"):
        (folder / name).mkdir()
        patch.setattr(reading, name.upper(), folder / name)
    for name, text in experiments.items():
        ask(folder, name, text)


def ask(folder: Path, name: str, text: str) -> None:
    """Writes an experiment into such a folder, in the place of an earlier one."""
    (folder / "experiments" / f"{name}.yaml").write_text(text)
    reading._experiment.cache_clear()


def state(folder: Path, **changes: Any) -> None:
    """Writes a claim into such a folder."""
    content = {**LEAST, **changes}
    (folder / "statements" / f"{content['claim']}.yaml").write_text(yaml.safe_dump(content))


class Values:
    """Arm -> its value in each round; None: it has none. At axes it has the value of its arm at that place."""

    def __init__(self, **arms: Sequence[float | None]) -> None:
        self.arms = arms
        self.bounds: dict[str, int] = {}

    @property
    def rounds(self) -> int:
        return max(map(len, self.arms.values()))

    def reading(self, operand: Operand, number: int) -> SampleReading | None:
        name = operand.measure if operand.measure in self.arms else operand.arm
        values = self.arms[name]
        value = values[number - 1] if number <= len(values) else None
        return None if value is None else SampleReading(value, self.bounds.get(operand.arm, 0))

    def void(self, _arms: Sequence[str]) -> str:
        return ""

    def along(self, operand: Operand, number: int) -> Sequence[tuple[float, SampleReading]] | None:
        slope = self.reading(operand, number)
        return None if slope is None else [(place, SampleReading(7 + place * slope.value)) for place in (0, 10, 20)]
