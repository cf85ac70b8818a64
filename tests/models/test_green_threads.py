"""Green threads: what is made cooperative is what the model is about, and no more."""

import gzip
import socket
import sys
import time
from pathlib import Path

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from tests.attackers import WIDE_OPENING
from tests.conformance.conftest import Workload
from tests.names import named
from tests.serving import serving
from tests.wire import frames

TIMEOUT_S = 20
HALF_A_SECOND_US = 500_000
ECHO = workload_pb2.RunRequest()
SLEEP = workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=HALF_A_SECOND_US))
FETCH = workload_pb2.Step(call=workload_pb2.Call())
BLOCK = workload_pb2.Step(block=workload_pb2.Block(duration_us=HALF_A_SECOND_US))
# PBKDF2 gives the interpreter lock away, but to no greenlet: they are all in this thread.
NATIVE = workload_pb2.Step(
    compute=workload_pb2.Compute(rounds=2_000_000, engine=workload_pb2.Compute.ENGINE_NATIVE),
)


@pytest.mark.parametrize(
    ("step", "first"),
    [(SLEEP, "later"), (BLOCK, "earlier"), (NATIVE, "earlier")],
    ids=["one that sleeps does not", "one that blocks does", "one that computes in C does"],
)
def test_a_call_holds_up_those_that_come_after_it(step: workload_pb2.Step, first: str) -> None:
    with serving("green_threads") as service, grpc.insecure_channel(service.address) as channel:
        run, ended = Workload(channel).run, list[str]()
        earlier = run.future(workload_pb2.RunRequest(steps=[step]), timeout=TIMEOUT_S)
        earlier.add_done_callback(lambda _: ended.append("earlier"))
        service.wait_until_in_flight(1)
        later = run.future(ECHO, timeout=TIMEOUT_S)
        later.add_done_callback(lambda _: ended.append("later"))
        assert (earlier.result().steps, later.result().steps) == (1, 0)
        assert ended[0] == first


@pytest.mark.parametrize("name", ["deaf", "stuck"])
def test_a_call_that_connects_to_the_backend_holds_up_no_other(name: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.7", 0))
        port = listener.getsockname()[1]
        listener.listen(0)  # its backlog is full after one connection, and the kernel drops what comes (listen(2))
        interpreter = named("deaf", "127.0.0.7")
        with (
            socket.create_connection(listener.getsockname()),
            serving("green_threads", "--backend", f"{name}:{port}", interpreter=interpreter) as service,
            grpc.insecure_channel(service.address) as channel,
        ):
            run, ended = Workload(channel).run, list[str]()
            earlier = run.future(workload_pb2.RunRequest(steps=[FETCH]), timeout=TIMEOUT_S)
            earlier.add_done_callback(lambda _: ended.append("earlier"))
            service.wait_until_in_flight(1)
            until = time.monotonic() + 0.5  # it first looks the name up, then connects
            while time.monotonic() < until:
                assert run(ECHO, timeout=TIMEOUT_S).steps == 0
            assert not ended
            earlier.cancel()


def libraries(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")


def test_the_process_is_green_its_control_process_is_not_and_neither_has_grpcio() -> None:
    with serving("green_threads") as service:
        pid = service.process.pid
        (control,) = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        found = [["gevent" in libraries(of), "cygrpc" in libraries(of)] for of in (pid, int(control))]
    assert found == [[True, False], [False, False]]


def test_it_runs_in_one_thread_however_many_calls_wait(tmp_path: Path) -> None:
    traced = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    with (
        serving("green_threads", "--trace-file", str(tmp_path / "spans.jsonl")) as service,
        grpc.insecure_channel(service.address) as channel,
    ):
        run = Workload(channel).run
        calls = [
            run.future(workload_pb2.RunRequest(steps=[SLEEP]), metadata=traced, timeout=TIMEOUT_S) for _ in range(50)
        ]
        assert service.wait_until_in_flight(50).threads == 1
        assert {call.code() for call in calls} == {grpc.StatusCode.OK}
        assert service.stop() == 0
    assert (tmp_path / "spans.jsonl").read_text(encoding="utf-8").count('"run"') == 50


LARGE = workload_pb2.RunRequest(payload=bytes(1_000_000)).SerializeToString()
IMPATIENT = "from services.runtime.connections import linger; linger.WRITE_STALL_S = 1; " + (
    "import sys; from services.__main__ import main; main(sys.argv[3:])"
)


def test_a_client_that_reads_nothing_loses_its_connection_in_time() -> None:
    fields = frames.request_to(b"/sweetspot.v1.Workload/Run", (b"grpc-encoding", b"gzip"))
    body = frames.message(gzip.compress(LARGE), flag=1)
    calls = [frames.headers(number, fields) + frames.data(number, body, end_stream=True) for number in range(1, 17, 2)]
    with (
        serving("green_threads", interpreter=(sys.executable, "-c", IMPATIENT)) as service,
        socket.socket() as deaf,
    ):
        host, _, port = service.address.rpartition(":")
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((host, int(port)))
        deaf.sendall(WIDE_OPENING)
        for call in calls:
            deaf.sendall(call)
        service.wait_until(lambda reply: reply.connections == 1, "it does not take the connection")
        service.wait_until(lambda reply: reply.connections == 0, "it waits for the client to read")
        assert service.stop() == 0
