"""Durations counted in buckets of shared memory, with the latest traced call of each bucket.

A call pays for one search among the bounds, one lock and two additions: 0.5 us; only a traced one pays for more. Each
process has a row of its own, as in the shared counters, and its counts outlive it. Must not know who reads them.

A histogram has one or more series, as one for each status. Each series has all rows. Most of them stay unused: 1,025
processes, 2 methods and 17 statuses make 6 MB of counts and 35 MB of traced calls. So each row of each series has a
mark, and a reader touches only the rows that are marked: memory that is not touched is not taken.
"""

import mmap
import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

from services.telemetry import TraceContext
from services.telemetry.readings import Distribution, Exemplar, MetricSeries

_WORDS = 6
"""Of a traced call: sequence number, trace id in two halves, span id, duration, time."""
_LOW = (1 << 64) - 1
_COUNTED, _TRACED = 1, 2
"""Bits of a mark: the row has counts, the row has traced calls."""
UNLABELLED: Sequence[Mapping[str, str]] = ({},)
"""One series, without attributes."""


class Histogram:
    """Any thread of the model's processes may note; any process that maps the memory may read."""

    __slots__ = ("_bounds_ns", "_buckets", "_counts", "_exemplars", "_lock", "_marks", "_row", "_rows", "_series")

    def __init__(self, bounds_ns: Sequence[int], rows: int, series: Sequence[Mapping[str, str]] = UNLABELLED) -> None:
        """Made before any fork. A bucket takes what is above the bound before it and at most its own.

        series: the attributes of each.
        """
        self._bounds_ns = tuple(bounds_ns)
        self._series = tuple(series)
        self._rows = rows
        self._row = 0
        self._buckets = len(self._bounds_ns) + 1
        all_rows = len(self._series) * rows
        self._marks = memoryview(mmap.mmap(-1, all_rows))
        self._counts = _cells(all_rows * (self._buckets + 1))
        self._exemplars = _cells(all_rows * self._buckets * _WORDS)
        self._lock = threading.Lock()

    def write_in(self, row: int) -> None:
        """From now on this process writes in that row of each series, which no other process writes in."""
        self._row = row

    def note(self, duration_ns: int, trace: TraceContext | None = None, series: int = 0) -> None:
        """One more of that duration; `trace` is the span of a call that is traced."""
        bucket = bisect_left(self._bounds_ns, duration_ns)
        row, counts = series * self._rows + self._row, self._counts
        sum_at = row * (self._buckets + 1) + self._buckets
        with self._lock:
            counts[sum_at - self._buckets + bucket] += 1
            sum_ns = counts[sum_at]
            counts[sum_at] = sum_ns + duration_ns
            if not sum_ns:  # most often the first of this row
                self._marks[row] |= _COUNTED
            if trace is not None:
                self._store_exemplar(row, bucket, trace, duration_ns)

    def read(self, name: str, description: str) -> Distribution:
        """All processes' counts added up, of each series that any process has noted in."""
        series = (self._read(at, attributes) for at, attributes in enumerate(self._series))
        return Distribution(name, description, self._bounds_ns, tuple(filter(None, series)))

    def _read(self, series: int, attributes: Mapping[str, str]) -> MetricSeries | None:
        first, width = series * self._rows, self._buckets + 1
        marks = self._marks[first : first + self._rows].tobytes()
        if not any(marks):
            return None
        rows = [first + at for at, mark in enumerate(marks) if mark]
        traced = [first + at for at, mark in enumerate(marks) if mark & _TRACED]
        sums = [sum(self._counts[row * width + column] for row in rows) for column in range(width)]
        exemplars = tuple(self._latest(bucket, traced) for bucket in range(self._buckets))
        return MetricSeries(attributes, tuple(sums[:-1]), sums[-1], exemplars)

    def _store_exemplar(self, row: int, bucket: int, trace: TraceContext, duration_ns: int) -> None:
        at, words = (row * self._buckets + bucket) * _WORDS, self._exemplars
        # A sequence lock (Linux Documentation/locking/seqlock.rst): odd while the words are being written.
        words[at] += 1
        words[at + 1], words[at + 2] = trace.trace_id >> 64, trace.trace_id & _LOW
        words[at + 3], words[at + 4], words[at + 5] = trace.span_id, duration_ns, time.time_ns()
        words[at] += 1
        self._marks[row] |= _TRACED

    def _latest(self, bucket: int, rows: Iterable[int]) -> Exemplar | None:
        found = [self._exemplar((row * self._buckets + bucket) * _WORDS) for row in rows]
        return max(filter(None, found), key=lambda exemplar: exemplar.epoch_ns, default=None)

    def _exemplar(self, at: int) -> Exemplar | None:
        """None where there is none, or where one is being written."""
        sequence, high, low, span_id, duration_ns, epoch_ns = self._exemplars[at : at + _WORDS]
        if sequence == 0 or sequence % 2 or self._exemplars[at] != sequence:
            return None
        return Exemplar(duration_ns, high << 64 | low, span_id, epoch_ns)


def _cells(count: int) -> memoryview:
    """Unsigned 64-bit numbers that a fork shares, all 0; memory is taken only for pages that are touched."""
    return memoryview(mmap.mmap(-1, count * 8)).cast("Q")
