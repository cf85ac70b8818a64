"""What is read of a process tree is what the processes themselves know that they used."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.runtime.counters.kernel import TICK_NS, TreeUse, read_tree

MIB = 1024 * 1024
# No process of this machine can have such a number (PID_MAX_LIMIT, proc(5)): a fabricated tree is never the test's own.
PID = 4_194_304

Ask = Callable[[], list[int]]
Start = Callable[[str], tuple[int, Ask]]

PRELUDE = """
import mmap, os, resource, subprocess, sys, threading, time

def tell(*numbers):  # and go on when told to
    print(*numbers, flush=True)
    sys.stdin.readline()

def cpu(who):
    use = resource.getrusage(who)
    return round(use.ru_utime * 1e9), round(use.ru_stime * 1e9)

def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

def touched(size):
    area = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.madvise(mmap.MADV_NOHUGEPAGE)
    for page in range(0, size, mmap.PAGESIZE):
        area[page] = 1
    return area
"""


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a program that stops at each `tell(...)`. `ask()` lets it continue, and returns the numbers of the next."""
    with ExitStack() as stack:

        def start(program: str) -> tuple[int, Ask]:
            command = [sys.executable, "-c", PRELUDE + textwrap.dedent(program)]
            child = stack.enter_context(
                subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, process_group=0
                )
            )
            stack.callback(os.killpg, child.pid, signal.SIGKILL)  # with what it forked
            assert child.stdin
            assert child.stdout
            told, go_on = child.stdout, child.stdin
            waits = False

            def ask() -> list[int]:
                nonlocal waits
                if waits:
                    go_on.write("\n")
                waits = True
                return [int(word) for word in told.readline().split()]

            return child.pid, ask

        yield start


def test_cpu_time_of_a_child_is_what_it_says_itself_to_a_tick(start: Start) -> None:
    pid, ask = start("burn(0.2); tell(*cpu(resource.RUSAGE_SELF)); tell(*cpu(resource.RUSAGE_SELF))")
    user_ns, system_ns = ask()
    use = read_tree(pid)
    user_later_ns, system_later_ns = ask()
    assert user_ns + system_ns >= 200_000_000
    assert user_ns - TICK_NS < use.cpu_user_ns <= user_later_ns
    assert system_ns - TICK_NS < use.cpu_system_ns <= system_later_ns


def test_cpu_time_of_ended_threads_still_counts(start: Start) -> None:
    pid, ask = start(
        """
        worker = threading.Thread(target=burn, args=[0.1])
        worker.start(); worker.join()
        tell()
        """
    )
    ask()
    # Thread.join returns when the thread has nothing left to run, a little before the kernel lets go of it.
    while (use := read_tree(pid)).threads > 1:
        time.sleep(0.001)
    assert use.cpu_user_ns + use.cpu_system_ns >= 100_000_000 - 2 * TICK_NS


def test_cpu_time_of_waited_for_children_still_counts(start: Start) -> None:
    pid, ask = start(
        """
        if os.fork() == 0:
            burn(0.1); os._exit(0)
        os.wait()
        tell(*cpu(resource.RUSAGE_SELF))
        """
    )
    own = sum(ask())
    use = read_tree(pid)
    assert use.processes == 1
    assert use.cpu_user_ns + use.cpu_system_ns >= own + 100_000_000 - 4 * TICK_NS


def test_a_zombie_is_no_process_but_its_cpu_time_counts(start: Start) -> None:
    pid, ask = start(
        """
        child = os.fork()
        if child == 0:
            burn(0.1); os._exit(0)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        tell(*cpu(resource.RUSAGE_SELF))
        """
    )
    own = sum(ask())
    use = read_tree(pid)
    assert (use.processes, use.threads) == (1, 1)
    assert use.cpu_user_ns + use.cpu_system_ns >= own + 100_000_000 - 4 * TICK_NS


