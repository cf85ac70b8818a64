"""A service that runs out of descriptors, threads or processes logs it once a second, still serves, and recovers."""

import os
import resource
import socket
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from services.models import MODELS
from services.wire import Code
from tests.conformance.test_churn import family
from tests.few_starts import MOST
from tests.serving import serving
from tests.wire_client import WireClient

PATH = "/sweetspot.v1.Workload/Run"
FREE = 8
"""Descriptors that each process may open yet."""
CONNECTIONS = 4 * FREE
LOOK_S = 0.2
MOST_CPU_S = 0.1
"""In LOOK_S, of all processes; one that spins takes all of it."""

OWN_WIRE = [model for model in MODELS.values() if model.own_wire]
STARTS = [
    # A worker or a child of the others has one connection, and so never many descriptors.
    *((model.name,) for model in OWN_WIRE if model.at_once != "one connection" and model.processes == "one"),
    ("multi_reactor", "--processes=1"),
    ("multi_reactor", "--processes=1", "--balance=kernel"),
    ("partitioned", "--processes=1"),
    ("proactor", "--hand-off=processes", "--processes=1"),
    ("half_sync_half_async", "--hand-off=processes", "--processes=1"),
    ("coroutines", "--loop=uvloop"),
    ("coroutines", "--loops=2"),
    ("reactor", "--loops=2"),
    ("seda",),
    ("backend",),
]


# io_uring uses the limit at the time of the request to accept, so the limit must be set from the start.
LIMITED = ("/bin/sh", "-c", 'ulimit -n 40; exec "$0" "$@"', sys.executable)


def limit_descriptors(pid: int) -> None:
    used = max(int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir())
    limit = min(used + 1 + FREE, 40)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))


def cpu_s(pids: list[int]) -> float:
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("start", STARTS, ids=" ".join)
def test_where_descriptors_run_out_connections_wait_and_nothing_is_lost(
    start: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    path, request = (PATH, b"") if start[0] != "backend" else ("/sweetspot.v1.Backend/Fetch", b"")
    with serving(*start, interpreter=LIMITED) as service, ExitStack() as stack:
        first = stack.enter_context(WireClient(service.address))
        assert first.call(path, request).code is Code.OK
        with service.snapshots() as snapshot:  # its own connection to the control port is open before
            snapshot()
            pids = list(family(service.process.pid))
            for pid in pids:
                limit_descriptors(pid)
            begun_s = time.monotonic()
            clients = [WireClient(service.address) for _ in range(CONNECTIONS)]
            service.wait_until_ready(ready=False)
            used_s = cpu_s(pids)
            time.sleep(LOOK_S)
            assert cpu_s(pids) - used_s < MOST_CPU_S
            assert first.call(path, request).code is Code.OK, "whoever is connected is served"
            for client in clients[:-1]:
                client.sock.close()
            with closing(clients[-1].sock):
                assert clients[-1].call(path, request).code is Code.OK, "it waited"
            service.wait_until_ready(ready=True)
            said = capfd.readouterr().err.splitlines()
            assert 1 <= len(said) <= 1 + time.monotonic() - begun_s
            assert all("descriptors; raise `ulimit -n`" in line for line in said), said


def test_a_control_port_without_descriptors_says_so_and_answers_whoever_is_connected(
    capfd: pytest.CaptureFixture[str],
) -> None:
    check = "/grpc.health.v1.Health/Check"
    with serving("reactor", interpreter=LIMITED) as service, WireClient(service.control) as first:
        assert first.call(check, b"").code is Code.OK
        begun_s = time.monotonic()
        clients = [WireClient(service.control) for _ in range(40)]
        said = ""
        while "all of its" not in said:
            assert time.monotonic() - begun_s < 10
            assert first.call(check, b"").code is Code.OK
            said += capfd.readouterr().err
        for client in clients[:-1]:
            client.sock.close()
        with closing(clients[-1].sock):
            assert clients[-1].call(check, b"").code is Code.OK, "it waited"
        said += capfd.readouterr().err
        assert 1 <= len(said.splitlines()) <= 1 + time.monotonic() - begun_s
        assert said.startswith("control port of reactor: connections wait: ")


@pytest.mark.parametrize(
    "model", ["thread_per_connection", "thread_per_request", "thread_pool", "process_per_connection"]
)
def test_where_no_thread_or_process_starts_connections_are_closed_and_counted(
    model: str, capfd: pytest.CaptureFixture[str]
) -> None:
    few = (sys.executable, str(Path(__file__).parent.parent / "few_starts.py"))
    threads = ("--threads-per-cpu=1",) if model == "thread_pool" else ()
    with serving(model, *threads, interpreter=few) as service, ExitStack() as stack:
        begun_s = time.monotonic()
        first = stack.enter_context(WireClient(service.address))
        assert first.call(PATH, b"").code is Code.OK
        if model == "thread_per_request":  # the thread of that call counts until it has ended; two are left
            service.wait_until(lambda reply: reply.threads == 2, "the thread of a call did not end")
        clients = [stack.enter_context(WireClient(service.address)) for _ in range(MOST - 1)]
        service.wait_until(lambda reply: reply.connections == MOST, "they were not accepted")
        host, port = service.address.rsplit(":", 1)
        for _ in range(3):
            with socket.create_connection((host, int(port))) as closed:
                assert closed.recv(1) == b"", "it is closed, and not reset"
        service.wait_until_ready(ready=False)
        clients[-1].sock.close()
        service.wait_until_ready(ready=True)
        assert first.call(PATH, b"").code is Code.OK
        said = capfd.readouterr().err.splitlines()
        assert 1 <= len(said) <= 1 + time.monotonic() - begun_s
        assert all("can be started" in line and "`ulimit -u`" in line for line in said), said
