"""The taking end of a stage's queue: events come from wherever, and are begun as the stage's settings allow.

    hops of other stages --> | event | event | --> [ begin a batch ] --> hops to other stages
                                       ^
           a worker is free? a token is there? has what was handed on found room? then at most `batch` at once

All of it belongs to the loop's thread; who runs what is begun is the model's.
"""

import time
from collections import deque
from collections.abc import Callable

from services.runtime.loop import Loop, Timer
from services.runtime.stages.event import Packed
from services.runtime.stages.table import Row
from services.runtime.stages.tokens import Tokens

LOOK_NS = 10_000_000
"""A stage that may not take looks again after so long: settings change without a word."""

Taken = Callable[[int], None]
"""Told of so many events that have been taken: whoever handed them may hand on as many."""


class Stage:
    """Guarantees: events are begun in the order in which they came; where hand-ons find no room, none is begun."""

    def __init__(
        self,
        row: Row,
        loop: Loop,
        *,
        begin: Callable[[list[Packed]], int],
        held_up: Callable[[], bool],
        skippable: bool = False,
        waits_for_tokens: bool = True,
        worker_each: bool = False,
    ) -> None:
        """`begin` gives the workers that it keeps until `free`: one for each event of a batch, or one for all.

        held_up: whether what was handed on from here still waits for room.
        skippable: who hands events to it is of the same process, so that to bypass it is to skip its queue.
        """
        self.row = row
        self._loop = loop
        self._begin = begin
        self._held_up = held_up
        self._skippable = skippable
        self._waits_for_tokens = waits_for_tokens
        self._worker_each = worker_each
        self._queue: deque[tuple[Packed, Taken]] = deque()
        self._tokens = Tokens()
        self._busy = 0
        self._looking = False
        self._timer: Timer | None = None

    def put(self, packed: Packed, taken: Taken) -> None:
        """Queues an event; `taken` is called with 1 once it is begun."""
        if self._skippable and self.row.settings.bypass and not self._queue and not self._held_up():
            taken(1)
            self._begin([packed])
            return
        self._queue.append((packed, taken))
        self.look_soon()

    def free(self, workers: int = 1) -> None:
        """So many workers are done."""
        self._busy -= workers
        self.look_soon()

    def look_soon(self) -> None:
        """Takes what it may at the end of this round."""
        if not self._looking:
            self._looking = True
            self._loop.soon(self._look)

    def _look(self) -> None:
        self._looking = False
        settings = self.row.settings
        now_ns = time.monotonic_ns()
        wait_ns = LOOK_NS
        if self._queue and self._busy < settings.workers and not self._held_up():
            wanted = min(len(self._queue), settings.batch)
            if self._worker_each:
                wanted = min(wanted, settings.workers - self._busy)
            rate = settings.rate_per_s if self._waits_for_tokens else 0
            count = self._tokens.take(wanted, rate, now_ns)
            if count:
                self._take(count, now_ns)
            # What is left waits for the next round, so that what has come meanwhile is read.
            wait_ns = 0 if count == wanted else min(LOOK_NS, self._tokens.next_ns(rate, now_ns) - now_ns)
        if self._queue and self._timer is None:
            self._timer = self._loop.call_at(now_ns + wait_ns, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self.look_soon()

    def _take(self, count: int, now_ns: int) -> None:
        batch = []
        waited_ns = 0
        for _ in range(count):
            packed, taken = self._queue.popleft()
            taken(1)
            waited_ns += now_ns - packed[1]
            batch.append(packed)
        self.row.waited_ns.add(waited_ns)
        self.row.served.add(count)
        self._busy += self._begin(batch)
