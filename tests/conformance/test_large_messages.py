"""A connection whose calls are large waits alone: others are served between its calls.

The tests count the abuser's calls that end while one honest call waits. It depends on turns, and little on time.
"""

import contextlib
import socket
import statistics
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import pytest
from sweetspot.v1 import workload_pb2

from services.wire import Code
from tests.attackers import LARGE_ECHO, RUN, WIDE_OPENING, calls, connect
from tests.serving import serving
from tests.wire_client import WireClient

CALLS = 50
FEW = 8
"""Calls of the abuser during one honest call: the mean of the honest calls during which one ended. A client that loses
the processor for a time counts more. Where turns are missing, an honest call waits for all that one read brings."""
STILL = 5
"""Rounds of honest calls in which none of the abuser's ends: it has no more, or the service has no memory for more."""
UNKNOWN_FIELD = b"\x7a"  # field 15, length-delimited: not returned, so that replies are small
LARGE = UNKNOWN_FIELD + b"\xc0\x84\x3d" + bytes(1_000_000)  # 1,000,000 as a varint; 1 kB compressed
OF_KEY = [LARGE + workload_pb2.RunRequest(key=key).SerializeToString() for key in (0, 1)]
PATH = RUN.decode()

STARTS = [
    ("reactor",),
    ("callback_pool",),
    ("callback_pool", "--colour=key"),
    ("partitioned", "--processes=2"),
    ("seda", "--stages-in=processes"),
    ("seda", "--stages-in=threads"),
    ("proactor",),
    ("proactor", "--hand-off=threads"),
    ("proactor", "--hand-off=processes", "--processes=2"),
    ("coroutines",),
    ("green_threads",),
    ("half_sync_half_async",),
    ("half_sync_half_async", "--hand-off=blocking"),
    ("half_sync_half_async", "--hand-off=processes", "--processes=2"),
    ("thread_pool",),
    ("thread_per_request",),
]


Ended = Callable[[], float]
"""How many of the abuser's calls have ended."""


@contextmanager
def abused_by_requests(address: str) -> Iterator[Ended]:
    """Large requests that are answered with little."""
    with WireClient(address) as abuser:
        begun = [abuser.session.start(PATH, OF_KEY[number % 2], gzip=True) for number in range(CALLS)]
        reader = threading.Thread(target=abuser.wait_for, args=(lambda: all(call.code is not None for call in begun),))
        reader.start()
        yield lambda: sum(call.code is not None for call in begun)
        reader.join()


@contextmanager
def abused_by_payloads(address: str) -> Iterator[Ended]:
    """Large requests whose replies are as large: calls are counted by the bytes that have been read."""
    buffer, read_bytes = bytearray(1024 * 1024), 0

    def read() -> None:
        nonlocal read_bytes
        with contextlib.suppress(OSError):
            while size := abuser.recv_into(buffer):
                read_bytes += size

    with connect(address) as abuser:
        reader = threading.Thread(target=read)
        abuser.sendall(WIDE_OPENING + calls(RUN, LARGE_ECHO))
        reader.start()
        yield lambda: read_bytes / len(LARGE_ECHO)
        with contextlib.suppress(OSError):
            abuser.shutdown(socket.SHUT_RDWR)
        reader.join()


@pytest.mark.parametrize("abused_by", [abused_by_requests, abused_by_payloads])
@pytest.mark.parametrize("start", STARTS, ids=" ".join)
def test_a_small_call_does_not_wait_for_the_large_ones_of_another_connection(
    start: tuple[str, ...], abused_by: Callable[[str], AbstractContextManager[Ended]]
) -> None:
    with serving(*start) as service, ExitStack() as stack:
        honest = [stack.enter_context(WireClient(service.address)) for _ in range(8)]
        for client in honest:
            client.call(PATH, b"")
        waited_for = list[float]()
        with abused_by(service.address) as ended:
            still = 0
            while still < STILL:
                at_first = ended()
                for number, client in enumerate(honest):
                    before = ended()
                    assert client.call(PATH, workload_pb2.RunRequest(key=number).SerializeToString()).code is Code.OK
                    waited_for.append(ended() - before)
                still = still + 1 if 0 < at_first == ended() else 0
        waited = list(filter(None, waited_for))
        assert not waited or statistics.mean(waited) < FEW, waited_for
