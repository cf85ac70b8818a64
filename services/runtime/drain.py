"""The one way to stop: asked once, a service drains; asked twice, it exits at once."""

import mmap
import os
import signal
from types import FrameType


class Drain:
    """Whether the service has been asked to stop. `fileno()` is readable from then on, for whoever waits in poll."""

    def __init__(self) -> None:
        self._asked = mmap.mmap(-1, 1)  # shared with the control process, whose readiness follows
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)  # eventfd(2)

    @property
    def requested(self) -> bool:
        """Somebody has asked."""
        return self._asked[0] != 0

    def fileno(self) -> int:
        return self._fd

    def request(self) -> None:
        """Asks; safe from any thread and from a signal handler."""
        self._asked[0] = 1
        os.eventfd_write(self._fd, 1)

    def on_signals(self) -> None:
        """SIGTERM and SIGINT ask; a second one exits at once, with 128 + its number as shells report it."""

        def ask(number: int, _frame: FrameType | None) -> None:
            if self.requested:
                os._exit(128 + number)
            self.request()

        signal.signal(signal.SIGTERM, ask)
        signal.signal(signal.SIGINT, ask)
