"""An axis: the range of its values, round numbers that mark it, and the place of a value. Must not know plots."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tools.units import count, three_digits

ROUND = (1.0, 2.0, 5.0)
"""Steps between ticks, times a power of ten."""
INTERVALS = 5
"""A linear axis has about so many intervals between ticks."""
DECADES = 3
"""A logarithmic axis this long has ticks only at powers of ten."""


@dataclass(frozen=True, slots=True)
class Axis:
    """`low` and `high` are the ends of the axis; both may be equal."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    """Value and text of each, ascending."""
    log: bool = False

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high end. Raises ValueError for 0 or less on a logarithmic axis."""
        low, high, at = (math.log10(each) if self.log else each for each in (self.low, self.high, value))
        return (at - low) / (high - low) if high > low else 0.5


def linear(values: Iterable[float]) -> Axis:
    """From 0 to the first tick that no value exceeds. Values are 0 or more."""
    highest = max(values, default=0.0) or 1.0
    step = _round_up(highest / INTERVALS)
    steps = math.ceil(highest / step * (1 - 1e-9))
    return Axis(0.0, steps * step, tuple((number * step, _text(number * step)) for number in range(steps + 1)))


def logarithmic(values: Iterable[float]) -> Axis:
    """From the last tick below all values to the first above. Values are above 0."""
    known = list(values) or [1.0]
    decades = range(math.floor(math.log10(min(known))), math.ceil(math.log10(max(known))) + 1)
    steps = ROUND if len(decades) <= DECADES + 1 else ROUND[:1]
    marks = [float(f"{step:g}e{decade}") for decade in decades for step in steps]
    low = max((mark for mark in marks if mark <= min(known)), default=marks[0])
    high = min((mark for mark in marks if mark >= max(known)), default=marks[-1])
    return Axis(low, high, tuple((mark, _text(mark)) for mark in marks if low <= mark <= high), log=True)


def marked(ticks: Sequence[tuple[float, str]], *, log: bool = False) -> Axis:
    """From the first of these ticks to the last."""
    return Axis(ticks[0][0], ticks[-1][0], tuple(ticks), log)


def _round_up(size: float) -> float:
    decade = 10.0 ** math.floor(math.log10(size))
    return next(step * decade for step in (*ROUND, 10.0) if step * decade >= size * (1 - 1e-9))


def _text(value: float) -> str:
    return count(value) if value >= 1 else three_digits(value)
