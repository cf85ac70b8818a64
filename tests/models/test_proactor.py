"""The proactor does its I/O by io_uring, all of it, or not at all."""

import errno
import subprocess

import grpc
import pytest

from tests.conformance.conftest import Workload
from tests.conformance.test_workload import CHECKSUMS, EVERY_KIND
from tests.seccomp import IO_URING_SETUP, RECEIVING_AND_SENDING, forbidding
from tests.serving import serving

TIMEOUT_S = 20


@pytest.mark.parametrize(
    ("error", "why"),
    [(errno.EPERM, "seccomp"), (errno.ENOSYS, "kernel"), (errno.EINVAL, "6.1")],
    ids=["forbidden", "not there", "too old"],
)
def test_without_io_uring_it_refuses_in_one_line_and_exit_3(error: int, why: str) -> None:
    ended = subprocess.run(
        [*forbidding(IO_URING_SETUP, error), "-m", "services", "proactor"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (3, "", 1)
    assert ended.stderr.startswith("proactor: no io_uring: ")
    assert why in ended.stderr


@pytest.mark.skipif(not RECEIVING_AND_SENDING, reason="the numbers of this machine's system calls are not known")
def test_it_serves_where_no_system_call_may_receive_or_send() -> None:
    with (
        serving("backend") as backend,
        serving("proactor", "--backend", backend.address, interpreter=forbidding(RECEIVING_AND_SENDING)) as started,
        grpc.insecure_channel(started.address) as channel,
    ):
        workload = Workload(channel)
        assert workload.run(EVERY_KIND, timeout=TIMEOUT_S).checksum == CHECKSUMS[0][1]
        assert len(list(workload.run_stream(EVERY_KIND, timeout=TIMEOUT_S))) == len(EVERY_KIND.steps)


@pytest.mark.skipif(not RECEIVING_AND_SENDING, reason="the numbers of this machine's system calls are not known")
def test_a_reactor_cannot() -> None:
    ended = subprocess.run(
        [*forbidding(RECEIVING_AND_SENDING), "-m", "services", "reactor"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ended.returncode
    assert "PermissionError" in ended.stderr or "not permitted" in ended.stderr
