"""A stage's queue, and the terms on which events are taken from it. One taker at a time; knows no thread, no loop."""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter

from services.runtime.stages.event import Item
from services.runtime.stages.table import Row
from services.runtime.stages.tokens import Tokens

LOOK_NS = 10_000_000
"""A stage that may not take looks again after so long: settings change without a word."""

Taken = Callable[[int], None]
"""Told of so many events that have been taken: whoever handed them may hand on as many."""


def tell_taken(batch: Sequence[tuple[Item, Taken]]) -> None:
    """Tells whoever handed the events of a batch, once for those that came from one in a row."""
    for taken, row in groupby(batch, itemgetter(1)):
        taken(sum(1 for _ in row))


class Intake:
    """Guarantees: events are taken in the order in which they came, as the stage's settings of that moment allow."""

    def __init__(self, row: Row, *, waits_for_tokens: bool) -> None:
        self._row = row
        self._waits_for_tokens = waits_for_tokens
        self._queue: deque[tuple[Item, Taken]] = deque()
        self._tokens = Tokens()

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, item: Item, taken: Taken) -> None:
        """Queues an event; whoever takes it is to call `taken`."""
        self._queue.append((item, taken))

    def take(self, most: int, now_ns: int) -> list[tuple[Item, Taken]]:
        """A batch: as many as its settings allow, and `most`; none where it is too soon for the next one."""
        settings = self._row.settings
        rate_per_s = settings.rate_per_s if self._waits_for_tokens else 0
        count = self._tokens.take(min(len(self._queue), settings.batch, most), rate_per_s, now_ns)
        batch = [self._queue.popleft() for _ in range(count)]
        if batch:
            self._row.waited_ns.add(sum(now_ns - item.handed_ns for item, _ in batch))
            self._row.served.add(count)
        return batch

    def next_ns(self, now_ns: int) -> int:
        """When to look again for those that it was too soon for."""
        rate_per_s = self._row.settings.rate_per_s if self._waits_for_tokens else 0
        return min(self._tokens.next_ns(rate_per_s, now_ns), now_ns + LOOK_NS)
