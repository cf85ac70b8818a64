"""The one way to stop: asked once, a service drains; asked twice, it exits at once."""

import mmap
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from select import select
from types import FrameType

DRAIN_POLL_S = 0.02
"""Time between two checks whether a drain has ended."""
GOAWAY_GRACE_S = 1.0
"""So long a peer may take to acknowledge that it is to open no more calls; one that never reads does not hold us up."""
LEAST_TIMER_S = 1e-6
"""setitimer(2) counts microseconds, and 0 would disarm it."""


class TimeIsUp(BaseException):
    """Raised in the main thread of a process that serves in it, when calls in flight have had their time."""


def raise_when_time_is_up() -> None:
    """From now on SIGALRM raises TimeIsUp in the main thread."""

    def cut_off(_number: int, _frame: FrameType | None) -> None:
        raise TimeIsUp

    signal.signal(signal.SIGALRM, cut_off)


def ignore_the_time() -> None:
    """From now on it does not. To be called where a TimeIsUp that comes just before is still caught."""
    signal.signal(signal.SIGALRM, signal.SIG_IGN)


class Drain:
    """Whether the service has been asked to stop. `fileno()` is readable from then on, which ends a poll.

    A signal's handler in Python runs between two instructions of the main thread. A signal may come after the last of
    them and before the thread is in poll(2). The handler would then run only after the poll, which does not end. So
    CPython's own handler in C makes `fileno()` readable: it writes to it (signal.set_wakeup_fd).
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._begun_s: float | None = None
        self._asked = mmap.mmap(-1, 1)  # shared with the control process, whose readiness follows
        self._timeout_s: float | None = None
        self._signalled = False
        self._fd, self._asking_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    @property
    def requested(self) -> bool:
        """Somebody has asked."""
        # Not one `poll` object for all: it rejects threads that ask at the same time.
        if not self._asked[0] and select([self._fd], (), (), 0)[0]:
            self._asked[0] = 1
        return self._asked[0] != 0

    def fileno(self) -> int:
        return self._fd

    def is_over(self, timeout_s: float, calls_in_flight: int) -> bool:
        """Whether connections that are still open need not be waited for; asked again and again once `requested`.

        Their peers have had `timeout_s` to finish, or time to acknowledge the GOAWAY while no call is left.
        """
        now_s = self._clock_s()
        if self._begun_s is None:
            self._begun_s = now_s
        drained_s = now_s - self._begun_s
        return drained_s >= timeout_s or (drained_s >= GOAWAY_GRACE_S and not calls_in_flight)

    def request(self) -> None:
        """Asks; safe from any thread and from a signal handler."""
        self._asked[0] = 1
        with suppress(BlockingIOError):  # it is full of others' asking
            os.write(self._asking_fd, b"\0")

    @contextmanager
    def cutting_off(self, timeout_s: float) -> Iterator[None]:
        """For a main thread that serves: raises TimeIsUp in the block, that long after a signal has asked.

        It is to be suppressed around this context, because it may come in the last instruction of the block.
        """
        raise_when_time_is_up()
        self._timeout_s = timeout_s
        try:
            yield
        finally:
            ignore_the_time()

    def on_signals(self) -> None:
        """SIGTERM and SIGINT ask; a second one exits at once, with 128 + its number as shells report it."""

        def ask(number: int, _frame: FrameType | None) -> None:
            if self._signalled:
                os._exit(128 + number)
            self._signalled = True
            self.request()
            if self._timeout_s is not None:
                signal.setitimer(signal.ITIMER_REAL, self._timeout_s or LEAST_TIMER_S)

        signal.set_wakeup_fd(self._asking_fd, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, ask)
        signal.signal(signal.SIGINT, ask)
