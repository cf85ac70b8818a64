"""Runs `-m services ...` with no more than three threads, and three processes, for connections.

It imitates RLIMIT_NPROC and a container's limit of pids. RLIMIT_NPROC has no effect on root, who runs these tests.
"""

import errno
import os
import runpy
import sys
import threading
from pathlib import Path

MOST = 3

start_thread, fork = threading.Thread.start, os.fork


def start_few(thread: threading.Thread) -> None:
    unnamed = sum(other.name.startswith("Thread-") for other in threading.enumerate())
    if unnamed >= MOST:
        raise RuntimeError("can't start new thread")
    start_thread(thread)


def fork_few() -> int:
    me = os.getpid()
    if len(Path(f"/proc/{me}/task/{me}/children").read_text(encoding="ascii").split()) > MOST:  # one is the control's
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return fork()


if __name__ == "__main__":
    threading.Thread.start = start_few  # type: ignore[assignment,method-assign]
    os.fork = fork_few
    sys.path.insert(0, str(Path(__file__).parent.parent))
    del sys.argv[1]
    sys.argv.pop(0)
    runpy.run_module("services", run_name="__main__", alter_sys=True)
