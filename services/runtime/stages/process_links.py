"""A process's links to the others of its pipeline: events go out to stages there, events come in for stages here.

    this process                               another one
    BoundedSender --> item STAGE event ------> Stage
                  <-- taken STAGE count <-----

Each process makes a link to each other one and leaves the far end in that one's mailbox, which outlives it: a successor
receives there all links that were made before it started. A process that dies while the service drains has no
successor: what is handed on to it is given back. While no descriptor is free for a link to a successor, what is handed
on is not sent; the senders send it once there is a link.
"""

import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from services.runtime.counters.stage_rows import StageRow
from services.runtime.drain import Drain
from services.runtime.processes.link import Link, Message, open_link
from services.runtime.processes.mailbox import Mailbox
from services.runtime.readiness.loop import Loop
from services.runtime.shortage import PAUSE_S, Shortage
from services.runtime.stages.bounded_sender import BoundedSender
from services.runtime.stages.event import Event, Item, StageAnswer
from services.runtime.stages.ownership_table import OwnershipTable
from services.runtime.stages.pooled_stage import PooledStage
from services.runtime.stages.stage import Stage
from services.runtime.stages.stage_queue import OnTaken


class ProcessLinks:
    """The links of one process. All of it belongs to its loop's thread."""

    def __init__(
        self,
        me: int,
        mailboxes: Sequence[Mailbox],
        loop: Loop,
        ownership: OwnershipTable,
        *,
        drain: Drain,
        shortage: Shortage,
    ) -> None:
        """`me` is the number of this process. `mailboxes` has that of each process."""
        self._me = me
        self._mailboxes = mailboxes
        self._loop = loop
        self._make_link = partial(Link, loop=loop)
        self._ownership = ownership
        self._drain = drain
        self._shortage = shortage
        self._stages: Mapping[str, Stage | PooledStage] = {}
        self._senders: dict[int, dict[str, BoundedSender]] = {other: {} for other in range(len(mailboxes))}
        self._gone: set[int] = set()
        self._led_here: Counter[int] = Counter()
        """Links that other processes have made to this one."""
        self._is_draining = False
        self._links: dict[int, Link] = {}

    def sender(self, row: StageRow, process: int, *, bounded: bool = True) -> BoundedSender:
        """To a stage of another process."""
        sender = BoundedSender(row, self._ownership, partial(self._send, process, row.name), bounded=bounded)
        self._senders[process][row.name] = sender
        return sender

    def serve(
        self,
        stages: Mapping[str, Stage | PooledStage],
        *,
        unreachable: Callable[[Item, int], None],
        given_up: Callable[[int], None],
        died: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Makes a link to each other process. Events that come in are for these stages. Raises OSError.

        `unreachable` gets an item for a process that is gone, and the number of the process. `given_up` gets the number
        of a call, and `died` that of a process.
        """
        self._stages = stages
        self._unreachable = unreachable
        self._given_up = given_up
        self._died = died
        for other in self._senders:
            if other != self._me:
                self._connect(other)

    def connected(self, sock: socket.socket) -> None:
        """Another process has made a link to this one."""
        _Incoming(self, sock).link.start()

    def give_up(self, number: int) -> None:
        """Notifies the process that owns the call that no caller waits for it any more."""
        self._ownership.give_up(number)
        owner = self._ownership.owner(number)
        if owner == self._me:
            self._given_up(number)
        else:
            self._links[owner].send("given up", None, number)

    def ready(self, events: int) -> None:
        """The service drains."""
        self._loop.unregister(self._drain)
        self._is_draining = True

    def drained_without(self, process: int) -> bool:
        """The service drains, and that process has left."""
        # A process that has just been forked has yet to read that the other one is there.
        return self._is_draining and self._led_here.get(process) == 0

    def _send(self, process: int, stage: str, item: Item, taken: OnTaken) -> None:
        if process in self._gone:
            self._loop.soon(partial(taken, 1))
            self._unreachable(item, process)
        else:
            self._links[process].send("item", stage, item.packed(), payload_bytes=item.size_bytes)

    def _connect(self, other: int) -> None:
        received, lost = partial(self._acknowledged, other), partial(self._lost, other)
        link = self._links[other] = open_link(self._make_link, self._mailboxes[other], received=received, lost=lost)
        link.start()
        link.send("from", None, self._me)

    def _acknowledged(self, other: int, messages: list[Message]) -> None:
        for _, stage, count in messages:
            self._senders[other][stage].taken(count)

    def _lost(self, other: int) -> None:
        self._died(other)
        self._link_again(other)

    def _link_again(self, other: int) -> None:
        if self._drain.requested:
            self._gone.add(other)
        else:
            try:
                self._connect(other)
            except OSError as error:
                self._shortage.of_descriptors(error)
                self._loop.call_at(time.monotonic_ns() + round(PAUSE_S * 1e9), partial(self._link_again, other))
                return
        for sender in self._senders[other].values():
            sender.start_again()


class _Incoming:
    """The far end of another process's link to this one."""

    def __init__(self, links: ProcessLinks, sock: socket.socket) -> None:
        self._links = links
        self._from = -1
        self._taken: Counter[str] = Counter()
        self._takers = {name: partial(self._take, name) for name in links._stages}
        self.link = links._make_link(sock, received=self._received, lost=self._lost)

    def _received(self, messages: list[Message]) -> None:
        for kind, stage, what in messages:
            if kind == "item":
                kind_of_item: type[StageAnswer | Event] = StageAnswer if stage == "reply" else Event
                item = kind_of_item.unpacked(what, self._links._ownership)
                self._links._stages[stage].put(item, self._takers[stage])
            elif kind == "given up":
                self._links._given_up(what)
            else:
                self._from = what
                self._links._led_here[what] += 1

    def _take(self, stage: str, count: int) -> None:
        if not self._taken:
            self._links._loop.soon(self._acknowledge)
        self._taken[stage] += count

    def _acknowledge(self) -> None:
        for stage, count in self._taken.items():
            self.link.send("taken", stage, count)
        self._taken.clear()

    def _lost(self) -> None:
        self._links._led_here[self._from] -= 1
