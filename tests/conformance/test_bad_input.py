"""An error is reported in one line: to the caller as a status, to the operator on stderr. Others are still served."""

import os
import socket
import subprocess
import sys

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from services.models import MODELS
from services.runtime.refusal import NOT_HERE
from tests.conformance.conftest import Workload, one_at_a_time
from tests.serving import Serving, serving

ECHO = workload_pb2.RunRequest(payload=b"echo")
FETCH = workload_pb2.RunRequest(steps=[workload_pb2.Step(call=workload_pb2.Call())])
OWN_WIRE = [name for name, model in MODELS.items() if model.own_wire]
GARBAGE = {
    "another protocol": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "noise after the preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(range(255, 128, -1)),
    "a frame of 16 MiB": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff\xff\xff\0\0\0\0\0\1",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_a_connection_that_sends_garbage_is_closed_and_others_are_served(
    service: Serving, workload: Workload, garbage: bytes
) -> None:
    host, port = service.address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        peer.sendall(garbage)
        try:
            while peer.recv(4096):
                pass
        except ConnectionResetError:
            pass  # closed with our bytes unread: a reset is as good as an end
    assert workload.run(ECHO, timeout=10).payload == b"echo"


def test_half_a_preface_holds_up_nobody_else(service: Serving, workload: Workload) -> None:
    if one_at_a_time(service.start):
        pytest.skip("a connection that is held up holds up others in this model: test_at_once.py")
    host, port = service.address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        peer.sendall(b"PRI * HTTP/2.0\r\n")
        assert workload.run(ECHO, timeout=10).payload == b"echo"


@pytest.mark.parametrize("model", MODELS)
def test_a_service_without_a_backend_says_so(model: str) -> None:
    with serving(model) as started, grpc.insecure_channel(started.address) as channel:
        with pytest.raises(grpc.RpcError) as failed:
            Workload(channel).run(FETCH, timeout=10)
        assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "--backend" in failed.value.details()


WRONG_COMMANDS = [
    (["no_such_model"], "no_such_model"),
    ([], "usage"),
    (["reactor", "--port", "70000"], "--port"),
    (["reactor", "--port", "many"], "--port"),
    (["reactor", "--backend", "nowhere"], "nowhere"),
    (["reactor", "--tls-cert", "cert.pem"], "--tls-key"),
    (["reactor", "--tls-cert", "/no/cert.pem", "--tls-key", "/no/key.pem"], "TLS files"),
    (["reactor", "--trace-file", "/no/such/folder/spans.jsonl"], "spans.jsonl"),
    (["reactor", "--no-such-option"], "--no-such-option"),
    (["grpcio_threads", "--interop"], "argument --interop: not an option of grpcio_threads, only of iterative, "),
    (["half_sync_half_async", "--processes", "2"], "argument --processes: has an effect only with --hand-off "),
    (["backend", "--interop"], "argument --interop: not an option of backend, only of iterative, "),
]


def run_to_its_end(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "services", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=20, check=False, env={**os.environ, **environ}
    )


@pytest.mark.parametrize(("arguments", "names"), WRONG_COMMANDS, ids=[names for _, names in WRONG_COMMANDS])
def test_a_wrong_command_is_one_line_and_exit_2(arguments: list[str], names: str) -> None:
    ended = run_to_its_end(*arguments)
    assert ended.returncode == 2
    assert names in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""


def test_help_without_a_model_has_a_line_for_each_model() -> None:
    ended = run_to_its_end("--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = [line.split(maxsplit=1) for line in ended.stdout.splitlines() if line.startswith("  ")]
    assert lines == [*([model.name, model.caption] for model in MODELS.values()), ["backend", lines[-1][1]]]
    assert "python -m services MODEL --help" in ended.stdout


@pytest.mark.parametrize("option", ["--port", "--control-port"])
@pytest.mark.parametrize("model", [*MODELS, "backend"])
def test_a_port_in_use_is_one_line_and_exit_2(model: str, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run_to_its_end(model, option, str(taken.getsockname()[1]))
    if ended.returncode == NOT_HERE:
        pytest.skip(ended.stderr)
    assert ended.returncode == 2
    assert str(taken) not in ended.stderr
    assert "in use" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_variable_is_a_flag_by_another_name() -> None:
    ended = run_to_its_end("reactor", SWEETSPOT_PORT="-1")
    assert ended.returncode == 2
    assert "SWEETSPOT_PORT" in ended.stderr
