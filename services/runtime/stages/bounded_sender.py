"""The sender's side of a stage's queue. It stores each event until the stage takes it, and bounds what it stores.

It is bounded by count, which is a setting, and by bytes: else the calls of one connection could fill the link between
two processes for seconds.

So a stage that dies takes with it what it had taken, and no more: the rest is handed to its successor.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

from services.runtime.counters.stage_rows import StageRow
from services.runtime.stages.event import Item
from services.runtime.stages.ownership_table import OwnershipTable
from services.runtime.stages.stage_queue import OnTaken

MOST_BYTES = 256 * 1024
"""Handed on and not taken; one more item may be larger."""
_SMOOTHING = 1 / 8
"""Weight of the newest wait in `wait_ns`, as of the newest round trip in TCP's (RFC 6298, section 2)."""


class BoundedSender:
    """To one stage, from one process. Guarantees: the order in which events were handed on. Safe from any thread."""

    def __init__(
        self, row: StageRow, ownership: OwnershipTable, send: Callable[[Item, OnTaken], None], *, bounded: bool = True
    ) -> None:
        """`send` has the stage's queue take an event; the second argument is to be called once the stage has taken it.

        `bounded=False` is for calls that were already admitted.
        """
        self.row = row
        self._ownership = ownership
        self._send = send
        self._bounded = bounded
        self._lock = threading.RLock()
        self._sent: deque[Item] = deque()
        self._sent_bytes = 0
        self._waiting: deque[Item] = deque()
        self.wait_ns = 0.0
        """Until an event handed on is taken, smoothed."""

    @property
    def is_full(self) -> bool:
        """As many events as its setting allows are not taken."""
        return len(self._sent) + len(self._waiting) >= self.row.settings.queue_bound

    @property
    def held_up(self) -> bool:
        """Events wait here for room there."""
        return bool(self._waiting)

    def hand(self, item: Item) -> None:
        """Hands on what this process owns, now or once there is room."""
        item.handed_ns = time.monotonic_ns()
        with self._lock:
            self._waiting.append(item)
            self._hand_waiting()

    def taken(self, count: int) -> None:
        """So many of those sent have been taken, the oldest first."""
        now_ns = time.monotonic_ns()
        with self._lock:
            for _ in range(count):
                item = self._sent.popleft()
                self._sent_bytes -= item.size_bytes
                self.wait_ns += (now_ns - item.handed_ns - self.wait_ns) * _SMOOTHING
            self.row.depth.add(-count)
            self._hand_waiting()

    def start_again(self) -> None:
        """The stage has another process, which has nothing of what was sent: what was not taken is sent again."""
        with self._lock:
            sent, self._sent, self._sent_bytes = self._sent, deque(), 0
            self.row.depth.add(-len(sent))
            for item in sent:
                if self._ownership.is_mine(item.number):
                    self._hand(item)
            self._hand_waiting()

    def _hand_waiting(self) -> None:
        while self._waiting and self._has_room():
            self._hand(self._waiting.popleft())

    def _has_room(self) -> bool:
        if not self._bounded:
            return True
        return len(self._sent) < self.row.settings.queue_bound and self._sent_bytes < MOST_BYTES

    def _hand(self, item: Item) -> None:
        self._sent.append(item)
        self._sent_bytes += item.size_bytes
        self.row.depth.add(1)
        self._send(item, self.taken)
