"""Every demultiplexer reports the same readiness."""

import socket
import time
from collections.abc import Iterator

import pytest

from services.runtime.readiness.demultiplexer import (
    DEMULTIPLEXERS,
    FD_SETSIZE,
    READABLE,
    WRITABLE,
    Demultiplexer,
    Select,
)

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(params=DEMULTIPLEXERS)
def demultiplexer(request: pytest.FixtureRequest) -> Demultiplexer:
    return DEMULTIPLEXERS[request.param]()


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_only_what_is_asked_for_is_told(demultiplexer: Demultiplexer, pair: Pair) -> None:
    ours, theirs = pair
    fd = ours.fileno()
    demultiplexer.register(fd, READABLE)
    assert demultiplexer.poll(0) == []
    demultiplexer.modify(fd, READABLE | WRITABLE)
    assert demultiplexer.poll(0) == [(fd, WRITABLE)]
    theirs.send(b"!")
    assert demultiplexer.poll(None) == [(fd, READABLE | WRITABLE)]
    demultiplexer.modify(fd, READABLE)
    assert demultiplexer.poll(None) == [(fd, READABLE)]
    demultiplexer.unregister(fd)
    assert demultiplexer.poll(0) == []


def test_what_was_not_read_is_told_again(demultiplexer: Demultiplexer, pair: Pair) -> None:
    ours, theirs = pair
    demultiplexer.register(ours.fileno(), READABLE)
    theirs.send(b"!")
    assert demultiplexer.poll(None) == demultiplexer.poll(None) == [(ours.fileno(), READABLE)]


def test_a_peer_that_has_left_makes_its_socket_readable(demultiplexer: Demultiplexer, pair: Pair) -> None:
    ours, theirs = pair
    demultiplexer.register(ours.fileno(), READABLE)
    theirs.close()
    ((fd, events),) = demultiplexer.poll(None)
    assert fd == ours.fileno()
    assert events & ~WRITABLE, "a handler reads, and finds the end"


def test_a_timeout_is_in_seconds(demultiplexer: Demultiplexer, pair: Pair) -> None:
    demultiplexer.register(pair[0].fileno(), READABLE)
    before_ns = time.monotonic_ns()
    assert demultiplexer.poll(0.02) == []
    assert time.monotonic_ns() - before_ns >= 20_000_000


def test_select_refuses_what_it_cannot_watch() -> None:
    demultiplexer = Select()
    with pytest.raises(OSError, match=f"descriptor {FD_SETSIZE}; its limit is {FD_SETSIZE - 1}"):
        demultiplexer.register(FD_SETSIZE, READABLE)
    assert demultiplexer.poll(0) == []
