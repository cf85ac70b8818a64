"""The processes and threads that a service is made of, while clients are connected.

Must not know a model, nor how many there should be.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweetspot.v1.control_pb2 import SnapshotReply
from sweetspot.v1.workload_pb2 import RunReply, RunRequest

from tools.control import ControlClient, open_channel
from tools.local import LocalError

if TYPE_CHECKING:
    import grpc

STEADY_S = 0.2
"""What has not changed for so long is the number that was asked for."""
POLL_S = 0.02
TIMEOUT_S = 20.0
ALONE = ("grpc.use_local_subchannel_pool", 1)
"""Else grpcio gives two channels to one address the same connection."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Of a service."""

    processes: int
    """Without the one of the control port."""
    threads: int
    """Of all these processes."""
    connections: int
    """0 where grpcio has them."""

    @classmethod
    def of(cls, snapshot: SnapshotReply) -> "Parts":
        """As the service's own counters have them."""
        return cls(snapshot.processes, snapshot.threads, snapshot.connections)


@contextmanager
def clients(address: str, count: int, patience_s: float = TIMEOUT_S) -> Iterator[list["grpc.Channel"]]:
    """Makes `count` clients, each with a connection of its own. Yields those that are served within `patience_s`.

    A model may serve one connection at a time; the others then wait in its backlog.
    """
    with ExitStack() as stack:
        channels = [stack.enter_context(open_channel(address, ALONE)) for _ in range(count)]
        yield [channel for channel in channels if is_served(channel, patience_s)]


def is_served(channel: "grpc.Channel", patience_s: float) -> bool:
    """Asks again where the connection turns out to be gone: grpcio may send on one whose end it has not read yet."""
    import grpc  # noqa: PLC0415  (0.1 s)

    run = channel.unary_unary("/sweetspot.v1.Workload/Run", RunRequest.SerializeToString, RunReply.FromString)
    deadline_s = time.monotonic() + patience_s
    while (left_s := deadline_s - time.monotonic()) > 0:
        try:
            reply: RunReply = run(RunRequest(payload=b"echo"), timeout=left_s, wait_for_ready=True)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                continue
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                break
            raise LocalError(f"a call was answered {error.code().name}: {error.details()}") from error
        return reply.payload == b"echo"
    return False


def made_of(control: str) -> Parts:
    """The parts of the service whose control port is at HOST:PORT, once they are steady. Raises LocalError."""
    deadline_s = time.monotonic() + TIMEOUT_S
    with ControlClient(control) as asked:
        last, since_s = Parts.of(asked.snapshot()), time.monotonic()
        while time.monotonic() < deadline_s:
            time.sleep(POLL_S)
            parts = Parts.of(asked.snapshot())
            if parts != last:
                last, since_s = parts, time.monotonic()
            elif time.monotonic() - since_s >= STEADY_S:
                return parts
    raise LocalError(f"its processes and threads did not become steady in {TIMEOUT_S:.0f} s: {last}")
