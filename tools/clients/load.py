"""Loads a service with a load program. The program runs once for each slice.

Must not know which program it is, nor what is compared.
"""

import resource
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tools.clients.program import CallLog, LoadProgram, ProgramRun
from tools.clients.reply import reply_bytes
from tools.clients.request import encode
from tools.clients.result import measured
from tools.experiment import Arm, Experiment, Point
from tools.local import LocalError, started
from tools.pooling import added_results

GRACE_S = 20.0
"""Time for a program to start, and to write its report."""
LEAST_SHARE = 0.95
"""The least mean size of replies, as a share of an expected reply. It shows errors, which have no body."""


@dataclass(slots=True)
class ProgramLoad:
    """The load of one trial. No connection is open between slices."""

    program: LoadProgram
    experiment: Experiment
    """Its window is that of the point."""
    arm: Arm
    point: Point
    address: str
    cpus: Collection[int]
    """The program runs on one of these processors, as the driver does. Empty: all processes share one processor."""
    scratch: Path
    _results: list[dict[str, Any]] = field(default_factory=list)
    _reply_bytes: int = 0
    """Size of a reply's body; 0 before the first slice."""

    def slice(self, _number: int) -> None:
        """Runs the program once. Raises LocalError."""
        asked = self.experiment
        if not self._results:
            self._reply_bytes = self._expected_bytes()
        with TemporaryDirectory(dir=self.scratch) as folder:
            run = self._run(Path(folder))
            to_monotonic_ns = time.monotonic_ns() - time.time_ns()
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            command = self.program.command(run)
            with started(self.program.name, command, sorted(self.cpus)[:1]) as process:
                lines = process.finish(run.duration_s + run.timeout_s + GRACE_S)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            log = self.program.read(run, lines)
        self._check(log)
        user_s, system_s = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
        self._results.append(
            measured(
                log,
                connections=self.point.connections,
                warmup_s=asked.warmup_s,
                duration_s=asked.duration_s,
                to_monotonic_ns=to_monotonic_ns,
                cpu_ns=(round(user_s * 1e9), round(system_s * 1e9)),
            )
        )

    def close(self) -> dict[str, Any] | None:
        """The result of all slices together; None without a slice."""
        if not self._results:
            return None
        first, last = self._results[0], self._results[-1]
        return {
            **added_results(self._results),
            "marks": {
                "started_monotonic_ns": first["marks"]["started_monotonic_ns"],
                "ended_monotonic_ns": last["marks"]["ended_monotonic_ns"],
            },
            "client": self.program.name,
            "plan": self._plan,
            "asked": {
                "loop": "closed",
                "connections": self.point.connections,
                "streams": self.point.streams,
                "rate_rps": None,
                "warmup_s": self.experiment.warmup_s,
                "duration_s": self.experiment.duration_s * len(self._results),
                "timeout_s": self.experiment.load.timeout_s,
                "method": "Run",
            },
        }

    @property
    def _plan(self) -> dict[str, Any]:
        return self.experiment.calls_of(self.arm)

    def _expected_bytes(self) -> int:
        """The expected size of a reply's body. Makes one call to measure it, unless the arm is a reference server."""
        if self.arm.server is not None:
            return len(encode(self._plan).frame)
        return reply_bytes(self.address, self._plan, self.experiment.load.timeout_s)

    def _run(self, folder: Path) -> ProgramRun:
        asked = self.experiment
        return ProgramRun(
            path=self.program.program_path(),
            address=self.address,
            request=encode(self._plan),
            connections=self.point.connections,
            streams=self.point.streams or 1,
            duration_s=asked.warmup_s + asked.duration_s,
            timeout_s=asked.load.timeout_s,
            folder=folder,
        )

    def _check(self, log: CallLog) -> None:
        """Raises LocalError for a run without an answer, and for replies that are too small to be answers."""
        if not log.ended_ns and not log.failed:
            raise LocalError(f"{self.program.name} reported no call that has ended: set a longer duration_s")
        if log.reply_bytes is not None and log.reply_bytes < self._reply_bytes * LEAST_SHARE:
            raise LocalError(
                f"{self.program.name} received {log.reply_bytes:.0f} bytes per call, but a reply has "
                f"{self._reply_bytes}: the service rejected calls; set fewer connections or streams"
            )
