"""Several loops serve one port: each drains its own connections, and they count together."""

import os
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import pytest
from sweetspot.v1 import workload_pb2

from services.runtime.threads.loops import run_in_threads
from services.wire import Code
from tests.conformance.conftest import Workload
from tests.runtime.test_metrics import by_status, ended, scrape
from tests.serving import Serving, serving
from tests.wire_client import WireClient

ROOT = Path(__file__).parents[2]
FREE_THREADED = "SWEETSPOT_TEST_FREE_THREADED"
"""Path of a CPython without the GIL that has the packages of a service."""
TIMEOUT_S = 20
PATH = "/sweetspot.v1.Workload/Run"
SLOW = workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=500_000))])
CLIENTS, CALLS = 8, 300
STARTS = [
    "reactor --loops 2",
    "coroutines --loops 2",
    "coroutines --loops 2 --loop uvloop",
    "coroutines --processes 2",
    "coroutines --processes 2 --loop uvloop",
]


@contextmanager
def clients_of_both(service: Serving) -> Iterator[list[Workload]]:
    """A client of each of two loops: the kernel chooses, so as many connect as it takes."""
    alone = [("grpc.use_local_subchannel_pool", 1)]
    found: dict[tuple[int, str], Workload] = {}
    with ExitStack() as stack:
        while len(found) < 2:
            client = Workload(stack.enter_context(grpc.insecure_channel(service.address, options=alone)))
            found[client.worker(TIMEOUT_S)] = client
        yield list(found.values())


@pytest.mark.parametrize("start", STARTS)
def test_a_drain_waits_for_the_calls_of_every_loop(start: str) -> None:
    with serving(*start.split()) as service, clients_of_both(service) as clients:
        calls = [client.run.future(SLOW, timeout=TIMEOUT_S) for client in clients for _ in range(5)]
        service.wait_until_in_flight(len(calls))
        assert service.stop() == 0
        assert [call.code() for call in calls] == [grpc.StatusCode.OK] * len(calls)


@pytest.mark.parametrize("model", ["reactor", "coroutines"])
@pytest.mark.parametrize("lock", ["with the lock", "without"])
def test_two_loops_count_each_call_once(model: str, lock: str, monkeypatch: pytest.MonkeyPatch) -> None:
    python = sys.executable
    if lock == "without":
        if FREE_THREADED not in os.environ:
            pytest.skip(f"no interpreter without the GIL: set {FREE_THREADED}")
        python = os.environ[FREE_THREADED]
        monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'protos'}")
    options = ("--loops", "2", "--metrics-port=0", "--switch-interval-us", "1")
    with serving(model, *options, interpreter=(python,)) as service, ThreadPoolExecutor(CLIENTS) as threads:

        def calls(_: int) -> list[Code | None]:
            with WireClient(service.address) as client:
                return [client.call(PATH, b"").code for _ in range(CALLS)]

        codes = [code for called in threads.map(calls, range(CLIENTS)) for code in called]
        assert codes == [Code.OK] * CLIENTS * CALLS
        service.wait_until(lambda reply: reply.connections == reply.calls_in_flight == 0, "something is left")
        ended(service, len(codes))
        assert sum(by_status(scrape(service)).values()) == len(codes)


def test_the_error_of_one_loop_is_raised_while_the_others_serve() -> None:
    served, ended_ = threading.Event(), threading.Event()

    def run_loop(listener: socket.socket) -> None:
        if listener is failing:
            served.wait(TIMEOUT_S)
            raise OSError("it cannot be watched")
        served.set()
        ended_.wait(TIMEOUT_S)

    with socket.socket() as failing, socket.socket() as serving_:
        with pytest.raises(OSError, match="it cannot be watched"):
            run_in_threads(run_loop, [failing, serving_])
        ended_.set()
