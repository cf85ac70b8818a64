"""The proactor does its I/O by io_uring, all of it, or not at all."""

import errno
import os
import signal
import subprocess

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from tests.conformance.conftest import Workload
from tests.conformance.test_workload import CHECKSUMS
from tests.seccomp import IO_URING_SETUP, forbidding
from tests.serving import serving
from tools.claims.counting.answers import EVERY_KIND
from tools.seccomp import RECEIVING_AND_SENDING

TIMEOUT_S = 20
ECHO = workload_pb2.RunRequest()
BLOCKED = workload_pb2.RunRequest(steps=[workload_pb2.Step(block=workload_pb2.Block(duration_us=1_000_000))])
BY_PROCESSES = ("proactor", "--hand-off", "processes")


@pytest.mark.parametrize(
    ("error", "why"),
    [(errno.EPERM, "seccomp"), (errno.ENOSYS, "kernel"), (errno.EINVAL, "6.1")],
    ids=["forbidden", "not there", "too old"],
)
@pytest.mark.parametrize("hand_off", ["inline", "processes"])
def test_without_io_uring_it_refuses_in_one_line_and_exit_3(error: int, why: str, hand_off: str) -> None:
    ended = subprocess.run(
        [*forbidding(IO_URING_SETUP, error), "-m", "services", "proactor", "--hand-off", hand_off],
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


@pytest.mark.parametrize("hand_off", ["threads", "processes"])
def test_what_blocks_a_handler_that_is_handed_off_holds_up_nobody_else(hand_off: str) -> None:
    options = ("--hand-off", hand_off, *(("--processes", "2") if hand_off == "processes" else ()))
    with serving("proactor", *options) as started, grpc.insecure_channel(started.address) as channel:
        run = Workload(channel).run
        blocked = run.future(BLOCKED, timeout=TIMEOUT_S)
        started.wait_until_in_flight(1)
        assert run(ECHO, timeout=TIMEOUT_S).steps == 0
        assert not blocked.done()
        assert blocked.result().steps == 1


def test_calls_that_a_process_has_not_begun_are_bounded() -> None:
    with (
        serving(*BY_PROCESSES, "--processes", "1", "--queue-bound", "3") as started,
        grpc.insecure_channel(started.address) as channel,
    ):
        run = Workload(channel).run
        blocked = run.future(BLOCKED, timeout=TIMEOUT_S)
        started.wait_until_in_flight(1)
        codes = [call.code() for call in [run.future(ECHO, timeout=TIMEOUT_S) for _ in range(20)]]
        assert blocked.code() is grpc.StatusCode.OK
    # The blocked call is one of the three: a blocked process cannot report that it has begun a call.
    assert codes == [grpc.StatusCode.OK] * 2 + [grpc.StatusCode.RESOURCE_EXHAUSTED] * 18


def test_a_handlers_process_that_dies_takes_only_its_own_calls_with_it() -> None:
    with (
        serving(*BY_PROCESSES, "--processes", "2") as started,
        grpc.insecure_channel(started.address) as channel,
    ):
        run = Workload(channel).run
        victim = run(ECHO, timeout=TIMEOUT_S).process
        lost = run.future(BLOCKED, timeout=TIMEOUT_S)
        started.wait_until_in_flight(1)
        other = run.future(BLOCKED, timeout=TIMEOUT_S)
        started.wait_until_in_flight(2)
        os.kill(victim, signal.SIGKILL)
        assert lost.code() is grpc.StatusCode.UNAVAILABLE
        assert "has died" in lost.details()
        assert other.result().process != victim
        assert {run(ECHO, timeout=TIMEOUT_S).process for _ in range(4)}.isdisjoint({victim})
