"""The figure of a statistic in one round, from the values of its operands. Must not know where values come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tools.claims.claim import Operand, Statistic


@dataclass(frozen=True, slots=True)
class SampleReading:
    """A value, or a bound of it."""

    value: float
    bound: int = 0
    """1: the true value is this or more; -1: this or less; 0: it is this."""


class SampleSource(Protocol):
    """What was measured or counted."""

    @property
    def rounds(self) -> int:
        """How many were made, void ones included."""

    def reading(self, operand: Operand, number: int) -> SampleReading | None:
        """Its value in that round; None where it is not known."""

    def along(self, operand: Operand, number: int) -> Sequence[tuple[float, SampleReading]] | None:
        """Its value at each place of the axis `over`; None where one is not known."""

    def void(self, arms: Sequence[str]) -> str:
        """Why trials of those arms are void, each reason once; empty where none is."""


def sample(statistic: Statistic, source: SampleSource, number: int) -> SampleReading | None:
    """The figure of that round; None where an operand has no value, or two bounds point to no side."""
    found = _values(statistic.operands, source, number)
    return None if found is None else _combined(statistic.form, found)


def counts(statistic: Statistic, source: SampleSource, number: int) -> tuple[int, int] | None:
    """Events and cases of that round."""
    (operand,) = statistic.operands
    events = source.reading(operand, number)
    cases = source.reading(operand.cases, number)
    return None if events is None or cases is None else (round(events.value), round(cases.value))


def _value(operand: Operand, source: SampleSource, number: int) -> SampleReading | None:
    if operand.forms:
        found = _values(operand.parts, source, number)
        return None if found is None else _combined(operand.forms[0], found)
    if not operand.over:
        return source.reading(operand, number)
    along = source.along(operand, number)
    if along is None or any(reading.bound for _, reading in along):
        return None
    slope, _ = np.polyfit([place for place, _ in along], [reading.value for _, reading in along], 1)
    return SampleReading(float(slope))


def _values(operands: Sequence[Operand], source: SampleSource, number: int) -> list[SampleReading] | None:
    """None where one is not known."""
    found = [_value(each, source, number) for each in operands]
    known = [each for each in found if each is not None]
    return known if len(known) == len(found) else None


def _combined(form: str, of: Sequence[SampleReading]) -> SampleReading | None:
    """None where two bounds point to no side, or a divisor is 0."""
    if form in ("value", "events"):
        return of[0]
    values = [each.value for each in of]
    if form in ("greatest", "least"):
        bound = _side(*(each.bound for each in of))
        return None if bound is None else SampleReading(max(values) if form == "greatest" else min(values), bound)
    bound = _side(of[0].bound, -of[1].bound)
    if bound is None or (form == "ratio" and values[1] == 0):
        return None
    return SampleReading(values[0] / values[1] if form == "ratio" else values[0] - values[1], bound)


def _side(*bounds: int) -> int | None:
    """Of bounds that work together; None where two contradict."""
    sides = {bound for bound in bounds if bound}
    return None if len(sides) > 1 else sides.pop() if sides else 0
