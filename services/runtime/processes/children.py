"""The processes that a model forks: begun, waited for, ended with their parent. Which ones, and why, is the model's.

Guarantees:
- A child runs what it was given and never returns into its parent's code.
- It has telemetry of its own, made after the fork, and counts in a row of its own in the shared counters.
- It handles no signal of a terminal or an orchestrator. It drains because the service does, which all its processes
  see. If it does not drain in time, it is cut off, and may still export its spans.
- However its parent ends, it ends: PR_SET_PDEATHSIG, prctl(2).

The parent runs no other thread: a fork copies the locks that threads hold, and no thread is left to release them.
"""

import ctypes
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import NoReturn, Protocol

from services.runtime.connections.accept import accept_ready, stop_listening
from services.runtime.drain import TimeIsUp, ignore_the_time, raise_when_time_is_up
from services.runtime.refusal import refusing
from services.runtime.service import Service

FAREWELL_S = 6.0
"""Time that a child gets to export its spans once it has been cut off: `Tracing.close` takes 5 s at most."""

_logger = logging.getLogger(__name__)
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15  # linux/prctl.h
_prctl = ctypes.CDLL(None, use_errno=True).prctl


class Readable(Protocol):
    """What has a descriptor that can be waited for."""

    def fileno(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Child:
    """A process that lives. `fd` becomes readable when it has ended (pidfd_open(2))."""

    number: int
    """From 0; its threads and its row of the shared counters are named by it."""
    pid: int
    fd: int


@dataclass(frozen=True, slots=True)
class EndedProcess:
    """A process that has ended: `status` is its exit code, or minus the number of the signal that killed it."""

    number: int
    pid: int
    status: int

    def __str__(self) -> str:
        how = f"ended with {self.status}" if self.status >= 0 else f"was killed by {signal.Signals(-self.status).name}"
        return f"worker process {self.number} (pid {self.pid}) {how}"


class Children:
    """The living children of this process."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._of_fd: dict[int, Child] = {}
        self._poll = select.poll()
        self.watch(service.drain)

    def __len__(self) -> int:
        return len(self._of_fd)

    def watch(self, other: Readable | int) -> None:
        """Has `wait` return also when `other` is readable. So it does from the start for the drain."""
        self._poll.register(other, select.POLLIN)

    def unwatch(self, other: Readable | int) -> None:
        """Takes `watch` back."""
        self._poll.unregister(other)

    def fork(self, work: Callable[[], None], number: int | None = None) -> Child:
        """A child that runs `work` and ends. Without a number it gets the lowest that is free.

        Raises OSError: EAGAIN, ENOMEM (fork(2)), EMFILE (pidfd_open(2)).
        """
        if number is None:
            number = min({*range(len(self) + 1)} - {child.number for child in self._of_fd.values()})
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._run(number, work, parent)
        try:
            child = Child(number, pid, os.pidfd_open(pid))
        except OSError:  # no descriptor is free: a child without a wait would never end
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        self._of_fd[child.fd] = child
        self._poll.register(child.fd, select.POLLIN)
        return child

    def wait(self, timeout_s: float | None = None) -> tuple[set[int], list[EndedProcess]]:
        """Until something happens: which watched descriptors are readable, and which children have ended."""
        ready = {fd for fd, _ in self._poll.poll(None if timeout_s is None else timeout_s * 1000)}
        ended = [self._of_fd[fd] for fd in ready & self._of_fd.keys()]
        return ready - self._of_fd.keys(), [self._reap(child) for child in ended]

    def accept(self, listener: socket.socket, most: int) -> Iterator[socket.socket]:
        """Blocking connections until the service is asked to stop, for a process that forks a child for each.

        With `most` children it accepts none, and further connections wait in the backlog.
        """
        listener.setblocking(False)
        while not self._service.drain.requested:
            if is_free := len(self) < most:
                self.watch(listener)
            readable, _ = self.wait()
            if is_free:
                self.unwatch(listener)
            if listener.fileno() in readable:
                for connection in islice(accept_ready(listener, self._service.shortage), 1):
                    connection.setblocking(True)
                    yield connection
        stop_listening(listener)

    def drain(self) -> None:
        """Returns once all have ended; those that have not after the service's `drain_timeout_s` are cut off."""
        self._poll = select.poll()
        for fd in self._of_fd:
            self._poll.register(fd, select.POLLIN)
        self._wait_for_all(self._service.config.drain_timeout_s)
        for number in (signal.SIGALRM, signal.SIGKILL):
            for child in self._of_fd.values():
                signal.pidfd_send_signal(child.fd, number)
            self._wait_for_all(FAREWELL_S)

    def _wait_for_all(self, timeout_s: float) -> None:
        until_s = time.monotonic() + timeout_s
        while self._of_fd and (left_s := until_s - time.monotonic()) > 0:
            for end in self.wait(left_s)[1]:
                if end.status:
                    _logger.warning("%s while the service drained", end)

    def _reap(self, child: Child) -> EndedProcess:
        _, status = os.waitpid(child.pid, 0)
        self._poll.unregister(child.fd)
        os.close(child.fd)
        del self._of_fd[child.fd]
        self._service.counters.clear(child.number)
        return EndedProcess(child.number, child.pid, os.waitstatus_to_exitcode(status))

    def _run(self, number: int, work: Callable[[], None], parent: int) -> NoReturn:
        status = 1
        try:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it was faster than prctl(2)
                os._exit(status)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            raise_when_time_is_up()
            threading.current_thread().name = name = f"worker-{number}"
            _prctl(_PR_SET_NAME, name.encode())  # so that ps(1) and top(1) show which one it is
            self._service.counters.write_as(number)
            with refusing(self._service.model):
                self._service.start_tracing()
                with suppress(TimeIsUp):
                    try:
                        work()
                    finally:
                        ignore_the_time()
            self._service.stop_tracing()
            status = 0
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)  # what was registered to happen at exit is the parent's
