"""Durations counted in buckets of shared memory, with the latest traced call of each bucket.

A call pays for one search among the bounds, one lock and two additions: 0.5 us; only a traced one pays for more. Each
process has a row of its own, as on the board, and its counts outlive it. Must not know who reads them.
"""

import mmap
import threading
import time
from bisect import bisect_left
from collections.abc import Sequence

from services.telemetry import TraceContext
from services.telemetry.readings import Distribution, Exemplar

_WORDS = 6
"""Of a traced call: sequence number, trace id in two halves, span id, duration, time."""
_LOW = (1 << 64) - 1


class Histogram:
    """Any thread of the model's processes may note; any process that maps the memory may read."""

    __slots__ = ("_bounds_ns", "_counts", "_exemplars", "_lock", "_row", "_rows", "_sum")

    def __init__(self, bounds_ns: Sequence[int], rows: int) -> None:
        """Made before any fork. A bucket takes what is above the bound before it and at most its own."""
        self._bounds_ns = tuple(bounds_ns)
        self._rows = rows
        buckets = len(self._bounds_ns) + 1
        self._counts = _cells(rows * (buckets + 1))
        self._exemplars = _cells(rows * buckets * _WORDS)
        self._lock = threading.Lock()
        self.write_in(0)

    def write_in(self, row: int) -> None:
        """From now on this process writes in that row, which no other writes in."""
        buckets = len(self._bounds_ns) + 1
        self._row = row * (buckets + 1)
        self._sum = self._row + buckets

    def note(self, duration_ns: int, trace: TraceContext | None = None) -> None:
        """One more of that duration; `trace` is the span of a call that is traced."""
        bucket = bisect_left(self._bounds_ns, duration_ns)
        counts = self._counts
        with self._lock:
            counts[self._row + bucket] += 1
            counts[self._sum] += duration_ns
            if trace is not None:
                self._keep(bucket, trace, duration_ns)

    def read(self, name: str, description: str) -> Distribution:
        """All processes' counts added up."""
        buckets = len(self._bounds_ns) + 1
        sums = [sum(self._counts[column :: buckets + 1]) for column in range(buckets + 1)]
        exemplars = tuple(self._latest(bucket) for bucket in range(buckets))
        return Distribution(name, description, self._bounds_ns, tuple(sums[:-1]), sums[-1], exemplars)

    def _keep(self, bucket: int, trace: TraceContext, duration_ns: int) -> None:
        buckets = len(self._bounds_ns) + 1
        at, words = (self._row // (buckets + 1) * buckets + bucket) * _WORDS, self._exemplars
        # A sequence lock (Linux Documentation/locking/seqlock.rst): odd while the words are being written.
        words[at] += 1
        words[at + 1], words[at + 2] = trace.trace_id >> 64, trace.trace_id & _LOW
        words[at + 3], words[at + 4], words[at + 5] = trace.span_id, duration_ns, time.time_ns()
        words[at] += 1

    def _latest(self, bucket: int) -> Exemplar | None:
        buckets = len(self._bounds_ns) + 1
        found = [self._exemplar((row * buckets + bucket) * _WORDS) for row in range(self._rows)]
        return max(filter(None, found), key=lambda exemplar: exemplar.epoch_ns, default=None)

    def _exemplar(self, at: int) -> Exemplar | None:
        """None where there is none, or where one is being written."""
        sequence, high, low, span_id, duration_ns, epoch_ns = self._exemplars[at : at + _WORDS]
        if sequence == 0 or sequence % 2 or self._exemplars[at] != sequence:
            return None
        return Exemplar(duration_ns, high << 64 | low, span_id, epoch_ns)


def _cells(count: int) -> memoryview:
    """Unsigned 64-bit numbers that a fork shares, all 0; memory is taken only for pages that are written to."""
    return memoryview(mmap.mmap(-1, count * 8)).cast("Q")
