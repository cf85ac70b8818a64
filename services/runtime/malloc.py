"""How the C library holds what the process has freed (mallopt(3)). Knows no call.

Above a threshold, glibc asks the kernel for a separate block. It raises the threshold to the size of the largest block
freed, up to 32 MiB. Each of its arenas holds twice that size of free memory. It makes 8 arenas for each CPU where
threads allocate. So a pool of 32 threads that had each served a call of 4 MiB held 930 MiB while nothing ran.
"""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h

LARGE_BYTES = 2 * 1024 * 1024
"""Such a block goes back to the kernel when it is freed. Each of its pages is a page fault when it is allocated. A call
with a payload of 1 MB, whose blocks are all smaller, took 7 ms with a limit of 512 KiB. It takes 2.5 ms with this
one."""
FREE_BYTES = 4 * 1024 * 1024
"""Free memory at the end of an arena beyond this goes back to the kernel. Half of it gave up what the next copy of
1 MB needs: 1 ms of page faults for each."""
ARENAS = 2
"""The thread that allocates mostly has the interpreter lock, so more arenas gain nothing."""


def return_memory() -> None:
    """Has freed memory go back to the kernel; nothing where the C library has no mallopt (musl)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, FREE_BYTES)
        mallopt(_M_ARENA_MAX, ARENAS)
