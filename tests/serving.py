"""Services as real processes, for tests: started, asked where they listen, stopped, and checked when they end."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sweetspot.v1 import control_pb2

from services.__main__ import parse
from services.models import MODELS
from services.runtime.model import Processes
from services.runtime.refusal import NOT_HERE

EXIT_TIMEOUT_S = 20
ARRIVAL_TIMEOUT_S = 10
POLL_S = 0.005
"""From one look at a service to the next. A look takes 2 ms of CPU, of which the service lacks a part."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A service that listens; addresses are HOST:PORT."""

    model: str
    start: tuple[str, ...]
    """The model and its options."""
    process: "subprocess.Popen[str]"
    address: str
    control: str
    metrics: str
    """Empty where none were asked for."""

    @property
    def runs_in(self) -> Processes:
        """What its model runs in, with these options."""
        return MODELS[self.model].runs_in(parse(self.start, {})[1])

    def stop(self) -> int:
        """Drains; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(EXIT_TIMEOUT_S)

    def wait_until_in_flight(self, calls: int) -> control_pb2.SnapshotReply:
        """Polls until the service itself reports so many calls."""
        return self.wait_until(lambda reply: reply.calls_in_flight >= calls, "the calls never arrived")

    def wait_until(self, so: Callable[[control_pb2.SnapshotReply], bool], else_: str) -> control_pb2.SnapshotReply:
        """Polls until `so` is true of a snapshot."""
        with self.snapshots() as snapshot:
            until = time.monotonic() + ARRIVAL_TIMEOUT_S
            while not so(reply := snapshot()):
                assert time.monotonic() < until, f"{else_}; it says: {reply}"
                time.sleep(POLL_S)
            return reply

    def wait_until_ready(self, *, ready: bool) -> None:
        """Polls until the service reports that it takes calls, or that it does not."""
        wanted = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        with grpc.insecure_channel(self.control) as channel:
            check = health_pb2_grpc.HealthStub(channel).Check
            until = time.monotonic() + ARRIVAL_TIMEOUT_S
            while check(health_pb2.HealthCheckRequest(service="readiness"), timeout=5).status != wanted:
                assert time.monotonic() < until, f"its readiness is never {ready}"
                time.sleep(POLL_S)

    @contextmanager
    def snapshots(self) -> Iterator[Callable[[], control_pb2.SnapshotReply]]:
        """A function that reads the service's counters each time that it is called."""
        with grpc.insecure_channel(self.control) as channel:
            method = channel.unary_unary(
                "/sweetspot.v1.Control/Snapshot", response_deserializer=control_pb2.SnapshotReply.FromString
            )
            yield lambda: method(b"", timeout=5)


@contextmanager
def serving(model: str, *options: str, interpreter: Sequence[str] = (sys.executable,)) -> Iterator[Serving]:
    """`python -m services MODEL`, until the block ends."""
    command = [*interpreter, "-m", "services", model, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            first, second = process.stdout.readline(), process.stdout.readline()
            if not first and process.wait(EXIT_TIMEOUT_S) == NOT_HERE:
                pytest.skip(f"this machine has not, or forbids, what {model} is made of")
            assert first.startswith("listening on "), first
            assert second.startswith("control on "), second
            metrics = ""
            if any(option.startswith("--metrics-port") for option in options):
                third = process.stdout.readline()
                assert third.startswith("metrics on "), third
                metrics = third.split()[-1]
            yield Serving(model, (model, *options), process, first.split()[-1], second.split()[-1], metrics)
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(EXIT_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise
