"""What is remembered of requests stays small, whatever peers send."""

import tracemalloc
from collections.abc import Callable

import pytest

from services.wire import Code
from services.wire.request import read_request
from services.wire.response import trailers_only
from tests.wire.frames import request_to

LARGE_BYTES = 32 * 1024
MANY = 60

LARGE: dict[str, Callable[[str], object]] = {
    "heads": lambda text: read_request(request_to(b"/test/Unary", (b"field", text.encode()))),
    "refused encodings": lambda text: read_request(request_to(b"/test/Unary", (b"grpc-encoding", text.encode()))),
    "status messages": lambda text: trailers_only(Code.UNIMPLEMENTED, f"unknown method {text}"),
}


@pytest.mark.parametrize("read", LARGE.values(), ids=LARGE)
def test_nothing_large_that_a_peer_sent_is_remembered(read: Callable[[str], object]) -> None:
    tracemalloc.start()
    for number in range(MANY):
        read(f"{number:02}" * (LARGE_BYTES // 2))
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held_bytes < 2 * LARGE_BYTES


def test_a_large_head_is_read_again_each_time() -> None:
    fields = request_to(b"/test/Unary", (b"field", bytes(LARGE_BYTES)))
    assert read_request(fields) is not read_request(fields)


def test_a_small_head_is_read_once_and_a_thousand_others_push_it_out() -> None:
    fields = request_to(b"/test/Unary")
    first = read_request(fields)
    assert read_request(request_to(b"/test/Unary")) is first
    for number in range(1024):
        read_request(request_to(b"/test/%d" % number))
    assert read_request(fields) is not first
