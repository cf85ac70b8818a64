"""The figure of a statistic in one round, from the values of its operands. Must not know where values come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tools.claims.claim import Operand, Statistic


@dataclass(frozen=True, slots=True)
class Reading:
    """A value, or a bound of it."""

    value: float
    bound: int = 0
    """1: the true value is this or more; -1: this or less; 0: it is this."""


class Source(Protocol):
    """What was measured or counted."""

    @property
    def rounds(self) -> int:
        """How many were made, void ones included."""

    def reading(self, operand: Operand, number: int) -> Reading | None:
        """Its value in that round; None where it is not known."""

    def along(self, operand: Operand, number: int) -> Sequence[tuple[float, Reading]] | None:
        """Its value at each place of the axis `over`; None where one is not known."""

    def void(self, arms: Sequence[str]) -> str:
        """Why trials of those arms are void, each reason once; empty where none is."""


def sample(statistic: Statistic, source: Source, number: int) -> Reading | None:
    """The figure of that round; None where an operand has no value, or two bounds point to no side."""
    found = [_value(operand, source, number) for operand in statistic.operands]
    if any(each is None for each in found):
        return None
    known = [each for each in found if each is not None]
    if statistic.form == "ratio":
        return _divided(*known)
    if statistic.form == "difference":
        first, second = known
        bound = _side(first.bound, -second.bound)
        return None if bound is None else Reading(first.value - second.value, bound)
    return known[0]


def counts(statistic: Statistic, source: Source, number: int) -> tuple[int, int] | None:
    """Events and cases of that round."""
    (operand,) = statistic.operands
    events = source.reading(operand, number)
    cases = source.reading(operand.cases, number)
    return None if events is None or cases is None else (round(events.value), round(cases.value))


def _value(operand: Operand, source: Source, number: int) -> Reading | None:
    if operand.ratio is not None:
        first, second = (_value(each, source, number) for each in operand.ratio if isinstance(each, Operand))
        return None if first is None or second is None else _divided(first, second)
    if not operand.over:
        return source.reading(operand, number)
    along = source.along(operand, number)
    if along is None or any(reading.bound for _, reading in along):
        return None
    slope, _ = np.polyfit([place for place, _ in along], [reading.value for _, reading in along], 1)
    return Reading(float(slope))


def _divided(first: Reading, second: Reading) -> Reading | None:
    bound = _side(first.bound, -second.bound)
    if bound is None or second.value == 0:
        return None
    return Reading(first.value / second.value, bound)


def _side(first: int, second: int) -> int | None:
    """Of two bounds that work together; None where they contradict."""
    return None if first * second < 0 else first or second
