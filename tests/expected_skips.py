"""The skips that are expected, and where. Any other skip is a failure where CI is set, as `.ci/run` sets it.

A plugin of pytest. What `.ci/run` installs is not in the list: without it, CI would pass and test less.
"""

import ctypes
import errno
import os
import re
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.go_tools import FOLDER
from tools.seccomp import IO_URING_SETUP, RECEIVING_AND_SENDING

CONTROL_GROUPS = Path("/sys/fs/cgroup")


def always() -> bool:
    return True


def without_a_cluster() -> bool:
    """`.ci/run` tests first without one, and helm comes with it."""
    return "SWEETSPOT_TEST_KUBECONFIG" not in os.environ


def without_go_tools() -> bool:
    """`make testers` could install none: Go is missing or too old."""
    return not FOLDER.exists()


def without_io_uring() -> bool:
    """io_uring_setup(2) with no memory to read: EFAULT where the kernel has it and allows it."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(IO_URING_SETUP, 1, None)
    return ctypes.get_errno() in (errno.ENOSYS, errno.EPERM)


def without_free_threading() -> bool:
    """No CPython without the GIL is given, and few machines have one."""
    return "SWEETSPOT_TEST_FREE_THREADED" not in os.environ


def without_control_groups() -> bool:
    """None may be made in any hierarchy: read-only as in a container, or not ours."""
    return not any(os.access(hierarchy, os.W_OK) for hierarchy in (CONTROL_GROUPS, *CONTROL_GROUPS.glob("cpu*")))


def on_other_processors() -> bool:
    return not RECEIVING_AND_SENDING


EXPECTED: dict[str, Callable[[], bool]] = {
    r"no test cluster: ": without_a_cluster,
    r"helm is not on the PATH": without_a_cluster,
    r"build/testers/\w+ is missing": without_go_tools,
    r"this machine has not, or forbids, what proactor is made of": without_io_uring,
    r"(proactor: )?no io_uring: ": without_io_uring,
    r"no interpreter without the GIL: ": without_free_threading,
    r"cannot create a control group in ": without_control_groups,
    r"no hierarchy of control groups": without_control_groups,
    r"the numbers of this machine's system calls are not known": on_other_processors,
    # What a model does not promise:
    r"a connection that is held up holds up others in this model": always,
    r"a handler of \w+ that \w+ is not told": always,
}
"""The beginning of a reason, as a regular expression, and whether a test may be skipped for it on this machine."""


def is_expected(reason: str) -> bool:
    return any(re.match(pattern, reason) and holds() for pattern, holds in EXPECTED.items())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Makes a failure of a skip that is not expected."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and os.environ.get("CI"):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not is_expected(reason):
            report.outcome = "failed"
            report.longrepr = f"{report.nodeid} was skipped, and {Path(__file__).name} does not expect it: {reason}"
    return report
