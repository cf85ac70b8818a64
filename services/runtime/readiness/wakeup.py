"""How other threads hand something to a loop's thread: a queue of callbacks, and a descriptor that wakes the loop."""

import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from services.runtime.connections.turns import TURN_NS
from services.runtime.readiness.loop import EventHandler, EventSource

Post = Callable[[Callable[[], None]], None]
"""Has a loop's thread call its argument soon; safe from any thread."""


class Watching(Protocol):
    """What is asked of a loop."""

    def register(self, source: EventSource, handler: EventHandler) -> None:
        """Calls `handler` whenever `source` becomes readable."""


class Wakeup:
    """Both the descriptor and its handler: `loop.register(wakeup, wakeup)`.

    Guarantees: what is posted is called once, by the loop's thread, in the order in which it was posted.

    One eventfd(2) write wakes the loop for all that is posted before it looks. After TURN_NS the rest waits for the
    next round: ten replies of 1 MB each would take the loop from the sockets for 10 ms.
    """

    def __init__(self) -> None:
        self._posted: deque[Callable[[], None]] = deque()
        self._awake = False
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        return self._fd

    def post(self, callback: Callable[[], None]) -> None:
        """Has the loop call `callback` soon; safe from any thread."""
        self._posted.append(callback)
        # Append first, look second; `ready` clears first and takes second. So whichever comes between, either this
        # write wakes the loop or the loop sees what was appended.
        if not self._awake:
            self._awake = True
            os.eventfd_write(self._fd, 1)

    def ready(self, events: int) -> None:
        with suppress(BlockingIOError):  # two threads may write for one look, and one round see both
            os.eventfd_read(self._fd)
        self._awake = False
        until_ns = time.monotonic_ns() + TURN_NS
        for _ in range(len(self._posted)):  # what is posted during this waits its turn behind the sockets
            self._posted.popleft()()
            if time.monotonic_ns() >= until_ns:
                break
        if self._posted and not self._awake:
            self._awake = True
            os.eventfd_write(self._fd, 1)
