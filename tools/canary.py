"""A fixed loop that shows the speed of processors. No counter of the kernel shows how a shared machine changes it.

The loop counts its own CPU time, so other processes do not lengthen it. Another check counts these
(tools/other_processes.py). Must not know what is measured beside it.
"""

import time
from collections.abc import Collection

from tools.local import running_on

LOOPS = 3
"""Only the fastest of these loops counts: the first loop after a switch of processors also fills the caches."""
STEPS = 30_000
"""Steps of one loop, which takes about 1 ms."""


def loop_ns(cpus: Collection[int]) -> int:
    """CPU time that the fixed loop takes on one of those processors."""
    with running_on(cpus):
        return min(_loop_ns() for _ in range(LOOPS))


def _loop_ns() -> int:
    begun_ns, value = time.thread_time_ns(), 0
    for step in range(STEPS):
        value = (value * 31 + step) & 0xFFFF
    return time.thread_time_ns() - begun_ns
