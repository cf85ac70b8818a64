"""When a drain begins, and when it is over, by a clock of the test's own."""

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.runtime.drain import GOAWAY_GRACE_S, Drain

TIMEOUT_S = 15.0


@pytest.mark.parametrize(
    ("drained_s", "calls_in_flight", "over", "why"),
    [
        (0.0, 0, False, "the peers have not had time to acknowledge"),
        (GOAWAY_GRACE_S, 0, True, "they have, and nothing is in flight"),
        (GOAWAY_GRACE_S, 1, False, "a call is in flight"),
        (TIMEOUT_S, 1, True, "time is up"),
    ],
)
def test_a_drain_is_over(drained_s: float, calls_in_flight: int, over: bool, why: str) -> None:
    now_s = 100.0
    drain = Drain(lambda: now_s)
    drain.is_over(TIMEOUT_S, 1)
    now_s += drained_s
    assert drain.is_over(TIMEOUT_S, calls_in_flight) is over, why


def test_a_timeout_of_none_at_all_is_over_at_once() -> None:
    assert Drain().is_over(0.0, 5)


def test_threads_may_ask_at_the_same_time() -> None:
    drain, interval_s = Drain(), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            asked = [threads.submit(lambda: [drain.requested for _ in range(2000)]) for _ in range(4)]
            assert not any(any(each.result()) for each in asked)
    finally:
        sys.setswitchinterval(interval_s)


WAITS_WHILE_ANOTHER_THREAD_IS_SIGNALLED = """
import select, signal, threading
from services.runtime.drain import Drain
drain = Drain()
drain.on_signals()
threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("waits", flush=True)
select.select([drain], [], [])
print("requested", drain.requested, flush=True)
"""


def test_a_signal_that_does_not_interrupt_the_wait_for_it_ends_it_all_the_same() -> None:
    command = [sys.executable, "-c", WAITS_WHILE_ANOTHER_THREAD_IS_SIGNALLED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        until_s = time.monotonic() + 20
        while Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").split()[2] != "S":  # proc(5): it sleeps
            assert time.monotonic() < until_s
        process.send_signal(signal.SIGTERM)
        try:
            assert process.communicate(timeout=20)[0] == "requested True\n"
        finally:
            process.kill()
