"""A connection whose calls are large when they are decompressed waits alone: others are served between its calls."""

import threading

import pytest
from sweetspot.v1 import workload_pb2

from services.wire import ClientCall, Code
from tests.serving import serving
from tests.wire_client import WireClient

PATH = "/sweetspot.v1.Workload/Run"
CALLS = 100
MANY = 30
"""Calls of the other connection. Whoever waits for so many waits for whatever that connection sends."""
UNKNOWN_FIELD = b"\x7a"  # field 15, length-delimited: not returned, so that nobody has to read large replies
LARGE = UNKNOWN_FIELD + b"\xc0\x84\x3d" + bytes(1_000_000)  # 1,000,000 as a varint; 1 kB compressed
OF_KEY = [LARGE + workload_pb2.RunRequest(key=key).SerializeToString() for key in (0, 1)]

STARTS = [
    ("reactor",),
    ("partitioned", "--processes=2"),
    ("seda", "--stages-in=processes"),
    ("seda", "--stages-in=threads"),
    ("proactor",),
    ("proactor", "--hand-off=processes", "--processes=2"),
    ("coroutines",),
    ("green_threads",),
    ("half_sync_half_async",),
    ("thread_pool",),
]


@pytest.mark.parametrize("start", STARTS, ids=" ".join)
def test_a_small_call_does_not_wait_for_the_large_ones_of_another_connection(start: tuple[str, ...]) -> None:
    with serving(*start) as service, WireClient(service.address) as abuser:
        honest = [WireClient(service.address) for _ in range(8)]
        for client in honest:
            client.call(PATH, b"")
        calls = [abuser.session.start(PATH, OF_KEY[number % 2], gzip=True) for number in range(CALLS)]
        reader = threading.Thread(target=abuser.wait_for, args=(lambda: all(call.code is not None for call in calls),))
        reader.start()
        codes, waited_for = set(), []
        while reader.is_alive():
            for number, client in enumerate(honest):
                before = served(calls)
                codes.add(client.call(PATH, workload_pb2.RunRequest(key=number).SerializeToString()).code)
                waited_for.append(served(calls) - before)
        reader.join()
        for client in honest:
            client.sock.close()
        assert codes == {Code.OK}
        assert served(calls)
        assert max(waited_for) < MANY


def served(calls: list[ClientCall]) -> int:
    return sum(call.code is Code.OK for call in calls)
