"""A loop's connection writes without copying, and never so much that other connections wait."""

import select
import socket
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from services.runtime.readiness.demultiplexer import READABLE, WRITABLE
from services.runtime.readiness.loop import EventSource, Loop
from services.runtime.readiness.writer import TURN_BYTES, Writer

PIECE_BYTES = 1000


class Kernel:
    """A socket that takes some bytes at a time, and a loop that notes what is watched."""

    def __init__(self, *takes: int) -> None:
        self.takes = iter(takes)
        self.offered: list[bytes | memoryview] = []
        self.watched = READABLE

    def send(self, data: bytes | memoryview) -> int:
        self.offered.append(data)
        try:
            return min(next(self.takes), len(data))
        except StopIteration:
            raise BlockingIOError from None

    def fileno(self) -> int:
        return 7

    def modify(self, _source: EventSource, events: int) -> None:
        self.watched = events

    def writer(self) -> Writer:
        return Writer(cast(socket.socket, self), cast(Loop, self))


def once(*chunks: bytes) -> Callable[[], bytes]:
    given = iter(chunks)
    return lambda: next(given, b"")


def test_what_the_kernel_does_not_take_is_offered_again_without_a_copy() -> None:
    data = bytes(10 * PIECE_BYTES)
    kernel = Kernel(*[PIECE_BYTES] * 10)
    writer = kernel.writer()
    to_send = once(data)
    for left in range(9, -1, -1):
        writer.write(to_send)
        assert writer.unsent_bytes == left * PIECE_BYTES
    views = kernel.offered[1:]
    assert [len(view) for view in views] == [left * PIECE_BYTES for left in range(9, 0, -1)]
    assert all(isinstance(view, memoryview) and view.obj is data for view in views)


def test_the_loop_reports_that_the_socket_takes_more_for_as_long_as_something_is_left() -> None:
    kernel = Kernel(1)
    writer = kernel.writer()
    writer.write(once(b"two"))
    assert kernel.watched == READABLE | WRITABLE
    writer.read(wanted=False)
    assert kernel.watched == WRITABLE
    kernel.takes = iter((2,))
    writer.write(once())
    assert (kernel.watched, writer.has_more) == (0, False)
    writer.read(wanted=True)
    assert kernel.watched == READABLE


def test_a_peer_that_reads_as_fast_as_the_loop_writes_does_not_hold_the_loop() -> None:
    kernel = Kernel(*[PIECE_BYTES] * 10_000)
    writer = kernel.writer()
    writer.write(lambda: bytes(PIECE_BYTES))
    assert TURN_BYTES <= len(kernel.offered) * PIECE_BYTES < TURN_BYTES + PIECE_BYTES
    assert kernel.watched == READABLE | WRITABLE


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_all_bytes_arrive_in_order_where_the_socket_takes_a_part(pair: tuple[socket.socket, socket.socket]) -> None:
    one, other = pair
    one.setblocking(False)
    loop = Loop(select.epoll())
    loop.register(one, cast(Any, None))
    chunks = [bytes([number]) * 100_000 for number in range(10)]
    writer, to_send, arrived = Writer(one, loop), once(*chunks), bytearray()
    writer.write(to_send)
    while writer.has_more:
        arrived += other.recv(30_000)
        writer.write(to_send)
    other.settimeout(1)
    while len(arrived) < 1_000_000:
        arrived += other.recv(1_000_000)
    assert bytes(arrived) == b"".join(chunks)
