"""What one process counts another one reads, exactly, however many count."""

import os
import subprocess
import threading
import timeit
from collections.abc import Callable
from pathlib import Path

import pytest

from services.runtime.counters.shared_counters import GAUGES, Gauge, SharedCounters

ROOT = Path(__file__).parents[2]
FREE_THREADED = "SWEETSPOT_TEST_FREE_THREADED"
"""Path of a CPython without the GIL that has the packages of a service."""
THREADS, PROCESSES, EACH, MANY = 8, 4, 20_000, 500_000


def in_child(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return child


def test_a_forked_process_reads_what_its_parent_counts_later() -> None:
    gauge = SharedCounters().gauge()
    asked, answered = os.pipe(), os.pipe()

    def answer() -> None:
        os.read(asked[0], 1)
        os.write(answered[1], str(gauge.value()).encode())

    child = in_child(answer)
    gauge.add(41)
    os.write(asked[1], b"?")
    assert os.read(answered[0], 10) == b"41"
    os.waitpid(child, 0)


def add_many(gauge: Gauge) -> None:
    for _ in range(EACH):
        gauge.add(1)


def test_no_count_of_any_thread_is_lost() -> None:
    gauge = SharedCounters().gauge()
    threads = [threading.Thread(target=add_many, args=(gauge,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gauge.value() == THREADS * EACH


def test_the_largest_that_was_set_stays() -> None:
    gauge = SharedCounters().gauge()
    for value in (2, 3, 1):
        gauge.set_largest(value)
    assert gauge.own() == 3


COUNTS_IN_TWO_THREADS = f"""
import sys, threading, time
from services.runtime.counters.shared_counters import SharedCounters
assert not sys._is_gil_enabled()
counters = SharedCounters()
gauge, largest, smaller, histogram = counters.gauge(), counters.gauge(), counters.gauge(), counters.histogram([10])
both = threading.Barrier(2)
def count():
    both.wait()
    for _ in range({MANY}):
        gauge.add(1)
    both.wait()
    for _ in range({MANY}):
        histogram.note(1)
    both.wait()
    for _ in range({MANY}):
        now_ns = time.monotonic_ns()
        largest.set_largest(now_ns)
        if largest.own() < now_ns:
            smaller.add(1)
threads = [threading.Thread(target=count) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(gauge.value(), *histogram.read("", "").series[0].counts, smaller.value())
"""


def test_no_count_of_two_threads_is_lost_where_the_interpreter_has_no_lock() -> None:
    python = os.environ.get(FREE_THREADED)
    if python is None:
        pytest.skip(f"no interpreter without the GIL: set {FREE_THREADED}")
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"}
    command = [python, "-c", COUNTS_IN_TWO_THREADS]
    counted = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert counted == f"{2 * MANY} {2 * MANY} 0 0\n"


def test_no_count_of_any_process_is_lost() -> None:
    counters = SharedCounters(workers=PROCESSES)
    before, gauge = counters.gauge(), counters.gauge()

    def count(worker: int) -> None:
        counters.write_as(worker)
        for _ in range(EACH):
            gauge.add(1)

    for child in [in_child(lambda worker=worker: count(worker)) for worker in range(PROCESSES)]:  # type: ignore[misc]
        os.waitpid(child, 0)
    gauge.add(1)
    assert (before.value(), gauge.value(), gauge.own()) == (0, PROCESSES * EACH + 1, 1)


def test_what_a_dead_process_held_is_gone_but_not_what_it_has_done() -> None:
    counters = SharedCounters(workers=2)
    gauge, queue, done = counters.gauge(), counters.gauge(absent=True), counters.total()

    def serve(worker: int, held: int) -> None:
        counters.write_as(worker)
        gauge.add(held)
        queue.set(held)
        done.add(held)

    for child in [in_child(lambda: serve(0, 7)), in_child(lambda: serve(1, 30))]:
        os.waitpid(child, 0)
    counters.clear(0)
    assert (gauge.value(), queue.value(), done.value()) == (30, 30, 37)


def test_what_was_never_counted_is_absent_until_it_is() -> None:
    gauge = SharedCounters().gauge(absent=True)
    assert (gauge.value(), gauge.take_largest()) == (None, None)
    gauge.set(0)
    assert gauge.value() == 0


def test_the_largest_is_taken_once() -> None:
    counters = SharedCounters(workers=2)
    gauge = counters.gauge(absent=True)
    for worker, lateness in enumerate((3, 2)):
        counters.write_as(worker)
        gauge.set(lateness)
    assert [gauge.take_largest(), gauge.take_largest()] == [3, 0]


def test_a_value_takes_time_for_the_processes_that_are_there_not_for_those_that_could_be() -> None:
    def time_s(counters: SharedCounters) -> float:
        return min(timeit.repeat(counters.gauge().value, number=200, repeat=5))

    assert time_s(SharedCounters(workers=1024)) < 5 * time_s(SharedCounters())


def test_a_row_that_is_full_takes_no_further_gauge() -> None:
    counters = SharedCounters(workers=1)
    for _ in range(GAUGES):
        counters.gauge()
    with pytest.raises(RuntimeError, match="all 64 cells"):
        counters.gauge()
