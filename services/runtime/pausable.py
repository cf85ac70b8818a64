"""A descriptor that a loop watches, but for a while in which what it brings cannot be taken."""

import time

from services.runtime.loop import Handler, Loop
from services.runtime.shortage import PAUSE_S


class Pausable:
    """Readable until `end`. A descriptor that stays readable while no code reads from it would have the loop spin."""

    def __init__(self, loop: Loop, fd: int, handler: Handler) -> None:
        self._loop = loop
        self._fd = fd
        self._handler = handler
        self._is_over = False
        self._is_paused = False
        loop.register(fd, handler)

    def pause(self) -> None:
        """Looks again after PAUSE_S."""
        self._is_paused = True
        self._loop.unregister(self._fd)
        self._loop.call_at(time.monotonic_ns() + round(PAUSE_S * 1e9), self._go_on)

    def end(self) -> None:
        """Watches it no more."""
        self._is_over = True
        if not self._is_paused:
            self._loop.unregister(self._fd)

    def _go_on(self) -> None:
        self._is_paused = False
        if not self._is_over:
            self._loop.register(self._fd, self._handler)
