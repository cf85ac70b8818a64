"""How much CPU and memory this process may use, and how often its control group was held back for wanting more CPU.

Reads cgroup v2, v1 and hybrid hierarchies through /proc/self/cgroup and /proc/self/mountinfo (cgroups(7), proc(5)).
Knows nothing of models and pools: what they do with the number is theirs.

A group's quota bounds everything below it. So the quota in force is the smallest between the process's group and the
top group that is visible here. In a container, that top is usually the container's own group. Throttling is counted by
the group whose quota it was, so it is read where the quota in force is set.
"""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PROC = Path("/proc")
_NO_LIMIT_BYTES = 2**62


@dataclass(frozen=True, slots=True)
class Throttling:
    """Totals of the CPU bandwidth controller since the group was made (Linux Documentation/scheduler/sched-bwc.rst)."""

    periods: int
    throttled_periods: int
    throttled_ns: int
    quota_cpus: float


@dataclass(frozen=True, slots=True)
class _Limit:
    """A group that has a quota of its own."""

    group: Path
    cpus: float


def usable_cpus(*, proc: Path = PROC) -> float:
    """CPUs' worth of time that this process can get, as a fraction: the quota, or the CPUs it may run on if fewer."""
    return min(cpu_quota(proc=proc) or math.inf, float(len(os.sched_getaffinity(0))))


def cpu_quota(*, proc: Path = PROC) -> float | None:
    """The quota in force, in CPUs (0.5 is half of one); None where there is none."""
    limit = _limit_in_force(proc)
    return limit.cpus if limit else None


def memory_limit_bytes(*, proc: Path = PROC) -> int | None:
    """The most memory that this process and those beside it may have; None where there is no limit."""
    limits = [limit for group in _groups(proc, "memory") if (limit := _own_memory_limit(group)) is not None]
    return min(limits, default=None)


def read_throttling(*, proc: Path = PROC) -> Throttling | None:
    """Read the counters of the group whose quota is in force; None where there is no quota."""
    limit = _limit_in_force(proc)
    if limit is None:
        return None
    counters = dict(line.split() for line in (limit.group / "cpu.stat").read_text().splitlines())
    # cgroup v1 counts the time in nanoseconds, v2 in microseconds.
    v1 = "throttled_time" in counters
    throttled_ns = int(counters["throttled_time"]) if v1 else int(counters["throttled_usec"]) * 1000
    return Throttling(int(counters["nr_periods"]), int(counters["nr_throttled"]), throttled_ns, limit.cpus)


def _limit_in_force(proc: Path) -> _Limit | None:
    limits = [_Limit(group, cpus) for group in _groups(proc, "cpu") if (cpus := _own_quota(group)) is not None]
    return min(limits, key=lambda limit: limit.cpus, default=None)


def _own_quota(group: Path) -> float | None:
    # v2 has one file; v1 has two. The root group has none, nor has a group that is not visible from here.
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            quota_us, period_us = " ".join((group / name).read_text() for name in names).split()
        except FileNotFoundError:
            continue
        return None if quota_us in ("max", "-1") else int(quota_us) / int(period_us)
    return None


def _own_memory_limit(group: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):  # v2, v1
        try:
            text = (group / name).read_text().strip()
        except FileNotFoundError:
            continue
        # v1 has no word for "none": it is the largest number of whole pages (mm/page_counter.c).
        return None if text == "max" or int(text) >= _NO_LIMIT_BYTES else int(text)
    return None


def _groups(proc: Path, resource: str) -> Iterator[Path]:
    """Yield the directories of this process's group for that resource and of its ancestors, as far up as is mounted."""
    path_of = {}
    for line in (proc / "self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        path_of.update(dict.fromkeys(controllers.split(","), PurePosixPath(path)))
    # A v1 hierarchy lists its controllers, v2 lists none; where v1 has a controller, v2 has not.
    controller = resource if resource in path_of else ""
    mounts = _mounts(proc, controller)
    if controller not in path_of or not mounts:
        return
    own = path_of[controller]
    for root, mount_point in mounts:
        if own.is_relative_to(root) and ".." not in own.parts:
            group = mount_point / own.relative_to(root)
            break
    else:
        # The mount was made in another cgroup namespace than the path's: only the top of the mount is visible.
        group = mount_point = mounts[0][1]
    yield group
    yield from (parent for parent in group.parents if parent.is_relative_to(mount_point))


def _mounts(proc: Path, controller: str) -> list[tuple[str, Path]]:
    """List root and mount point of each mount of the v1 hierarchy that has the controller, or of v2 if it is ""."""
    kind = "cgroup" if controller else "cgroup2"
    mounts = []
    for line in (proc / "self/mountinfo").read_text().splitlines():
        mount, _, source = line.partition(" - ")
        file_system, options = source.split()[0], source.split()[-1]
        if file_system == kind and (not controller or controller in options.split(",")):
            root, mount_point = map(_unescape, mount.split()[3:5])
            mounts.append((root, Path(mount_point)))
    return mounts


def _unescape(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field)
