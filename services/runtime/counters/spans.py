"""What became of the spans of a service's processes, in the memory that they share. Must not know how spans go out."""

from sweetspot.v1.control_pb2 import Spans

from services.runtime.counters.shared_counters import SharedCounters
from services.telemetry import Counts, Loss


class SpanTotals:
    """Made before any fork; each process counts its own."""

    def __init__(self, counters: SharedCounters) -> None:
        self._totals = {name: counters.total(absent=True) for name in ("made", "exported", "dropped")}
        self._lost = {loss.value: counters.total() for loss in Loss}

    def set(self, counts: Counts) -> None:
        """All that this process has counted so far."""
        for name, total in self._totals.items():
            total.set(getattr(counts, name))
        for why, number in counts.lost.items():
            self._lost[why].set(number)

    def read(self) -> Spans | None:
        """Of all processes; None before a call was traced."""
        made, exported, dropped = (total.value() for total in self._totals.values())
        if made is None:
            return None
        lost = {why: number for why, total in self._lost.items() if (number := total.value())}
        return Spans(made=made, exported=exported, dropped=dropped, lost=lost)
