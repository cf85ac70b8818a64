"""What one process counts another one reads, exactly."""

import os
import threading

from services.runtime.board import Board

THREADS, EACH = 8, 2000


def test_a_forked_process_reads_what_its_parent_counts_later() -> None:
    gauge = Board().gauge()
    asked, answered = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.read(asked[0], 1)
        os.write(answered[1], str(gauge.value()).encode())
        os._exit(0)
    gauge.add(41)
    os.write(asked[1], b"?")
    assert os.read(answered[0], 10) == b"41"
    os.waitpid(child, 0)


def test_no_count_of_any_thread_is_lost() -> None:
    gauge = Board().gauge()
    threads = [threading.Thread(target=lambda: [gauge.add(1) for _ in range(EACH)]) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gauge.value() == THREADS * EACH


def test_what_was_never_counted_is_absent_until_it_is() -> None:
    gauge = Board().gauge(absent=True)
    assert gauge.value() is None
    gauge.set(0)
    assert gauge.value() == 0
