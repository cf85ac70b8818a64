"""Services, backend and driver as processes of this machine: started, read from, and always stopped.

They end if the process that started them is killed. Must not know what is measured, nor import what it starts:
processes take flags, and print lines.
"""

import errno
import json
import os
import queue
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from tools.status import PlainError

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that ask the process of an experiment to stop."""
START_TIMEOUT_S = 20.0
"""A process that has not printed where it listens in this time never will."""
STOP_TIMEOUT_S = 5.0
"""When a process is stopped, no call is in flight, so a drain takes no time."""
INTERRUPTED = threading.Event()
"""A signal has asked this process to end. A KeyboardInterrupt alone can be lost: an exception in a destructor or in a
callback of C code is printed and dropped (sys.unraisablehook)."""
LOST_INTERRUPT_S = 1.0
"""A lost interrupt is raised again after this time."""
_ORPHAN_GUARD = str(Path(__file__).with_name("orphan_guard.py"))
"""Starts a command that ends with this process."""
OUTPUT_LINES = 20
"""What is stored of the output of a process that failed: a traceback fits."""
DYING_S = 0.5
"""From the last output of a process to its end."""


class LocalError(PlainError):
    """A process that did not do what it should; the message is one line for a person."""


class LateError(LocalError):
    """A process that did not do it in time."""


@dataclass(frozen=True, slots=True)
class Programs:
    """How the processes are started; tests put others in their place."""

    services: Sequence[str] = (sys.executable, "-m", "services")
    driver: Sequence[str] = (sys.executable, "-m", "services.driver")
    slices: Sequence[str] = (sys.executable, "-m", "services.driver.slices")
    merge: Sequence[str] = (sys.executable, "-m", "services.driver.merge")
    order: Sequence[str] = (sys.executable, "-m", "services.driver.order")
    costs: Sequence[str] = (sys.executable, "-m", "services.workload.costs")
    rounds: Sequence[str] = (sys.executable, "-m", "services.workload.costs.rounds")
    function_cost: Sequence[str] = (sys.executable, "-m", "services.workload.costs.function")
    wire: Sequence[str] = (sys.executable, "-m", "services.wire.cost")
    trust: Sequence[str] = (sys.executable, "-m", "services.workload.trust")
    reference: Sequence[str] = (sys.executable, "-m", "tools.reference")
    null_server: Sequence[str] = (sys.executable, "-m", "tools.calibrate.null_server")

    def models(self) -> dict[str, str]:
        """Model -> caption. Raises LocalError."""
        return {name: caption for name, caption, *_ in self._list()}

    def starts(self) -> list[tuple[str, ...]]:
        """Each model, and each variant of it, as a name and options. Raises LocalError."""
        return list(self.kinds())

    def kinds(self) -> dict[tuple[str, ...], tuple[str, ...]]:
        """Start -> what switches between its calls, and what a read does when there is nothing. Raises LocalError."""
        return {
            (name, *variant.split()): tuple(kind.split())
            for name, _caption, _needs, variants, kinds in self._list()
            for variant, kind in zip(("", *filter(None, variants.split("; "))), kinds.split("; "), strict=True)
        }

    def _list(self) -> list[list[str]]:
        with started("services --list", [*self.services, "--list"]) as process:
            return [line.split("\t") for line in process.finish(START_TIMEOUT_S)]


@dataclass(frozen=True, slots=True)
class Pinning:
    """Which processors run what, so that the driver never takes time from the service that it measures."""

    service: Collection[int]
    """One processor: every model gets the same, and a single interpreter can use only one."""
    others: Collection[int]
    """Those of the backend, the driver, and the process that runs the experiment."""

    @classmethod
    def over(cls, cpus: Collection[int]) -> Self | None:
        """None if there is only one processor for everything."""
        first, *rest = sorted(cpus)
        return cls([first], rest) if rest else None


class Process:
    """One started process. Its standard error goes to a file, for `last_words`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        cpus: Collection[int] = (),
        environment: Mapping[str, str] | None = None,
        *,
        answers: bool = False,
    ) -> None:
        """`environment`: all its variables; None for those of this process. `answers`: it reads commands (`ask`).

        Raises LocalError.
        """
        self.name = name
        self._asked_to_end = False
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (`stop` closes it)
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        try:
            # A session of its own: Ctrl-C in a terminal reaches only this process, which then stops it in order.
            if shutil.which(command[0]) is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", _ORPHAN_GUARD, str(os.getpid()), *command],
                stdin=subprocess.PIPE if answers else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=environment,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            self._stderr.close()
            raise LocalError(f"{name}: cannot be started: {error.strerror}") from error
        self._pidfd: int | None = os.pidfd_open(self._popen.pid)
        # Before the interpreter starts its first thread: threads inherit the processors (sched_setaffinity(2)).
        if cpus:
            os.sched_setaffinity(self._popen.pid, cpus)
        # A thread reads the pipe, so that it is never full, even if no code waits for a line.
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def has_ended(self, within_s: float = 0.0) -> bool:
        """Whether it ends within that time: a socket closes a little before its process ends.

        Asks the kernel (pidfd_open(2)), because Popen.wait takes a lock. An interrupt between taking it and the block
        that releases it leaves the lock taken for ever. The process is then never stopped (seen once in some 200
        interrupts).
        """
        if self._pidfd is None:
            return True
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(within_s * 1000))

    def expect(self, beginning: str, timeout_s: float) -> str:
        """Waits for the line with that beginning. Returns the rest of the line. Raises LocalError."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            line = self._next(deadline_s, f"did not print {beginning.strip()!r}")
            if line is None:
                self._popen.wait()
                raise LocalError(self.last_words())
            if line.startswith(beginning):
                return line.removeprefix(beginning)

    def ask(self, line: str, timeout_s: float) -> str:
        """Writes a line to it, and waits for the next line from it. Raises LocalError."""
        deadline_s = time.monotonic() + timeout_s
        stdin = self._popen.stdin
        assert stdin is not None
        with suppress(BrokenPipeError):  # it has ended: why is known below
            stdin.write(f"{line}\n")
            stdin.flush()
        answer = self._next(deadline_s, "did not answer")
        if answer is None:
            self._popen.wait()
            raise LocalError(self.last_words())
        return answer

    def finish(self, timeout_s: float) -> list[str]:
        """Waits until it ends with status 0. Returns the lines not read yet. Raises LocalError."""
        deadline_s = time.monotonic() + timeout_s
        lines: list[str] = []
        while (line := self._next(deadline_s, "did not end")) is not None:
            lines.append(line)
        if self._popen.wait() != 0:
            raise LocalError(self.last_words())
        return lines

    def last_words(self) -> str:
        """How it ended, with the last line of its standard error: one line."""
        code = self.status
        how = f"ended by signal {-code}" if code is not None and code < 0 else f"ended with status {code}"
        return f"{self.name} {how}: {self.complaint()}"

    @property
    def status(self) -> int | None:
        """Its exit status, or the number of the signal below 0; None while it runs."""
        return self._popen.poll()

    def complaint(self) -> str:
        """The last line of its standard error."""
        last_lines = self.last_output()
        return last_lines[-1].strip() if last_lines else "it printed nothing"

    def last_output(self) -> list[str]:
        """The last OUTPUT_LINES of its standard error. Empty if the process was stopped."""
        if self._stderr.closed:
            return []
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace").strip().splitlines()[-OUTPUT_LINES:]

    def ask_to_end(self) -> None:
        """Sends SIGTERM only once: after a second one, a service ends at once."""
        if not self._asked_to_end and not self.has_ended():
            self._popen.terminate()
            self._asked_to_end = True

    def kill(self) -> None:
        """Ends it, and all that it has started, without a drain. It is the leader of a session of its own."""
        if self._pidfd is not None:  # not waited for: the number is still its own
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """Ends it, by force if needed, and releases everything of it."""
        if self._pidfd is None:
            return
        if not self.has_ended():
            self.ask_to_end()
            if not self.has_ended(STOP_TIMEOUT_S):
                self._popen.kill()
        self._popen.wait()
        os.close(self._pidfd)
        self._pidfd = None
        self._stderr.close()
        if self._popen.stdin is not None:
            with suppress(BrokenPipeError):
                self._popen.stdin.close()

    def _listen(self) -> None:
        with self._popen.stdout as stdout:  # type: ignore[union-attr]  # it is a pipe
            for line in stdout:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def _next(self, deadline_s: float, complaint: str) -> str | None:
        """The next line; None after the last one."""
        while True:
            wait_s = max(0.0, deadline_s - time.monotonic())
            try:
                return self._lines.get(timeout=min(wait_s, LOST_INTERRUPT_S))
            except queue.Empty:
                if INTERRUPTED.is_set():
                    raise KeyboardInterrupt from None
                if wait_s <= LOST_INTERRUPT_S:
                    raise LateError(f"{self.name} {complaint} in time") from None


@contextmanager
def started(
    name: str,
    command: Sequence[str],
    cpus: Collection[int] = (),
    environment: Mapping[str, str] | None = None,
    *,
    answers: bool = False,
) -> Iterator[Process]:
    """A process for as long as the block lasts, as Process describes. Raises LocalError if it cannot be started."""
    process = None
    try:
        with _undisturbed():
            process = Process(name, command, cpus, environment, answers=answers)
        yield process
    finally:
        if process is not None:
            with _undisturbed():
                process.stop()


def json_of(name: str, command: Sequence[str], timeout_s: float) -> Any:
    """Runs the command to its end. Returns its output, decoded from JSON. Raises LocalError."""
    with started(name, command) as process:
        lines = process.finish(timeout_s)
    try:
        return json.loads("\n".join(lines))
    except json.JSONDecodeError as error:
        raise LocalError(f"{name} printed a line that is not JSON: {error}") from error


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Delays signals that end this process until the block ends, so that each started process is known."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _frame: came.append(number)) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for first in came[:1]:
            signal.raise_signal(first)


@contextmanager
def running_on(cpus: Collection[int]) -> Iterator[None]:
    """Runs this thread, and what it starts, on those processors only, until the block ends; none: no restriction."""
    before = os.sched_getaffinity(0)
    if cpus:
        os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allow_open_files() -> int:
    """Raises the limit of open files to the most allowed, also for the processes that are started. Returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
