"""A process's link to another one of its pipeline is there again as soon as that one, and a descriptor, are."""

import errno
import socket
import time

import pytest

from services.runtime.counters.shared_counters import SharedCounters
from services.runtime.counters.stage_rows import StageRows
from services.runtime.drain import Drain
from services.runtime.processes.link import Mail, Message
from services.runtime.processes.mailbox import Mailbox
from services.runtime.readiness.loop import Loop
from services.runtime.shortage import Shortage
from services.runtime.stages.event import StageAnswer
from services.runtime.stages.ownership_table import OwnershipTable
from services.runtime.stages.process_links import ProcessLinks
from tests.runtime.rounds import take_round_now

TIMEOUT_S = 5


def received(mailbox: Mailbox, loop: Loop) -> tuple[socket.socket, list[Message]]:
    """The next link to that process, and the first that comes over it."""
    until_s = time.monotonic() + TIMEOUT_S
    while not mailbox.unread():
        assert time.monotonic() < until_s
        take_round_now(loop)
    link = mailbox.receive()
    assert link is not None
    take_round_now(loop)
    return link, Mail().arrive(link.recv(4096))


def test_what_is_handed_on_while_no_descriptor_is_free_for_a_link_is_sent_once_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, ownership, counters = Loop(), OwnershipTable(), SharedCounters()
    ownership.reset()
    mailboxes, shortage, died = [Mailbox(), Mailbox()], Shortage("seda", counters), list[int]()
    links = ProcessLinks(
        0,
        mailboxes,
        loop,
        ownership,
        drain=Drain(),
        shortage=shortage,
    )
    links.serve({}, unreachable=lambda *_: None, given_up=lambda _: None, died=died.append)
    row = StageRows(("call",), counters).rows["call"]
    row.settings.set("queue_bound", 10)
    sender = links.sender(row, 1)
    link, messages = received(mailboxes[1], loop)
    assert messages == [("from", None, 0)]

    def no_descriptor() -> tuple[socket.socket, socket.socket]:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "socketpair", no_descriptor)
        link.close()
        while not died:
            take_round_now(loop)
        assert shortage.is_now
        number = ownership.begin()
        assert number is not None
        sender.hand(StageAnswer(number, 0))
        take_round_now(loop)
    _, messages = received(mailboxes[1], loop)
    assert [(kind, stage) for kind, stage, _ in messages] == [("from", None), ("item", "call")]
    assert (died, row.depth.value()) == ([1], 1)
