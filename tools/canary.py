"""The speed of processors, shown by a fixed loop: what a shared machine changes and no counter of the kernel shows.

The loop counts its own CPU time. So other processes do not lengthen it, and a check of its own counts those
(tools/other_processes.py). Must not know what is measured beside it.
"""

import time
from collections.abc import Collection

from tools.local import running_on

LOOPS = 3
"""The fastest of these counts: the first one after a switch of processors also fills the caches."""
STEPS = 30_000
"""Of a loop, which takes about 1 ms."""


def loop_ns(cpus: Collection[int]) -> int:
    """CPU time that the fixed loop takes on one of those processors."""
    with running_on(cpus):
        return min(_loop_ns() for _ in range(LOOPS))


def _loop_ns() -> int:
    begun_ns, value = time.thread_time_ns(), 0
    for step in range(STEPS):
        value = (value * 31 + step) & 0xFFFF
    return time.thread_time_ns() - begun_ns
