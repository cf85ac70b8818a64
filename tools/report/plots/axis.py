"""An axis: the range of its values, round numbers that mark it, and the place of a value. Must not know plots."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tools.units import count, three_digits

ROUND = (1.0, 2.0, 5.0)
"""Steps between ticks, times a power of ten."""
INTERVALS = 5
"""A linear axis has about this many intervals between ticks."""
DECADES = 3
"""A logarithmic axis with more powers of ten has ticks only there."""


NumberText = Callable[[float], str]
"""The form of a tick, with the unit where the title of the axis does not have it."""


def plain(value: float) -> str:
    """A number without a unit."""
    return count(value) if abs(value) >= 1 else three_digits(value)


@dataclass(frozen=True, slots=True)
class PlotAxis:
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


def linear(values: Iterable[float], text: NumberText = plain) -> PlotAxis:
    """Has 0 and all values between its first tick and its last."""
    known = [0.0, *values]
    low, high = min(known), max(known) if any(known) else 1.0
    step = _round_up((high - low) / INTERVALS)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    marks = [number * step for number in range(first, last + 1)]
    return PlotAxis(marks[0], marks[-1], tuple((mark, text(mark) if mark else "0") for mark in marks))


def logarithmic(values: Iterable[float], text: NumberText = plain) -> PlotAxis:
    """From 1, 2 or 5 times a power of ten below all values to another one above. Values are above 0."""
    known = list(values) or [1.0]
    decades = range(math.floor(math.log10(min(known))), math.ceil(math.log10(max(known))) + 1)
    marks = [float(f"{step:g}e{decade}") for decade in decades for step in ROUND]
    low = max((mark for mark in marks if mark <= min(known)), default=marks[0])
    high = min((mark for mark in marks if mark >= max(known)), default=marks[-1])
    steps = ROUND if len(decades) <= DECADES else ROUND[:1]
    ticks = [mark for mark in marks if low <= mark <= high and float(f"{mark:e}"[0]) in steps]
    return PlotAxis(low, high, tuple((mark, text(mark)) for mark in ticks), log=True)


def marked(ticks: Sequence[tuple[float, str]], *, log: bool = False) -> PlotAxis:
    """From the first of these ticks to the last."""
    return PlotAxis(ticks[0][0], ticks[-1][0], tuple(ticks), log)


def _round_up(size: float) -> float:
    decade = 10.0 ** math.floor(math.log10(size))
    return next(step * decade for step in (*ROUND, 10.0) if step * decade >= size * (1 - 1e-9))
