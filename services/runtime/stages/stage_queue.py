"""A stage's queue, and the rules by which events are taken from it. One taker at a time; knows no thread, no loop."""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Protocol

from services.runtime.counters.stage_rows import StageRow
from services.runtime.stages.event import Item
from services.runtime.stages.tokens import Tokens

LOOK_NS = 2_000_000
"""A stage that may not take looks again after so long, because it is not notified when settings change."""

BATCH_BYTES = 64 * 1024

OnTaken = Callable[[int], None]
"""Called with the number of events that have been taken: the sender may hand on as many."""
QueuedItem = tuple[Item, OnTaken]


class EventQueue(Protocol):
    """What holds events until they are taken: a deque, or what gives them in another order."""

    def __len__(self) -> int: ...
    def append(self, queued: QueuedItem, /) -> None: ...
    def popleft(self) -> QueuedItem: ...


size_bytes: Callable[[Item], int] = attrgetter("size_bytes")
"""Of what is large in an event."""


def acknowledge(batch: Sequence[QueuedItem]) -> None:
    """Acknowledges the events of a batch, once for each row of events from one sender."""
    for taken, row in groupby(batch, itemgetter(1)):
        taken(sum(1 for _ in row))


class StageQueue:
    """Guarantees: events are taken in the order of their queue, as the stage's settings of that moment allow."""

    def __init__(
        self,
        row: StageRow,
        *,
        waits_for_tokens: bool,
        queue: EventQueue | None = None,
        size_of: Callable[[Item], int] = size_bytes,
    ) -> None:
        """`queue`: first come, first served, where none is given."""
        self._row = row
        self._waits_for_tokens = waits_for_tokens
        self._queue: EventQueue = deque() if queue is None else queue
        self._size_of = size_of
        self._tokens = Tokens()

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, item: Item, taken: OnTaken) -> None:
        """Queues an event; the code that takes it must call `taken`."""
        self._queue.append((item, taken))

    def take(self, most: int, now_ns: int) -> list[QueuedItem]:
        """A batch: as many as its settings allow, and `most`; none where it is too soon for the next one.

        It ends with the event that makes it BATCH_BYTES, whatever the settings allow: what waits behind a batch waits
        until there is room for all of it.
        """
        settings = self._row.settings
        rate_per_s = settings.rate_per_s if self._waits_for_tokens else 0
        count = self._tokens.take(min(len(self._queue), settings.batch, most), rate_per_s, now_ns)
        batch: list[QueuedItem] = []
        taken_bytes = waited_ns = 0
        while len(batch) < count and taken_bytes < BATCH_BYTES:
            item, _ = queued = self._queue.popleft()
            batch.append(queued)
            taken_bytes += self._size_of(item)
            waited_ns += now_ns - item.handed_ns
        if rate_per_s and len(batch) < count:
            self._tokens.give_back(count - len(batch))
        if batch:
            self._row.waited_ns.add(waited_ns)
            self._row.served.add(len(batch))
        return batch

    def next_ns(self, now_ns: int) -> int:
        """When to look again for those that it was too soon for."""
        rate_per_s = self._row.settings.rate_per_s if self._waits_for_tokens else 0
        return min(self._tokens.next_ns(rate_per_s, now_ns), now_ns + LOOK_NS)
