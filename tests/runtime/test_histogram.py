"""Durations in buckets that several threads and processes fill and another process reads."""

import os
import threading
from pathlib import Path

import pytest

from services.runtime.counters.histogram import Histogram
from services.runtime.counters.shared_counters import SharedCounters
from services.telemetry import TraceContext
from services.telemetry.readings import MetricSeries

BOUNDS_NS = (100, 1000)
THREADS, PROCESSES, EACH = 4, 3, 5_000


def read(histogram: Histogram) -> MetricSeries:
    (series,) = histogram.read("it", "what it is").series
    return series


@pytest.mark.parametrize(
    ("duration_ns", "counts"),
    [(0, (1, 0, 0)), (100, (1, 0, 0)), (101, (0, 1, 0)), (1000, (0, 1, 0)), (1001, (0, 0, 1))],
)
def test_a_bucket_takes_what_is_at_most_its_bound(duration_ns: int, counts: tuple[int, ...]) -> None:
    histogram = SharedCounters().histogram(BOUNDS_NS)
    histogram.note(duration_ns)
    found = read(histogram)
    assert (found.counts, found.sum_ns) == (counts, duration_ns)


def test_each_series_has_its_own_durations_and_one_without_any_is_absent() -> None:
    histogram = SharedCounters(workers=1).histogram(BOUNDS_NS, [{"it": name} for name in ("a", "b", "c")])
    histogram.note(0, series=2)
    histogram.note(50, TraceContext(1, 1))
    histogram.write_in(1)
    histogram.note(500, series=2)
    a, c = histogram.read("it", "what it is").series
    assert (a.attributes, a.counts, c.attributes, c.counts) == ({"it": "a"}, (1, 0, 0), {"it": "c"}, (1, 1, 0))
    assert (a.exemplars[0] is not None, c.exemplars) == (True, (None, None, None))


def shared_bytes() -> int:
    """What this process has touched of shared memory (proc(5), RssShmem)."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["RssShmem"].split()[0]) * 1024


def test_a_reader_takes_no_memory_for_what_was_never_noted() -> None:
    histogram = Histogram(range(20), rows=1025, series=[{}] * 64)  # 85 MB
    before = shared_bytes()
    for row in range(4):
        histogram.write_in(row)
        histogram.note(7, TraceContext(1, 1), series=row)
    assert len(histogram.read("it", "what it is").series) == 4
    assert shared_bytes() - before < 512 * 1024


def note_many(histogram: Histogram) -> None:
    for _ in range(EACH):
        histogram.note(7)


def test_no_duration_of_any_thread_is_lost() -> None:
    histogram = SharedCounters().histogram(BOUNDS_NS)
    threads = [threading.Thread(target=note_many, args=(histogram,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (read(histogram).counts, read(histogram).sum_ns) == ((THREADS * EACH, 0, 0), 7 * THREADS * EACH)


def test_no_duration_of_any_process_is_lost_nor_forgotten_when_it_ends() -> None:
    counters = SharedCounters(workers=PROCESSES)
    histogram = counters.histogram(BOUNDS_NS)
    children = []
    for worker in range(PROCESSES):
        child = os.fork()
        if child == 0:
            counters.write_as(worker)
            for _ in range(EACH):
                histogram.note(7)
            os._exit(0)
        children.append(child)
    for worker, child in enumerate(children):
        os.waitpid(child, 0)
        counters.clear(worker)
    histogram.note(5000)
    assert read(histogram).counts == (PROCESSES * EACH, 0, 1)


def test_each_bucket_remembers_its_latest_traced_call_whole() -> None:
    histogram = SharedCounters().histogram(BOUNDS_NS)
    first, second = TraceContext.root(), TraceContext(2**128 - 1, 2**64 - 1)
    histogram.note(50, first)
    histogram.note(60, second)
    histogram.note(70)
    exemplar, *others = read(histogram).exemplars
    assert exemplar is not None
    assert (exemplar.trace_id, exemplar.span_id, exemplar.value_ns) == (second.trace_id, second.span_id, 60)
    assert others == [None, None]


def test_of_several_processes_the_latest_traced_call_counts() -> None:
    counters = SharedCounters(workers=1)
    histogram = counters.histogram(BOUNDS_NS)
    child = os.fork()
    if child == 0:
        counters.write_as(0)
        histogram.note(50, TraceContext(1, 1))
        os._exit(0)
    os.waitpid(child, 0)
    assert exemplar_id(histogram) == 1
    histogram.note(60, TraceContext(2, 2))
    assert exemplar_id(histogram) == 2


def exemplar_id(histogram: Histogram) -> int:
    exemplar = read(histogram).exemplars[0]
    assert exemplar is not None
    return exemplar.trace_id


def test_a_traced_call_that_is_being_written_is_not_read() -> None:
    histogram = SharedCounters().histogram(BOUNDS_NS)
    histogram.note(50, TraceContext(1, 1))
    histogram._exemplars[0] += 1
    assert read(histogram).exemplars[0] is None
