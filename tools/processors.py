"""What the kernel has counted for processors and for processes: only readings of proc(5) and of clocks.

Must not know what runs there, nor what a reading is for.
"""

import os
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_RUNNING = (0, 1, 2, 7)
"""Columns of a processor's line in /proc/stat: user, nice, system, steal. Steal is what other guests of the host took.

Not counted are idle and iowait, and interrupts: those of a service's own packets are on no process's account.
"""


def ran_ns(cpus: Collection[int], stat: Path = Path("/proc/stat")) -> int:
    """How long those processors have run processes, or were taken away by the host, since the start of the machine."""
    wanted = {f"cpu{number}" for number in cpus}
    lines = (line.split() for line in stat.read_text(encoding="ascii").splitlines())
    return sum(int(times[column]) for name, *times in lines if name in wanted for column in _RUNNING) * TICK_NS


def tree_ns(pid: int) -> int:
    """CPU time that a process and its descendants have used, in all their threads; 0 where it has ended.

    A living process has a clock with nanoseconds (clock_getcpuclockid(3), whose number the C library makes like this).
    Children that have ended and were waited for are in clock ticks. It is read from outside, so that a busy server is
    not disturbed. It works for every program.
    """
    per_process_scheduled = 2
    with suppress(OSError):  # it has ended: ENOENT, ESRCH, or EINVAL of its clock
        home = Path(f"/proc/{pid}")
        # The program's name is in brackets, and may hold blanks and brackets itself.
        fields = (home / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        waited_for = (int(fields[13]) + int(fields[14])) * TICK_NS
        own_ns = time.clock_gettime_ns((~pid << 3) | per_process_scheduled)
        return own_ns + waited_for + sum(map(tree_ns, _children(home)))
    return 0


def tree(pid: int) -> list[int]:
    """A process and its descendants; empty where it has ended."""
    try:
        children = _children(Path(f"/proc/{pid}"))
    except OSError:
        return []
    return [pid, *(descendant for child in children for descendant in tree(child))]


def name_of(pid: int) -> str:
    """The name that a process has given itself, as ps(1) shows it; empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").rstrip("\n")
    except OSError:
        return ""


def _children(home: Path) -> list[int]:
    """Each thread has its own list, of the children that it started."""
    children: list[int] = []
    for thread in (home / "task").iterdir():
        with suppress(OSError):
            children.extend(map(int, (thread / "children").read_bytes().split()))
    return children


IDLE_SHARE = 0.03
"""Of one processor: less than what makes a trial beside it void."""
LOOK_S = 0.05


def becomes_idle(pid: int, within_s: float) -> bool:
    """Whether a process and its descendants come to use no more than IDLE_SHARE of a processor by then."""
    deadline_s = time.monotonic() + within_s
    used_ns, at_ns = tree_ns(pid), time.monotonic_ns()
    while True:
        time.sleep(LOOK_S)
        used_before_ns, before_ns = used_ns, at_ns
        used_ns, at_ns = tree_ns(pid), time.monotonic_ns()
        # A descendant that has ended takes its time with it, until it is waited for.
        if 0 <= used_ns - used_before_ns <= IDLE_SHARE * (at_ns - before_ns):
            return True
        if time.monotonic() > deadline_s:
            return False
