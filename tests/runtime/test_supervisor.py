"""A service of several processes is one service: it outlives its workers, drains them all, and leaves none behind."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from services.runtime.processes.supervisor import FIRST_PAUSE_S, LONGEST_PAUSE_S, pause_s
from tests.conformance.conftest import Workload
from tests.serving import EXIT_TIMEOUT_S, Serving, serving

MODEL = "process_pool"
TIMEOUT_S = 10
ECHO = workload_pb2.RunRequest()
SLOW = workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=500_000))])
STUCK = workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=60_000_000))])


@contextmanager
def clients(service: Serving, count: int) -> Iterator[list[Workload]]:
    """So many clients, each with a connection of its own."""
    with ExitStack() as stack:
        alone = [("grpc.use_local_subchannel_pool", 1)]
        yield [
            Workload(stack.enter_context(grpc.insecure_channel(service.address, options=alone))) for _ in range(count)
        ]


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def test_a_worker_that_is_killed_is_replaced_and_what_it_held_is_no_longer_counted() -> None:
    with serving(MODEL, "--processes", "1") as service:
        with clients(service, 1) as (client,):
            killed = client.run(ECHO, timeout=TIMEOUT_S).process
            lost = client.run.future(STUCK, timeout=TIMEOUT_S)
            service.wait_until_in_flight(1)
            os.kill(killed, signal.SIGKILL)
            assert lost.code() is grpc.StatusCode.UNAVAILABLE
        with clients(service, 1) as (client,):
            reply = client.run(ECHO, timeout=TIMEOUT_S, wait_for_ready=True)
            assert reply.process not in (killed, service.process.pid)
            assert reply.worker == "worker-0"
            assert Path(f"/proc/{reply.process}/comm").read_text(encoding="ascii") == "worker-0\n"
            snapshot = service.wait_until_in_flight(0)
            assert (snapshot.processes, snapshot.connections, snapshot.calls_in_flight) == (2, 1, 0)


def test_a_drain_loses_no_call_of_any_worker() -> None:
    with serving(MODEL, "--processes", "4") as service, clients(service, 4) as callers:
        calls = [caller.run.future(SLOW, timeout=TIMEOUT_S) for caller in callers]
        service.wait_until_in_flight(4)
        assert service.stop() == 0
        assert len({call.result().process for call in calls}) == 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_all_processes_at_once_is_still_a_drain(number: signal.Signals) -> None:
    with serving(MODEL, "--processes", "2") as service, clients(service, 2) as callers:
        calls = [caller.run.future(SLOW, timeout=TIMEOUT_S) for caller in callers]
        service.wait_until_in_flight(2)
        for pid in (*children(service.process.pid), service.process.pid):
            os.kill(pid, number)
        assert service.process.wait(EXIT_TIMEOUT_S) == 0
        assert [call.code() for call in calls] == [grpc.StatusCode.OK] * 2


@pytest.mark.parametrize("signals", [[signal.SIGKILL], [signal.SIGTERM, signal.SIGTERM]], ids=["killed", "told twice"])
def test_a_service_that_ends_at_once_leaves_no_process_behind(signals: list[signal.Signals]) -> None:
    with serving(MODEL, "--processes", "3") as service, clients(service, 1) as (caller,):
        stuck = caller.run.future(STUCK)
        service.wait_until_in_flight(1)
        left = [os.pidfd_open(pid) for pid in children(service.process.pid)]
        assert len(left) == 3 + 1  # the workers and the control process
        with grpc.insecure_channel(service.control) as channel:
            states = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
            for number in signals:
                next(states)  # the service has seen the signal before it is sent another
                service.process.send_signal(number)
        service.process.wait(EXIT_TIMEOUT_S)
        assert stuck.code() is grpc.StatusCode.UNAVAILABLE
        for fd in left:
            assert select.select([fd], [], [], TIMEOUT_S)[0], "a process lives on"
            os.close(fd)


def test_a_call_that_outlives_the_drain_is_cut_off() -> None:
    with serving(MODEL, "--processes", "2", "--drain-timeout-s", "0.1") as service, clients(service, 1) as (caller,):
        cut_off = caller.run.future(STUCK)
        service.wait_until_in_flight(1)
        assert service.stop() == 0
        assert cut_off.code() is grpc.StatusCode.UNAVAILABLE


def test_workers_write_whole_lines_of_spans_to_one_file(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    sampled = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    with serving(MODEL, "--processes", "2", "--trace-file", str(file)) as service, clients(service, 2) as callers:
        for caller in callers * 50:
            caller.run(ECHO, metadata=sampled, timeout=TIMEOUT_S)
        assert service.stop() == 0
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    spans = [span for line in lines for scope in line["resourceSpans"][0]["scopeSpans"] for span in scope["spans"]]
    assert [span["name"] for span in spans].count("run") == 100
    made_by = [
        attribute["value"]["intValue"]
        for line in lines
        for attribute in line["resourceSpans"][0]["resource"]["attributes"]
        if attribute["key"] == "process.pid"
    ]
    assert len(set(made_by)) == 2


SUPERVISED = """
import os
import select
from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.service import Service
from services.runtime.processes.supervisor import Supervisor
def work(number):
    if number == 1:
        {before}
    supervisor.ready()
    if number == 1:
        {after}
    select.select([service.drain], [], [])
started = os.eventfd(0, os.EFD_SEMAPHORE)
service = Service("model", Config(), drain=Drain(), workers=2)
service.drain.on_signals()
supervisor = Supervisor(service, 2, work)
supervisor.start()
os.eventfd_write(started, 100)
supervisor.run()
supervisor.drain()
"""

STILLBORN = {
    "raise OSError(98, 'Address already in use')": (2, "model: Address already in use\n"),
    "import signal; os.kill(os.getpid(), signal.SIGKILL)": (1, "was killed by SIGKILL before it was ready\n"),
}


@pytest.mark.parametrize(("work", "ends"), STILLBORN.items(), ids=["says why", "killed"])
def test_a_service_whose_worker_is_stillborn_says_so_and_ends(work: str, ends: tuple[int, str]) -> None:
    command = [sys.executable, "-c", SUPERVISED.format(before=work, after="pass")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=EXIT_TIMEOUT_S, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (ends[0], 1)
    assert ended.stderr.endswith(ends[1])


def test_a_worker_that_always_dies_is_forked_again_and_again_while_the_others_serve() -> None:
    script = SUPERVISED.format(before="pass", after="os.eventfd_read(started); os._exit(5)")
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        deaths = [process.stderr.readline() for _ in range(4)]
        process.terminate()
        assert process.wait(EXIT_TIMEOUT_S) == 0
    assert all("worker process 1" in death and "ended with 5" in death for death in deaths)
    assert [death.split()[-2] for death in deaths] == ["0.1", "0.2", "0.4", "0.8"]


def test_one_that_dies_young_comes_back_ever_later_but_comes_back() -> None:
    pauses = [pause_s(deaths) for deaths in range(100)]
    assert pauses[:4] == [FIRST_PAUSE_S * factor for factor in (1, 2, 4, 8)]
    assert pauses[-1] == LONGEST_PAUSE_S
