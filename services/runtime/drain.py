"""The one way to stop: asked once, a service drains; asked twice, it exits at once."""

import os
import signal
from types import FrameType


class Drain:
    """Whether the service has been asked to stop. `fileno()` is readable from then on, for whoever waits in poll."""

    def __init__(self) -> None:
        self.requested = False
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)  # eventfd(2)

    def fileno(self) -> int:
        return self._fd

    def request(self) -> None:
        """Asks; safe from any thread and from a signal handler."""
        self.requested = True
        os.eventfd_write(self._fd, 1)

    def on_signals(self) -> None:
        """SIGTERM and SIGINT ask; a second one exits at once, with 128 + its number as shells report it."""

        def ask(number: int, _frame: FrameType | None) -> None:
            if self.requested:
                os._exit(128 + number)
            self.request()

        signal.signal(signal.SIGTERM, ask)
        signal.signal(signal.SIGINT, ask)
