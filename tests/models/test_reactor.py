"""The reactor's options: a demultiplexer rejects in one line what it cannot watch, and still serves the rest."""

import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from services.runtime.readiness.demultiplexer import FD_SETSIZE
from tests.conformance.conftest import Workload

TIMEOUT_S = 20
OPEN_FILES = 2 * FD_SETSIZE
REFUSAL = f"select cannot watch descriptor {FD_SETSIZE}; its limit is {FD_SETSIZE - 1}"
CALL = workload_pb2.RunRequest(steps=[workload_pb2.Step(call=workload_pb2.Call())])


@pytest.fixture
def many_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], OPEN_FILES), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("many_files")
def test_select_closes_connections_that_it_cannot_watch_and_serves_the_others() -> None:
    # Nothing listens at the backend's address; it is not even asked.
    command = [sys.executable, "-m", "services", "reactor", "--demultiplexer", "select", "--backend", "127.0.0.1:1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            host, port = address.split(":")
            with grpc.insecure_channel(address) as channel, ExitStack() as opened:
                workload = Workload(channel)
                assert workload.run(workload_pb2.RunRequest(), timeout=TIMEOUT_S).steps == 0
                for _ in range(FD_SETSIZE):
                    last = opened.enter_context(socket.create_connection((host, int(port)), TIMEOUT_S))
                assert last.recv(1) == b""
                assert workload.run(workload_pb2.RunRequest(), timeout=TIMEOUT_S).steps == 0
                with pytest.raises(grpc.RpcError) as unavailable:
                    workload.run(CALL, timeout=TIMEOUT_S)
                assert unavailable.value.code() is grpc.StatusCode.UNAVAILABLE
                assert REFUSAL in unavailable.value.details()
        finally:
            process.terminate()
            _, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    assert said == f"connections are rejected: {REFUSAL}\n"
