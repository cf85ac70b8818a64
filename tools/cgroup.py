"""CPU limits on this machine: control groups, made and removed here (cgroups(7), Linux' sched-bwc.rst).

Supports cgroup v1 and v2, if this process may make a group below its own: as root in most containers, or if the group
was delegated. Otherwise no limit can be set, and the error of `find` has the reason. Must not know what is limited.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
PERIOD_US = 100_000
"""The kubelet's period: what a limit does to a latency depends on it."""
WEIGHT = 16
"""Weight of a limit of one CPU. Others have 1 for each process (v1) or 2.6 for each group (v2)."""
EMPTY_TIMEOUT_S = 2.0
"""A group cannot be removed before the kernel has released its last process."""


class NoLimitsError(Exception):
    """Why no CPU limit can be set here, in one line."""


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """A control group of one limit."""

    folder: Path

    def take(self, pid: int) -> None:
        """Puts a process into it, with whatever it starts from then on. Raises OSError."""
        (self.folder / "cgroup.procs").write_text(str(pid), encoding="ascii")


@dataclass(frozen=True, slots=True)
class ControlGroups:
    """Where groups can be made."""

    parent: Path
    v2: bool

    @classmethod
    def detect(cls, proc: Path = PROC) -> "ControlGroups":
        """Finds out by making one. Raises NoLimitsError."""
        groups = cls(*_parent(proc))
        try:
            with groups.limited(1.0, "probe"):
                return groups
        except OSError as error:
            raise NoLimitsError(f"cannot create a control group in {groups.parent}: {error.strerror}") from error

    @contextmanager
    def limited(self, cpus: float, name: str) -> Iterator[ControlGroup]:
        """A group whose processes together get that many CPUs' worth of time; removed once it is empty.

        If others want the same processors, a group gets a part of them in proportion to its limit. The kubelet does the
        same for requests that equal limits. A group also gets 16 times as much as any other process, because processes
        that are not measured should not change the result. By default all groups have the same weight: four groups of a
        quarter of a CPU then got twice as much as one group of a whole CPU. Raises OSError.
        """
        folder = self.parent / f"sweetspot-{os.getpid()}-{name}"
        if self.v2:
            (self.parent / "cgroup.subtree_control").write_text("+cpu", encoding="ascii")
        folder.mkdir()
        try:
            quota_us, shares = str(round(cpus * PERIOD_US)), min(max(2, round(cpus * WEIGHT * 1024)), 262_144)
            if self.v2:
                # The kubelet's: 2 to 262,144 shares become a weight of 1 to 10,000 (KEP-2254).
                (folder / "cpu.weight").write_text(str(1 + (shares - 2) * 9999 // 262_142), encoding="ascii")
                (folder / "cpu.max").write_text(f"{quota_us} {PERIOD_US}", encoding="ascii")
            else:
                (folder / "cpu.shares").write_text(str(shares), encoding="ascii")
                (folder / "cpu.cfs_period_us").write_text(str(PERIOD_US), encoding="ascii")
                (folder / "cpu.cfs_quota_us").write_text(quota_us, encoding="ascii")
            yield ControlGroup(folder)
        finally:
            _remove(folder)


def _parent(proc: Path) -> tuple[Path, bool]:
    """The group that this process is in, and whether that is of v2."""
    of = {}
    for line in (proc / "self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        of.update(dict.fromkeys(controllers.split(","), path))
    v2 = "cpu" not in of
    for line in (proc / "self/mountinfo").read_text(encoding="utf-8").splitlines():
        mount, _, source = line.partition(" - ")
        root, point = mount.split()[3:5]
        kind, options = source.split()[0], source.split()[-1].split(",")
        if (kind == "cgroup2") if v2 else (kind == "cgroup" and "cpu" in options):
            own = Path(of["" if v2 else "cpu"])
            return Path(point) / (own.relative_to(root) if own.is_relative_to(root) else ""), v2
    raise NoLimitsError("no hierarchy of control groups with the CPU controller is mounted")


def _remove(folder: Path) -> None:
    until_s = time.monotonic() + EMPTY_TIMEOUT_S
    while True:
        try:
            return folder.rmdir()
        except OSError:  # EBUSY: a process has not ended yet
            if time.monotonic() > until_s:
                raise
            time.sleep(0.01)
