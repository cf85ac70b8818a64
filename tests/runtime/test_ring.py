"""Each request that is submitted completes, once or many times, and its handler is called with the result."""

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterator, Sequence

import pytest

from services.runtime.proactor.loop import Proactor, ignore
from services.runtime.proactor.ring import BUFFER_BYTES, BUFFERS, COMPLETIONS, ENTRIES, MORE, OnCompletion, Ring
from services.runtime.refusal import NotHereError

FAR_NS = 3600 * 10**9


@pytest.fixture
def proactor() -> Proactor:
    try:
        return Proactor()
    except NotHereError as error:
        pytest.skip(str(error))


@pytest.fixture
def ring(proactor: Proactor) -> Ring:
    return proactor.ring


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def dispatch(ring: Ring, until: Sequence[object], count: int = 1) -> None:
    """Calls the handlers of completions until `until` has `count` entries."""
    while len(until) < count:
        for told, result, flags in ring.wait():
            told(result, flags)


def test_one_request_receives_again_and_again_until_the_peer_closes(
    ring: Ring, ends: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = ends
    got = list[bytes]()
    ring.receive(ours.fileno(), lambda result, flags: got.append(ring.received(result, flags) if result else b""))
    for number in range(2 * BUFFERS):  # so that every buffer has come back
        theirs.sendall(b"%d" % number)
        dispatch(ring, got, number + 1)
    theirs.close()
    dispatch(ring, got, 2 * BUFFERS + 1)
    assert got == [*(b"%d" % number for number in range(2 * BUFFERS)), b""]


def test_a_receive_without_a_buffer_is_over_and_loses_nothing(
    ring: Ring, ends: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = ends
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * BUFFERS * BUFFER_BYTES)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * BUFFERS * BUFFER_BYTES)
    told = list[tuple[int, int]]()
    ring.receive(ours.fileno(), lambda *completion: told.append(completion))
    sent = os.urandom(BUFFER_BYTES)
    theirs.setblocking(False)
    while not told or told[-1][1] & MORE:
        with contextlib.suppress(BlockingIOError):
            theirs.send(sent)
        dispatch(ring, told, len(told) + 1)
    assert told[-1][0] == -errno.ENOBUFS
    assert len(told) == BUFFERS + 1
    assert {ring.received(*completion) for completion in told[:-1]} == {sent}


def test_a_send_completes_when_all_is_taken(ring: Ring, ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    data = os.urandom(4 * 1024 * 1024)  # more than the socket holds
    sent, got = list[int](), bytearray()
    ring.send(ours.fileno(), data, lambda result, flags: sent.append(result))
    del ours
    theirs.setblocking(False)
    ring.timeout(time.monotonic_ns() + FAR_NS, lambda *_: None)
    while len(got) < len(data):
        tick = list[object]()
        ring.timeout(time.monotonic_ns(), lambda *_: tick.append(None))  # noqa: B023 - told of within this turn
        dispatch(ring, tick)
        try:
            got += theirs.recv(1024 * 1024)
        except BlockingIOError:
            continue
    dispatch(ring, sent)
    assert (sent, got == data) == ([len(data)], True)


def test_timeouts_complete_in_the_order_of_their_times_and_cancelled_ones_not_at_all(ring: Ring) -> None:
    told = list[str]()
    now_ns = time.monotonic_ns()
    ring.timeout(now_ns + 20_000_000, lambda *_: told.append("second"))
    ring.timeout(now_ns + 10_000_000, lambda *_: told.append("first"))
    ring.cancel(ring.timeout(now_ns + 15_000_000, lambda *_: told.append("cancelled")))
    late = ring.timeout(now_ns + FAR_NS, lambda *_: told.append("far"))
    dispatch(ring, told, 2)
    ring.cancel(late)
    ring.cancel(late)
    assert told == ["first", "second"]


def test_more_requests_than_the_queue_holds_are_all_done(ring: Ring) -> None:
    told = list[int]()
    for _ in range(3 * ENTRIES):
        ring.timeout(time.monotonic_ns(), lambda result, flags: told.append(result))
    dispatch(ring, told, 3 * ENTRIES)
    assert set(told) == {-errno.ETIME}


def test_a_request_that_cannot_be_done_tells_why(ring: Ring) -> None:
    told = list[int]()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ring.receive(listener.fileno(), lambda result, flags: told.append(result))
        dispatch(ring, told)
    assert told == [-errno.ENOTCONN]


def test_one_poll_tells_of_every_write_to_an_eventfd(ring: Ring) -> None:
    told = list[int]()
    fd = os.eventfd(0)
    ring.poll(fd, lambda result, flags: told.append(flags & MORE))
    for count in (1, 2, 3):
        os.eventfd_write(fd, 1)
        dispatch(ring, told, count)
    os.close(fd)
    assert told == [MORE] * 3


class Counting:
    """A handler that reads what an eventfd has."""

    def __init__(self, fd: int, told: list[object]) -> None:
        self._fd = fd
        self._told = told

    def fileno(self) -> int:
        return self._fd

    def ready(self, events: int) -> None:
        self._told.append(os.eventfd_read(self._fd))


def fill_completions(ring: Ring, told: OnCompletion = ignore) -> None:
    """Has as many requests completed as their queue holds, and none of them taken."""
    for _ in range(COMPLETIONS):
        ring.timeout(0, told)
    ring._enter(at_least=COMPLETIONS, flags=1)


def test_a_full_queue_of_completions_is_told_of_in_full(ring: Ring) -> None:
    told = list[object]()
    fill_completions(ring, lambda *completion: told.append(completion))
    ring.timeout(0, ignore)
    for completed, result, flags in ring.wait():
        completed(result, flags)
    assert len(told) == COMPLETIONS


def test_a_handler_is_told_again_where_its_poll_is_over_because_the_queue_was_full(proactor: Proactor) -> None:
    told = list[object]()
    fd = os.eventfd(0, os.EFD_NONBLOCK)
    counting = Counting(fd, told)
    proactor.register(counting, counting)
    fill_completions(proactor.ring)
    proactor.ring.timeout(time.monotonic_ns() + 10 * 10**9, lambda *_: pytest.fail("nobody told it"))
    for count in (1, 2, 3):
        os.eventfd_write(fd, count)
        dispatch(proactor.ring, told, count)
    os.close(fd)
    assert told == [1, 2, 3]
