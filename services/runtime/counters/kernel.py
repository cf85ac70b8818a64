"""What the kernel has counted for a process tree: threads, CPU time, memory, context switches.

Reads only proc(5) and getrusage(2). Knows nothing of models, calls, gRPC or messages, stores nothing between readings
and starts nothing.

How exact the figures are:

- The figures of the calling process come from getrusage(2). CPU time is exact to 1 us, split into user and system as
  the kernel splits it. Context switches include those of threads that ended, and of children that ended and were waited
  for.
- The figures of any other process come from /proc. User and system time are each cut to clock ticks (10 ms), and
  include ended threads and waited-for children. Context switches are those of living threads only: the kernel shows no
  other. There is a nanosecond clock for such a process (clock_getcpuclockid(3)), but it does not split user from
  system. A split by ticks could make a total run backwards. Per-thread nanoseconds (schedstat) lose the threads that
  ended.
- RSS and PSS are counted page by page (smaps_rollup). The kernel's own running sums (VmRSS, and VmHWM made of it) lag
  behind by some pages for each CPU. So the peak is never reported below the RSS that is read with it.
- One process is read after another: a tree is not one instant. A child that ends during the reading may be missing
  from that reading; its CPU time is in its parent's in the next. A child that outlives its parent leaves the tree.

The price is about 2 ms for the calling process with 1,000 threads, and most of that is PSS. Add 30 us for each thread
of any other process, and 15 us for each thread of a process that has children.
"""

import os
import re
import resource
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path

PROC = Path("/proc")
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

# Two lines of a thread's status, voluntary before nonvoluntary. One search: parsing every line costs half more.
SWITCHES = re.compile(rb"voluntary_ctxt_switches:\s+(\d+)")

# ENOENT: the process or thread ended before its file was opened. ESRCH: it ended before the file was read.
GONE = (FileNotFoundError, ProcessLookupError)


@dataclass(frozen=True, slots=True)
class TreeUse:
    """What a process tree uses (memory, threads) and has used since it started (the rest); see Control.Snapshot."""

    processes: int
    threads: int
    cpu_user_ns: int
    cpu_system_ns: int
    rss_bytes: int
    pss_bytes: int
    rss_peak_bytes: int
    vsz_bytes: int
    voluntary_switches: int
    involuntary_switches: int


@dataclass(frozen=True, slots=True)
class _Stat:
    """The fields used of /proc/PID/stat; times in clock ticks."""

    state: str
    parent: int
    user: int
    system: int
    threads: int


def read_tree(root_pid: int, *, without: int | None = None, proc: Path = PROC) -> TreeUse:
    """Read the process and all its living descendants but `without`. One that ends during the reading is left out.

    A process that has ended but was not waited for (a zombie) adds its CPU time and switches, but is not counted.

    Raises FileNotFoundError or ProcessLookupError if there is no process `root_pid`, PermissionError if one of the
    tree may not be inspected (ptrace(2), "Ptrace access mode checking").
    """
    uses = [_read_process(root_pid, proc)]
    for pid in _descendants(root_pid, proc):
        if pid == without:
            continue
        with suppress(*GONE):
            uses.append(_read_process(pid, proc))
    return TreeUse(*(sum(column) for column in zip(*map(astuple, uses), strict=True)))


def read_node(proc: Path = PROC) -> tuple[int, int]:
    """For how long the machine's processors ran processes or were taken away by its host, in ns, and how many it has.

    Not idle and iowait, and no interrupts: those are on no process's account (proc(5), /proc/stat).
    """
    whole, *each = (
        line.split() for line in (proc / "stat").read_text(encoding="ascii").splitlines() if line[:3] == "cpu"
    )
    user, nice, system, steal = (int(whole[column]) for column in (1, 2, 3, 8))
    return (user + nice + system + steal) * TICK_NS, len(each)


def _read_process(pid: int, proc: Path) -> TreeUse:
    home = proc / str(pid)
    stat = _read_stat(home)
    user_ns, system_ns = stat.user * TICK_NS, stat.system * TICK_NS
    if pid == os.getpid():
        user_ns, system_ns, voluntary, involuntary = _own_counters()
    else:
        voluntary, involuntary = _switches_of_living_threads(home)
    if stat.state in "ZX":
        return TreeUse(0, 0, user_ns, system_ns, 0, 0, 0, 0, voluntary, involuntary)
    pages = _numbers(home / "smaps_rollup")
    rss_kib = pages["Rss"]
    # VmHWM and VmSize are absent where the process has given its memory back since then: it is about to end.
    status = _numbers(home / "status")
    peak_kib = max(rss_kib, status.get("VmHWM", 0))
    memory = (rss_kib * 1024, pages["Pss"] * 1024, peak_kib * 1024, status.get("VmSize", 0) * 1024)
    return TreeUse(1, stat.threads, user_ns, system_ns, *memory, voluntary, involuntary)


def _own_counters() -> tuple[int, int, int, int]:
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return (
        sum(round(use.ru_utime * 1_000_000) * 1000 for use in both),
        sum(round(use.ru_stime * 1_000_000) * 1000 for use in both),
        sum(use.ru_nvcsw for use in both),
        sum(use.ru_nivcsw for use in both),
    )


def _switches_of_living_threads(home: Path) -> tuple[int, int]:
    voluntary = involuntary = 0
    for thread in (home / "task").iterdir():
        with suppress(*GONE):
            counts = SWITCHES.findall((thread / "status").read_bytes())
            voluntary += int(counts[0])
            involuntary += int(counts[1])
    return voluntary, involuntary


def _descendants(root_pid: int, proc: Path) -> list[int]:
    if root_pid == os.getpid() and not _have_children():
        return []
    children_of: Callable[[int], list[int]]
    if (proc / str(root_pid) / "task" / str(root_pid) / "children").exists():
        children_of = partial(_listed_children, proc)
    else:
        children_of = _children_by_parent(proc).__getitem__
    found = [root_pid]
    for pid in found:
        found.extend(children_of(pid))
    return found[1:]


def _have_children() -> bool:
    """Ask the kernel in one call, and reap nothing: a process with 1,000 threads has 1,000 lists of children."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _listed_children(proc: Path, pid: int) -> list[int]:
    """Each thread has its own list, of the children that it started. Needs CONFIG_PROC_CHILDREN."""
    children: list[int] = []
    with suppress(*GONE):
        for thread in (proc / str(pid) / "task").iterdir():
            with suppress(*GONE):
                children.extend(map(int, (thread / "children").read_bytes().split()))
    return children


def _children_by_parent(proc: Path) -> dict[int, list[int]]:
    children = defaultdict(list)
    for home in proc.iterdir():
        if home.name.isdecimal():
            with suppress(*GONE):
                children[_read_stat(home).parent].append(int(home.name))
    return children


def _read_stat(home: Path) -> _Stat:
    # Field 2 is the program's name in brackets, and may itself hold blanks and brackets: count from the last one.
    fields = (home / "stat").read_text(errors="replace").rpartition(")")[2].split()
    user, system, waited_user, waited_system = map(int, fields[11:15])
    return _Stat(fields[0], int(fields[1]), user + waited_user, system + waited_system, int(fields[17]))


def _numbers(path: Path) -> dict[str, int]:
    """Parse lines of `Name: 123` or `Name: 123 kB`; other lines are left out."""
    numbers = {}
    for line in path.read_bytes().splitlines():
        name, _, value = line.partition(b":")
        words = value.split()
        if words and words[0].isdigit():
            numbers[name.decode()] = int(words[0])
    return numbers
