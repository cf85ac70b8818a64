"""Connections that come and go, well-behaved or not, leave nothing behind: no descriptor, thread, process or memory."""

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sweetspot.v1 import control_pb2, workload_pb2

from services.wire import Code
from tests.serving import POLL_S, Serving
from tests.wire import frames
from tests.wire_client import WireClient

RUN = "/sweetspot.v1.Workload/Run"
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # socket(7), SO_LINGER
PATIENCE_S = 10
WARM_UP, MOST_ROUNDS = 100, 12
LEAKED_BYTES = 8 * 1024
"""Less than an idle connection needs. If the service grows by more for each connection, connections are not freed."""


def asks_and_leaves(address: str) -> None:
    with WireClient(address) as client:
        assert client.call(RUN, b"").code is Code.OK


def leaves_before_the_answer(address: str) -> None:
    with WireClient(address) as client:
        client.session.start(RUN, workload_pb2.RunRequest(payload=bytes(10_000)).SerializeToString())
        client.flush()
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)


def says_half_a_preface(address: str) -> None:
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        peer.sendall(frames.PREFACE[:10])


VISITS = (asks_and_leaves, asks_and_leaves, leaves_before_the_answer, says_half_a_preface)


def visit(service: Serving, connections: int) -> None:
    for number in range(connections):
        VISITS[number % len(VISITS)](service.address)


def family(pid: int) -> Iterator[int]:
    """The process and its descendants. One that ends during this time may be missed."""
    yield pid
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))


def descriptors(service: Serving) -> int:
    """Open in all processes of the service."""
    count = 0
    for pid in family(service.process.pid):
        with contextlib.suppress(FileNotFoundError):
            count += len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return count


def growth_bytes(service: Serving, connections: int) -> Iterator[int]:
    """Has so many clients come and go, again and again. Yields the bytes by which the service grows each time.

    Each time everything else must be as it was before.
    """
    with service.snapshots() as snapshot:  # open throughout, as it is a descriptor too
        visit(service, WARM_UP)
        before, kept_open = settled(service, snapshot)
        threads = before.threads + connections // 20  # a pool may start some only when they are needed
        rss_bytes = before.rss_bytes
        for _ in range(MOST_ROUNDS):
            visit(service, connections)
            until = time.monotonic() + PATIENCE_S
            while True:
                after, left_open = settled(service, snapshot)
                if after.threads <= threads and after.processes <= before.processes and left_open <= kept_open:
                    break
                assert time.monotonic() < until, (
                    f"{left_open - kept_open} descriptors are left over, or worse:\n{after}"
                )
            yield after.rss_bytes - rss_bytes
            rss_bytes = after.rss_bytes


def stops_growing(service: Serving, connections: int, bound_bytes: int) -> None:
    """Fails unless it grows by less than that twice in a row.

    A leak grows every time. What each of many processes touches for the first time becomes less and less: some need
    600 connections for it.
    """
    grown = list[int]()
    for growth in growth_bytes(service, connections):
        grown.append(growth)
        if len(grown) > 1 and max(grown[-2:]) < bound_bytes:
            return
    pytest.fail(f"{connections} connections, again and again, and it grows every time: {grown}")


def settled(
    service: Serving, snapshot: Callable[[], control_pb2.SnapshotReply]
) -> tuple[control_pb2.SnapshotReply, int]:
    """The counters, and the descriptors open, once no connection is."""
    until = time.monotonic() + PATIENCE_S
    while (counted := snapshot()).connections or counted.calls_in_flight:
        assert time.monotonic() < until, f"a connection is left over:\n{counted}"
        time.sleep(POLL_S)
    return counted, descriptors(service)


def test_connections_that_come_and_go_leave_nothing_behind(service: Serving) -> None:
    stops_growing(service, 100, 100 * LEAKED_BYTES)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_ten_thousand_connections_leave_nothing_behind(service: Serving) -> None:
    visit(service, 1000)
    stops_growing(service, 3_000, 150 * LEAKED_BYTES)  # nor does one in twenty
