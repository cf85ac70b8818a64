"""A connection that is passed is the same connection, and is counted until another process takes it."""

import errno
import socket

import pytest

from services.runtime.counters.shared_counters import SharedCounters
from services.runtime.processes.mailbox import Mailbox, Receiver
from services.runtime.readiness.demultiplexer import READABLE
from services.runtime.readiness.loop import Loop
from services.runtime.shortage import Shortage


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


def test_an_error_of_what_takes_a_connection_is_no_shortage_of_the_process_that_receives_it() -> None:
    mailbox, shortage = Mailbox(), Shortage("reactor", SharedCounters())

    def take(_: socket.socket) -> None:
        raise OSError(errno.ENOMEM, "of the one who takes")

    receiver = Receiver(mailbox, Loop(), shortage, take)
    for passed in socket.socketpair():
        mailbox.send(passed)
    with pytest.raises(OSError, match="of the one who takes"):
        receiver.ready(READABLE)
    assert not shortage.is_now