def test_processes_and_threads_are_counted_down_to_grandchildren_of_any_thread(start: Start) -> None:
    pid, ask = start(
        """
        ready, here = os.pipe()

        def wait_in_threads(count):
            for _ in range(count):
                threading.Thread(target=forever.wait, daemon=True).start()

        def fork_a_child_that_forks():
            if os.fork() == 0:
                os.fork()
                wait_in_threads(3)
                os.write(here, b".")
                forever.wait()
            forever.wait()

        forever = threading.Event()
        threading.Thread(target=fork_a_child_that_forks, daemon=True).start()
        os.read(ready, 1), os.read(ready, 1)
        wait_in_threads(10)
        tell()
        """
    )
    ask()
    use = read_tree(pid)
    assert use.processes == 3
    assert use.threads == (1 + 1 + 10) + 2 * (1 + 3)


def test_each_sleep_is_a_voluntary_switch(start: Start) -> None:
    pid, ask = start(
        """
        def switches():
            use = resource.getrusage(resource.RUSAGE_SELF)
            return use.ru_nvcsw, use.ru_nivcsw

        for _ in range(100):
            time.sleep(0.0005)
        tell(*switches())
        tell(*switches())
        """
    )
    voluntary, involuntary = ask()
    use = read_tree(pid)
    voluntary_later, involuntary_later = ask()
    assert 100 <= voluntary <= use.voluntary_switches <= voluntary_later
    assert involuntary <= use.involuntary_switches <= involuntary_later


def test_of_its_own_process_the_switches_of_ended_threads_count() -> None:
    def sleep_100_times() -> None:
        for _ in range(100):
            time.sleep(0.0005)

    before = read_tree(os.getpid())
    sleeper = threading.Thread(target=sleep_100_times)
    sleeper.start()
    sleeper.join()
    after = read_tree(os.getpid())
    assert after.voluntary_switches - before.voluntary_switches >= 100


def test_of_its_own_process_cpu_time_is_finer_than_a_tick() -> None:
    clock_before_ns = time.process_time_ns()
    before = read_tree(os.getpid())
    started_ns = time.process_time_ns()
    while time.process_time_ns() - started_ns < 3_000_000:
        pass
    burnt_ns = time.process_time_ns() - started_ns
    after = read_tree(os.getpid())
    all_ns = time.process_time_ns() - clock_before_ns
    used_ns = after.cpu_user_ns + after.cpu_system_ns - before.cpu_user_ns - before.cpu_system_ns
    # User and system are each cut to a microsecond, twice.
    assert burnt_ns - 2000 <= used_ns <= all_ns + 2000


def test_memory_is_what_was_touched_and_its_peak_outlives_it(start: Start) -> None:
    pid, ask = start("tell(); area = touched(32 << 20); tell(); area.close(); tell()")
    ask()
    before = read_tree(pid)
    ask()
    touched = read_tree(pid)
    ask()
    after = read_tree(pid)
    assert touched.rss_bytes - before.rss_bytes == pytest.approx(32 * MIB, abs=MIB)
    assert touched.pss_bytes - before.pss_bytes == pytest.approx(32 * MIB, abs=MIB)
    assert touched.rss_bytes - after.rss_bytes == pytest.approx(32 * MIB, abs=MIB)
    assert before.rss_peak_bytes < touched.rss_bytes <= touched.rss_peak_bytes
    assert after.rss_peak_bytes == pytest.approx(touched.rss_peak_bytes, abs=MIB)


def test_a_page_that_two_processes_share_is_twice_in_rss_and_once_in_pss(start: Start) -> None:
    pid, ask = start(
        """
        area = touched(32 << 20)
        tell()
        ready, told = os.pipe()
        if os.fork() == 0:
            os.write(told, b".")
            threading.Event().wait()
        os.read(ready, 1)
        tell()
        """
    )
    ask()
    alone = read_tree(pid)
    ask()
    shared = read_tree(pid)
    assert shared.rss_bytes - alone.rss_bytes > 32 * MIB
    assert shared.pss_bytes - alone.pss_bytes < 8 * MIB


def test_a_root_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        read_tree(PID + 1)


