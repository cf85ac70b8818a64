"""A process's links to the others of its pipeline: events go out to stages there, events come in for stages here.

    this process                               another one
    Hop --> item STAGE event ----------------> Stage
        <-- taken STAGE count <---------------

Each process makes a link to each other one and leaves the far end in that one's mailbox, which outlives it: a successor
receives there all links that were made before it started. A process that dies while the service drains has no
successor: what is handed on to it is given back. While no descriptor is free for a link to a successor, what is handed
on is not sent; the hops send it once there is a link.
"""

import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

from services.runtime.drain import Drain
from services.runtime.link import Link, Message
from services.runtime.loop import Loop
from services.runtime.passing import Mailbox, Receiver
from services.runtime.shortage import PAUSE_S, Shortage
from services.runtime.stages.event import Answer, Event, Item
from services.runtime.stages.hop import Hop
from services.runtime.stages.pooled_stage import PooledStage
from services.runtime.stages.register import Register
from services.runtime.stages.stage import Stage
from services.runtime.stages.table import Row

Told = Callable[[int], None]


class Exchange:
    """The links of one process. All of it belongs to its loop's thread."""

    def __init__(
        self,
        me: int,
        mailboxes: list[Mailbox],
        loop: Loop,
        register: Register,
        *,
        drain: Drain,
        shortage: Shortage,
        unreachable: Callable[[Item, int], None],
        given_up: Told,
        died: Told,
        left: Told,
    ) -> None:
        """`unreachable` is given what was for a process that is gone, and its number. `given_up` receives the number of
        a call, `died` the process that a link led to, and `left` one that led here.
        """
        self.me = me
        self._mailboxes = mailboxes
        self._loop = loop
        self._register = register
        self._drain = drain
        self._shortage = shortage
        self._unreachable = unreachable
        self._given_up = given_up
        self._died = died
        self._left = left
        self._stages: Mapping[str, Stage | PooledStage] = {}
        self._hops: dict[int, dict[str, Hop]] = {other: {} for other in range(len(mailboxes)) if other != me}
        self._gone: set[int] = set()
        self._links = {other: self._connect(other) for other in self._hops}
        self.led_here: Counter[int] = Counter()
        """Links that others have made to this process."""

    def serve(self, stages: Mapping[str, Stage | PooledStage]) -> None:
        """From now on events come in for these."""
        self._stages = stages
        mailbox = self._mailboxes[self.me]
        self._loop.register(mailbox, Receiver(mailbox, self._loop, self._shortage, partial(_Incoming, self)))

    def hop(self, row: Row, process: int, *, bounded: bool = True) -> Hop:
        """The way to a stage of another process."""
        hop = Hop(row, self._register, partial(self._send, process, row.name), bounded=bounded)
        self._hops[process][row.name] = hop
        return hop

    def give_up(self, number: int) -> None:
        """Notifies the process that holds the call that no caller waits for it any more."""
        self._register.give_up(number)
        holder = self._register.holder(number)
        if holder == self.me:
            self._given_up(number)
        else:
            self._links[holder].send("given up", None, number)

    def _send(self, process: int, stage: str, item: Item) -> None:
        if process in self._gone:
            self._loop.soon(partial(self._hops[process][stage].taken, 1))
            self._unreachable(item, process)
            return
        self._links[process].send("item", stage, item.packed(), payload_bytes=item.size_bytes)

    def _connect(self, other: int) -> Link:
        kept, sent = socket.socketpair()
        with sent:
            self._mailboxes[other].send(sent)
        link = Link(kept, self._loop, received=partial(self._told, other), lost=partial(self._lost, other))
        link.send("from", None, self.me)
        return link

    def _told(self, other: int, messages: list[Message]) -> None:
        for _, stage, count in messages:
            self._hops[other][stage].taken(count)

    def _lost(self, other: int) -> None:
        self._died(other)
        self._link_again(other)

    def _link_again(self, other: int) -> None:
        if self._drain.requested:
            self._gone.add(other)
        else:
            try:
                self._links[other] = self._connect(other)
            except OSError as error:
                self._shortage.of_descriptors(error)
                self._loop.call_at(time.monotonic_ns() + round(PAUSE_S * 1e9), partial(self._link_again, other))
                return
        for hop in self._hops[other].values():
            hop.start_again()


class _Incoming:
    """The far end of another process's link to this one."""

    def __init__(self, exchange: Exchange, sock: socket.socket) -> None:
        self._exchange = exchange
        self._from = -1
        self._taken: Counter[str] = Counter()
        self._told = {name: partial(self._take, name) for name in exchange._stages}
        self._link = Link(sock, exchange._loop, received=self._received, lost=self._lost)

    def _received(self, messages: list[Message]) -> None:
        for kind, stage, what in messages:
            if kind == "item":
                kind_of_item: type[Answer | Event] = Answer if stage == "reply" else Event
                item = kind_of_item.unpacked(what, self._exchange._register)
                self._exchange._stages[stage].put(item, self._told[stage])
            elif kind == "given up":
                self._exchange._given_up(what)
            else:
                self._from = what
                self._exchange.led_here[what] += 1

    def _take(self, stage: str, count: int) -> None:
        if not self._taken:
            self._exchange._loop.soon(self._tell)
        self._taken[stage] += count

    def _tell(self) -> None:
        for stage, count in self._taken.items():
            self._link.send("taken", stage, count)
        self._taken.clear()

    def _lost(self) -> None:
        self._exchange.led_here[self._from] -= 1
        self._exchange._left(self._from)
