"""Event-loop lag: how late a timer of the loop runs. The loop's own evidence that something blocks it."""

PERIOD_NS = 20_000_000


class LoopLag:
    """Largest lateness since it was last taken. Written by the loop, taken by the control thread."""

    def __init__(self) -> None:
        self._max_ns = 0

    def note(self, lateness_ns: int) -> None:
        """A timer ran this much after its time."""
        self._max_ns = max(self._max_ns, lateness_ns)

    def take_max_ns(self) -> int:
        """Nanoseconds; starts again from 0."""
        taken, self._max_ns = self._max_ns, 0
        return taken
