"""Event-loop lag: how late a timer of the loop runs. The loop's own evidence that something blocks it."""

from services.runtime.board import Gauge

PERIOD_NS = 20_000_000


class LoopLag:
    """Largest lateness of any loop since it was last taken. Written by the loops, taken by the control process."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge

    def note(self, lateness_ns: int) -> None:
        """A timer ran this much after its time."""
        if lateness_ns >= self._gauge.own():
            self._gauge.set(lateness_ns)

    def take_max_ns(self) -> int | None:
        """Nanoseconds, and starts again from 0; None where no loop ever noted any."""
        return self._gauge.take_largest()