def fabricate(
    proc: Path, pid: int, *, parent: int = 1, name: str = "python", ticks: str = "0 0 0 0", lists: str | None = None
) -> Path:
    """Write the files of a process of one thread that uses 8 KiB; with `lists`, it lists these children."""
    home = proc / str(pid)
    thread = home / "task" / str(pid)
    thread.mkdir(parents=True)
    (home / "stat").write_text(f"{pid} ({name}) S {parent} 1 1 0 -1 0 0 0 0 0 {ticks} 20 0 1 0 99\n")
    (home / "smaps_rollup").write_text("1000-2000 ---p 00000000 00:00 0 [rollup]\nRss:  8 kB\nPss:  6 kB\n")
    (home / "status").write_text("Name:\tx\nVmSize:\t   32 kB\nVmHWM:\t   16 kB\nVmRSS:\t    4 kB\n")
    (thread / "status").write_text("voluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t7\n")
    if lists is not None:
        (thread / "children").write_text(lists)
    return home


def test_every_figure_comes_from_its_field(tmp_path: Path) -> None:
    fabricate(tmp_path, PID + 1, ticks="1 20 300 4000")
    assert read_tree(PID + 1, proc=tmp_path) == TreeUse(
        processes=1,
        threads=1,
        cpu_user_ns=301 * TICK_NS,
        cpu_system_ns=4020 * TICK_NS,
        rss_bytes=8192,
        pss_bytes=6144,
        rss_peak_bytes=16384,
        vsz_bytes=32768,
        voluntary_switches=5,
        involuntary_switches=7,
    )


def test_the_peak_is_never_below_the_resident_size_beside_it(tmp_path: Path) -> None:
    home = fabricate(tmp_path, PID + 1)
    (home / "status").write_text("VmHWM: 4 kB\n")
    assert read_tree(PID + 1, proc=tmp_path).rss_peak_bytes == 8192


def test_a_process_that_is_about_to_end_has_the_memory_that_was_read_first(tmp_path: Path) -> None:
    home = fabricate(tmp_path, PID + 1)
    (home / "status").write_text("State: Z (zombie)\n")
    assert read_tree(PID + 1, proc=tmp_path).rss_peak_bytes == 8192


@pytest.mark.parametrize("name", ["a) S 9", "(", "a b", ") R 1 1 1 1", "\n"])
def test_a_program_may_have_any_name(tmp_path: Path, name: str) -> None:
    fabricate(tmp_path, PID + 1, ticks="1 0 0 0", name=name)
    assert read_tree(PID + 1, proc=tmp_path).cpu_user_ns == TICK_NS


@pytest.mark.parametrize("listed", [True, False], ids=["kernel lists children", "kernel does not"])
def test_a_tree_is_found_with_and_without_lists_of_children(tmp_path: Path, listed: bool) -> None:
    root, child, grandchild, stranger = (PID + n for n in range(1, 5))
    for pid, parent, children in (
        (root, 1, f"{child} "),
        (child, root, f"{grandchild} "),
        (grandchild, child, ""),
        (stranger, 1, ""),
    ):
        fabricate(tmp_path, pid, parent=parent, lists=children if listed else None)
    (tmp_path / "meminfo").touch()
    assert read_tree(root, proc=tmp_path).processes == 3
    assert read_tree(child, proc=tmp_path).processes == 2


def test_a_child_that_vanished_after_it_was_listed_is_left_out(tmp_path: Path) -> None:
    root, vanished, child = PID + 1, PID + 2, PID + 3
    fabricate(tmp_path, root, lists=f"{vanished} {child} ")
    fabricate(tmp_path, child, lists="")
    assert read_tree(root, proc=tmp_path).processes == 2


def test_a_thread_that_vanished_after_it_was_listed_is_left_out(tmp_path: Path) -> None:
    home = fabricate(tmp_path, PID + 1)
    (home / "task" / str(PID + 2)).mkdir()
    assert read_tree(PID + 1, proc=tmp_path).voluntary_switches == 5


def test_any_other_failure_of_a_descendant_is_raised(tmp_path: Path) -> None:
    fabricate(tmp_path, PID + 1, lists=f"{PID + 2} ")
    home = fabricate(tmp_path, PID + 2, lists="")
    (home / "smaps_rollup").unlink()
    (home / "smaps_rollup").mkdir()
    with pytest.raises(IsADirectoryError):
        read_tree(PID + 1, proc=tmp_path)
