"""When each call of an open loop is intended to be sent: a pure function of what was asked.

Knows arithmetic and a seeded random generator. Must not know a clock, a connection or an answer. A schedule that
depends on the service slows down with it, and so hides the stalls that it must show. This is coordinated omission (Gil
Tene, "How NOT to Measure Latency"). A closed loop has no schedule.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, cycle, dropwhile, takewhile
from math import ceil, floor, inf, log, sqrt
from typing import Literal

NS_PER_S = 1_000_000_000

Arrival = Literal["constant", "poisson"]


@dataclass(frozen=True, slots=True)
class Window:
    """The phases of a run on one clock: warm-up before `start_ns`, measuring until `end_ns`, then none."""

    start_ns: int
    end_ns: int

    @classmethod
    def after(cls, begin_ns: int, warmup_s: float, duration_s: float) -> "Window":
        """The window of a run whose first call is intended at `begin_ns`."""
        start_ns = begin_ns + round(warmup_s * NS_PER_S)
        return cls(start_ns, start_ns + round(duration_s * NS_PER_S))

    def measures(self, intended_ns: int) -> bool:
        """Whether a call of an open loop counts: its intended send decides, never when it was answered."""
        return self.start_ns <= intended_ns < self.end_ns


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a schedule, whose rate is constant or changes evenly from its beginning to its end."""

    first_rps: float
    last_rps: float
    duration_s: float = inf

    @property
    def calls(self) -> float:
        """How many arrivals there are in it, on average or exactly."""
        return (self.first_rps + self.last_rps) / 2 * self.duration_s

    def calls_until(self, time_s: float) -> float:
        """How many arrivals there are in its first part."""
        slope = (self.last_rps - self.first_rps) / self.duration_s
        return (self.first_rps + slope * time_s / 2) * time_s

    @property
    def after_ns(self) -> Callable[[float], float]:
        """From a number of arrivals to the time that they take: the inverse of the integral of the rate."""
        first, slope = self.first_rps, (self.last_rps - self.first_rps) / self.duration_s
        if not slope:
            return lambda calls: calls * NS_PER_S / first
        # Of the two forms of the root, the one that subtracts nothing.
        return lambda calls: calls and 2 * calls * NS_PER_S / (first + sqrt(max(first**2 + 2 * slope * calls, 0.0)))


@dataclass(frozen=True, slots=True)
class Rates:
    """Segments one after the other, again and again."""

    segments: tuple[Segment, ...]
    text: str = ""
    """As it was written."""

    def offsets_ns(self, arrival: Arrival, seed: int, from_ns: int, end_ns: int) -> Iterator[float]:
        """Yields when calls are due, from the beginning of the schedule: from `from_ns` to `end_ns`, and one before.

        Arrivals of a constant rate of 1 are stretched by the inverse of the rate's integral. Arrivals of a Poisson
        process of rate 1 are stretched in the same way, which gives a Poisson process of that rate (Cinlar,
        Introduction to Stochastic Processes, 1975, section 4.7). Such a process has no memory, so one that begins later
        is as good.
        """
        skipped = self._calls_until(from_ns) if from_ns else 0.0
        # One more than needed, as a sum may be a bit too large.
        numbers = count(max(0, ceil(skipped) - 1)) if arrival == "constant" else map(skipped.__add__, _poisson(seed))
        number, first, begin_ns = next(numbers), 0.0, 0.0
        for segment in cycle(self.segments):
            if begin_ns >= end_ns:
                return
            last, after_ns = first + segment.calls, segment.after_ns
            while number < last:
                yield begin_ns + after_ns(number - first)
                number = next(numbers)
            first = last
            begin_ns += segment.duration_s * NS_PER_S

    def _calls_until(self, time_ns: float) -> float:
        calls = 0.0
        for segment in cycle(self.segments):
            if time_ns < segment.duration_s * NS_PER_S:
                return calls + segment.calls_until(time_ns / NS_PER_S)
            calls += segment.calls
            time_ns -= segment.duration_s * NS_PER_S
        return calls


@dataclass(frozen=True, slots=True)
class Replay:
    """Times that were recorded, again and again; a mean gap lies between the last one and the first."""

    offsets_s: tuple[float, ...]
    """Two or more, each larger than the one before."""
    text: str = ""
    """As it was written."""

    def offsets_ns(self, _arrival: Arrival, _seed: int, from_ns: int, _end_ns: int) -> Iterator[float]:
        """Yields when calls are due, from the beginning of the schedule: all from `from_ns` to `end_ns`, and more."""
        first, last, number = self.offsets_s[0], self.offsets_s[-1], len(self.offsets_s)
        period_ns = (last - first) * number / (number - 1) * NS_PER_S
        for repetition in count(max(0, floor((from_ns - last * NS_PER_S) / period_ns))):
            for offset_s in self.offsets_s:
                yield repetition * period_ns + offset_s * NS_PER_S


Schedule = Rates | Replay


def steady(rate_rps: float) -> Schedule:
    """The same rate all the time."""
    return Rates((Segment(rate_rps, rate_rps),))


def intended_sends(
    schedule: Schedule, arrival: Arrival, seed: int, begin_ns: int, end_ns: int, *, into_ns: int = 0
) -> Iterator[int]:
    """The intended send of every call from `begin_ns` up to, not including, `end_ns`. Nanoseconds.

    At `begin_ns` the schedule has gone on for `into_ns`. `constant` is evenly spaced, without drift; `poisson` has
    exponential gaps of the same mean, the same ones for the same seed.
    """
    origin_ns = begin_ns - into_ns
    offsets_ns = schedule.offsets_ns(arrival, seed, into_ns, end_ns - origin_ns)
    return takewhile(end_ns.__gt__, dropwhile(begin_ns.__gt__, map(origin_ns.__add__, map(int, offsets_ns))))


def _poisson(seed: int) -> Iterator[float]:
    """A Poisson process of rate 1. The gaps are those of random.expovariate, at half of its time."""
    uniform = random.Random(seed).random
    time = 0.0
    while True:
        time -= log(1.0 - uniform())
        yield time
