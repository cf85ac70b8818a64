"""What a service is short of is logged once a second, however many threads meet it at the same time."""

import errno
import logging
import sys
import threading

import pytest

from services.runtime.counters.shared_counters import SharedCounters
from services.runtime.shortage import LOG_NS, Shortage

THREADS, TIMES = 4, 500


def test_threads_that_are_short_at_the_same_time_log_one_line(caplog: pytest.LogCaptureFixture) -> None:
    now_ns = 1
    shortage = Shortage("four threads", SharedCounters(), lambda: now_ns)
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with caplog.at_level(logging.WARNING):
            for _ in range(TIMES):
                all_at_once = threading.Barrier(THREADS)

                def note(all_at_once: threading.Barrier = all_at_once) -> None:
                    all_at_once.wait()
                    shortage.of_descriptors(OSError(errno.ENFILE, "too many"))

                threads = [threading.Thread(target=note) for _ in range(THREADS)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                now_ns += LOG_NS
    finally:
        sys.setswitchinterval(interval_s)
    # Not those of a service that another test has left behind in this process.
    assert sum(record.getMessage().startswith("four threads: ") for record in caplog.records) == TIMES
