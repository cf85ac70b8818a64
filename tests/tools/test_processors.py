"""What is read of processors and processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.local import started
from tools.processors import TICK_NS, becomes_idle, ran_ns, tree_ns

STAT = """cpu  0 0 0 0 0 0 0 0 0 0
cpu0 1 10 100 9000 9000 9000 9000 1000 0 0
cpu1 2 20 200 9000 9000 9000 9000 2000 0 0
cpu10 5 50 500 9000 9000 9000 9000 5000 0 0
intr 4
"""


def run(script: str) -> list[int]:
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True)
    return [int(word) for word in told.stdout.split()]


def test_what_ran_on_processors_includes_what_the_host_took_and_no_idleness(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text(STAT)
    assert ran_ns([1], tmp_path / "stat") == 2222 * TICK_NS
    assert ran_ns([0, 10], tmp_path / "stat") == 6666 * TICK_NS


def test_cpu_time_of_a_process_is_what_it_says_itself() -> None:
    before, read, after = run(
        "import os, time; from tools.processors import tree_ns\n"
        "print(time.process_time_ns(), tree_ns(os.getpid()), time.process_time_ns())"
    )
    assert before <= read <= after


def test_cpu_time_of_a_process_includes_children_that_live_and_children_that_ended() -> None:
    living, both = run(
        """
import os, threading, time
from tools.processors import TICK_NS, tree_ns

def fork():
    if (pid := os.fork()) == 0:
        while time.process_time_ns() < 5 * TICK_NS:
            pass
        os.write(write, b".")
        time.sleep(60)
    children.append(pid)

children, (read, write) = [], os.pipe()
thread = threading.Thread(target=fork)
thread.start()
thread.join()
os.read(read, 1)
first = tree_ns(os.getpid()) - time.process_time_ns()
os.kill(children[0], 9)
os.waitpid(children[0], 0)
print(first // TICK_NS, (tree_ns(os.getpid()) - time.process_time_ns()) // TICK_NS)
"""
    )
    assert living >= 4
    assert both >= 3  # user and system time are each cut to ticks


def test_a_process_that_has_ended_has_used_nothing() -> None:
    with subprocess.Popen(["/bin/true"]) as process:
        process.wait()
    assert tree_ns(process.pid) == 0


@pytest.mark.parametrize(("code", "idle"), [("import time; time.sleep(60)", True), ("while True: pass", False)])
def test_a_process_is_idle_or_is_not(code: str, idle: bool) -> None:
    with started("it", [sys.executable, "-c", f"print('ready', flush=True)\n{code}"]) as process:
        process.expect("ready", 60)
        assert becomes_idle(process.pid, 60 if idle else 0.3) is idle
