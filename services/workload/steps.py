"""The work that needs no waiting. Each function's result depends on its arguments alone, and goes into the checksum."""

import hashlib
import select
import threading
from collections import OrderedDict

from sweetspot.v1 import workload_pb2

from services.workload import own

CACHE_LINE_BYTES = 64
WORKING_SETS_BYTES = 256 * 1024 * 1024
_REPEATED_LINES = 256 // CACHE_LINE_BYTES
"""A working set has the bytes 0 to 255 again and again."""
_MASK_32 = 0xFFFF_FFFF


def compute(step: workload_pb2.Compute) -> int:
    """Turns a linear congruential generator, or PBKDF2 where the lock is to be released, `step.rounds` times.

    ENGINE_OWN calls the function of the user as often.
    """
    if step.engine == workload_pb2.Compute.ENGINE_PYTHON:
        state = 1
        for _ in range(step.rounds):
            state = (state * 1_664_525 + 1_013_904_223) & _MASK_32  # Numerical Recipes, section 7.1
        return state
    if step.engine == workload_pb2.Compute.ENGINE_OWN:
        return own.call(step.rounds)
    if not step.rounds:
        return 0
    return int.from_bytes(hashlib.pbkdf2_hmac("sha256", b"sweetspot", b"salt", step.rounds)[:4], "big")


def block(step: workload_pb2.Block) -> int:
    """Blocks the calling thread: what a handler must not do on an event loop, as a call into C may do.

    So not by time.sleep: where threads are green, that one only switches to another.
    """
    select.select((), (), (), step.duration_us / 1_000_000)
    return step.duration_us


def touch(step: workload_pb2.Touch, key: int) -> int:
    """Reads one byte of each cache line in the working set of `key`.

    The slice reads them. The bytes repeat, so their sum follows from the first ones. CPython takes 12 ns to add one
    byte. That would hide the 2 to 5 ns of a line that is no longer in the cache of the core.
    """
    if not step.working_set_kib:
        return 0
    read = _working_set(key, step.working_set_kib)[::CACHE_LINE_BYTES]
    return sum(read[:_REPEATED_LINES]) * (len(read) // _REPEATED_LINES) & _MASK_32


_working_sets: OrderedDict[tuple[int, int], bytes] = OrderedDict()
_working_sets_lock = threading.Lock()


def _working_set(key: int, size_kib: int) -> bytes:
    """A private copy for each key; the least recently used ones go when all together exceed WORKING_SETS_BYTES."""
    with _working_sets_lock:
        found = _working_sets.get((key, size_kib))
        if found is None:
            found = _working_sets[key, size_kib] = bytes(range(256)) * (4 * size_kib)
            total = sum(map(len, _working_sets.values()))
            while total > WORKING_SETS_BYTES and len(_working_sets) > 1:
                total -= len(_working_sets.popitem(last=False)[1])
        _working_sets.move_to_end((key, size_kib))
        return found
