"""What a process runs out of when clients come: descriptors, threads, processes. One policy for all who accept.

Where the kernel has no descriptor, connections wait in the backlog, and the acceptor tries again after PAUSE_S. Where
it has no thread or process for a connection, that one is closed. Either is logged, at most once a second by all
processes of a service, and the service is not ready until there was none for LASTS_NS.
"""

import errno
import logging
import resource
import threading
import time
from collections.abc import Callable

from services.runtime.counters.shared_counters import SharedCounters

PAUSE_S = 0.05
"""After so long it is tried again: the listener stays readable, and without a pause the acceptor would spin."""
LASTS_NS = 500_000_000
"""After so long without it a shortage is over: while connections wait, it is noted each PAUSE_S."""
LOG_NS = 1_000_000_000
"""Time between two lines of log."""

DESCRIPTOR_ERRNOS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
"""accept(2), recvmsg(2): the process or the machine is short of something."""

_logger = logging.getLogger(__name__)


class Shortage:
    """What one service has been short of. All of its processes note it, and any of them may ask."""

    def __init__(self, who: str, counters: SharedCounters, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        """`who` is named in the log."""
        self._who = who
        self._noted_ns = counters.gauge()
        self._logged_ns = counters.gauge()
        self.failed_starts = counters.total()
        """Connections and calls that were rejected because no thread or process could be started for them."""
        self._clock_ns = clock_ns
        self._lock = threading.Lock()

    @property
    def is_now(self) -> bool:
        """Something was short within the last LASTS_NS."""
        noted_ns = self._noted_ns.largest()
        return noted_ns > 0 and self._clock_ns() - noted_ns < LASTS_NS

    def of_descriptors(self, error: OSError) -> None:
        """A connection cannot be taken; it waits where it is. Raises `error` where that is no shortage."""
        if error.errno not in DESCRIPTOR_ERRNOS:
            raise error
        self._note("connections wait", _descriptors(error))

    def of_threads(self) -> None:
        """A connection or a call is rejected, because no thread can be started (pthread_create(3): EAGAIN)."""
        self.failed_starts.add(1)
        self._note("connections or calls are rejected", f"no thread can be started: {_processes()}")

    def of_processes(self, error: OSError) -> None:
        """A connection is closed, because no process starts (fork(2): EAGAIN, ENOMEM)."""
        self.failed_starts.add(1)
        self._note("connections are closed", f"no process can be started ({error.strerror}): {_processes()}")

    def _note(self, what: str, why: str) -> None:
        now_ns = self._clock_ns()
        self._noted_ns.set(now_ns)
        with self._lock:  # else two threads both find that the last line is old enough, and both log
            last_ns = self._logged_ns.largest()
            is_due = not last_ns or now_ns - last_ns >= LOG_NS
            if is_due:
                self._logged_ns.set(now_ns)
        if is_due:
            _logger.warning("%s: %s: %s", self._who, what, why)


def _descriptors(error: OSError) -> str:
    if error.errno == errno.EMFILE:
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return f"the process uses all of its {limit} descriptors; raise `ulimit -n` or open fewer connections"
    if error.errno == errno.ENFILE:
        return "the machine uses all of its descriptors; raise sysctl fs.file-max"
    return f"the kernel has no memory for a socket ({error.strerror}); give the machine or the container more"


def _processes() -> str:
    limit, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    most = "" if limit == resource.RLIM_INFINITY else f" (now {limit})"
    return f"raise `ulimit -u`{most}, or the container's limit of pids, or open fewer connections"
