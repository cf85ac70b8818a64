"""A connection that is passed is the same connection, and is counted until somebody takes it."""

import socket

import pytest

from services.runtime.passing import Mailbox


def test_what_is_passed_is_taken_in_order_and_then_comes_the_end() -> None:
    mailbox = Mailbox()
    pairs = [socket.socketpair() for _ in range(3)]
    for passed, _peer in pairs:
        mailbox.send(passed)
        passed.close()
    assert mailbox.unread() == 3
    mailbox.end()
    for _passed, peer in pairs:
        taken = mailbox.receive()
        assert taken is not None
        taken.sendall(b"hello")
        assert peer.recv(5) == b"hello"
    assert mailbox.unread() == 0
    assert mailbox.receive() is None


def test_nothing_yet_is_not_the_end() -> None:
    with pytest.raises(BlockingIOError):
        Mailbox().receive()
