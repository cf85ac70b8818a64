"""When each call of an open loop is intended to be sent: a pure function of what was asked.

Knows arithmetic and a seeded random generator. Must not know a clock, a connection or an answer: a
schedule that listens to the service slows down with it, and hides exactly the stalls that it is to show
(coordinated omission; Gil Tene, "How NOT to Measure Latency"). A closed loop has no schedule.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from services.driver.options import Arrival

NS_PER_S = 1_000_000_000


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


def intended_sends(rate_rps: float, arrival: Arrival, seed: int, begin_ns: int, end_ns: int) -> Iterator[int]:
    """Yields the intended send of every call from `begin_ns` up to, not including, `end_ns`. Nanoseconds.

    `constant` is evenly spaced from `begin_ns` on, without drift; `poisson` has exponential gaps of the
    same mean, the same ones for the same seed.
    """
    if arrival == "constant":
        return _constant(rate_rps, begin_ns, end_ns)
    return _poisson(rate_rps, random.Random(seed), begin_ns, end_ns)


def _constant(rate_rps: float, begin_ns: int, end_ns: int) -> Iterator[int]:
    sent = 0
    while (intended_ns := begin_ns + int(sent * NS_PER_S / rate_rps)) < end_ns:
        yield intended_ns
        sent += 1


def _poisson(rate_rps: float, generator: random.Random, begin_ns: int, end_ns: int) -> Iterator[int]:
    per_ns = rate_rps / NS_PER_S
    offset_ns = generator.expovariate(per_ns)
    while (intended_ns := begin_ns + int(offset_ns)) < end_ns:
        yield intended_ns
        offset_ns += generator.expovariate(per_ns)
