"""Event-loop lag: how late a timer of the loop runs. The loop's own evidence that something blocks it."""

import time
from collections.abc import Callable
from typing import Protocol

from services.runtime.board import Gauge
from services.runtime.histogram import Histogram

PERIOD_NS = 20_000_000


class Timers(Protocol):
    """What is asked of a loop."""

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> object:
        """Calls `callback` once, at CLOCK_MONOTONIC `due_ns` or soon after."""


class LoopLag:
    """Largest lateness of any loop since it was last taken. Written by the loops, taken by the control process."""

    def __init__(self, gauge: Gauge, lags: Histogram | None = None) -> None:
        self._gauge = gauge
        self.lags = lags
        """Every one that was noted; None if no metrics are exported."""

    def note(self, lateness_ns: int) -> None:
        """A timer ran this much after its time."""
        self._gauge.set_largest(lateness_ns)
        if self.lags is not None:
            self.lags.note(lateness_ns)

    def watch(self, loop: Timers) -> None:
        """Notes every PERIOD_NS how late the loop runs what is due."""
        due_ns = time.monotonic_ns() + PERIOD_NS

        def look() -> None:
            self.note(time.monotonic_ns() - due_ns)
            self.watch(loop)

        loop.call_at(due_ns, look)

    def take_max_ns(self) -> int | None:
        """Nanoseconds, and starts again from 0; None where no loop ever noted any."""
        return self._gauge.take_largest()
