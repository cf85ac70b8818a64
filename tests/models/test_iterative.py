"""The only thread also limits the time of a drain: it is cut off while it serves a call, and not after that."""

import subprocess
import sys

import grpc
from sweetspot.v1 import workload_pb2

from tests.conformance.conftest import Workload
from tests.serving import serving

TIMEOUT_S = 20
BLOCKED = workload_pb2.RunRequest(steps=[workload_pb2.Step(block=workload_pb2.Block(duration_us=60_000_000))])
TIME_COMES_AFTER_IT_HAS_SERVED = """
import os, signal
from services.models.iterative import serve
from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.service import Service
drain = Drain()
drain.on_signals()
service = Service("iterative", Config(port=0), drain=drain)
service.announce = lambda port: os.kill(os.getpid(), signal.SIGTERM)
serve(service)
signal.raise_signal(signal.SIGALRM)
print("telemetry has its last chance")
"""


def test_a_drain_of_no_time_at_all_does_not_wait_for_a_handler_that_blocks() -> None:
    with (
        serving("iterative", "--drain-timeout-s", "0") as started,
        grpc.insecure_channel(started.address) as channel,
    ):
        pending = Workload(channel).run.future(BLOCKED)
        started.wait_until_in_flight(1)
        assert started.stop() == 0
        assert pending.code() is not grpc.StatusCode.OK


def test_the_time_of_a_drain_cuts_nothing_off_once_it_has_served() -> None:
    command = [sys.executable, "-c", TIME_COMES_AFTER_IT_HAS_SERVED]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (ended.stdout, ended.stderr) == ("telemetry has its last chance\n", "")
