"""Numbers that the model writes and the control process reads: a page of memory that both of them map.

A control thread would not do: each of its system calls gives the interpreter lock away, and beside 1,000 threads that
compute it took 15 s to answer. A process of its own waits for nobody, and needs no word from the model to read these.
"""

import mmap
import threading

_ABSENT = -1


class Board:
    """Signed 64-bit cells that a fork shares (mmap(2), MAP_SHARED), each handed out once."""

    def __init__(self) -> None:
        self._cells = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("q")
        self._used = 0

    def gauge(self, *, absent: bool = False) -> "Gauge":
        """The next cell, at 0; with `absent`, nothing is known of it until it is first changed."""
        at = self._used
        self._used += 1
        self._cells[at] = _ABSENT if absent else 0
        return Gauge(self._cells[at : at + 1])


class Gauge:
    """A count that any thread of the model may change and any process that maps the board may read."""

    __slots__ = ("_cell", "_lock")

    def __init__(self, cell: memoryview) -> None:
        self._cell = cell
        self._lock = threading.Lock()

    def add(self, amount: int) -> None:
        """Counts up, or down."""
        with self._lock:
            self._cell[0] += amount

    def set(self, value: int) -> None:
        """Makes it present, at `value`."""
        self._cell[0] = value

    def value(self) -> int | None:
        """The count now; None while it is absent."""
        value: int = self._cell[0]
        return None if value == _ABSENT else value
