"""A connection that is passed is the same connection, and is counted until somebody takes it."""

import socket

import pytest

from services.runtime.passing import Channel


def test_what_is_passed_is_taken_in_order_and_then_comes_the_end() -> None:
    channel = Channel()
    pairs = [socket.socketpair() for _ in range(3)]
    for passed, _peer in pairs:
        channel.send(passed)
        passed.close()
    assert channel.unread() == 3
    channel.end()
    for _passed, peer in pairs:
        taken = channel.receive()
        assert taken is not None
        taken.sendall(b"hello")
        assert peer.recv(5) == b"hello"
    assert channel.unread() == 0
    assert channel.receive() is None


def test_nothing_yet_is_not_the_end() -> None:
    with pytest.raises(BlockingIOError):
        Channel().receive()
