"""A stage that a loop takes from its queue for: what it begins returns at once, or continues in the loop by itself.

    senders of other stages --> | event | event | --> [ begin a batch ] --> senders to other stages
                                       ^
           a worker is free? a token is there? has what was handed on found room? then at most `batch` at once

All of it belongs to the loop's thread. Its twin, whose threads take for themselves, is in pooled_stage.py.
"""

import time
from collections.abc import Callable

from services.runtime.counters.stage_rows import StageRow
from services.runtime.readiness.loop import Loop, Timer
from services.runtime.stages.controllers import Batching
from services.runtime.stages.event import NOT_QUEUED, Item
from services.runtime.stages.stage_queue import LOOK_NS, EventQueue, OnTaken, StageQueue, acknowledge, size_bytes


class Stage:
    """Guarantees: events are begun in the order of its queue; without room for hand-ons, none is begun."""

    def __init__(
        self,
        row: StageRow,
        loop: Loop,
        *,
        begin: Callable[[list[Item]], int],
        held_up: Callable[[], bool],
        skippable: bool = False,
        waits_for_tokens: bool = True,
        worker_each: bool = False,
        queue: EventQueue | None = None,
        size_of: Callable[[Item], int] = size_bytes,
    ) -> None:
        """`begin` returns how many workers it uses until `free`.

        `held_up`: whether what was handed on from here still waits for room.
        `skippable`: a bypass skips only the queue, because this loop does the stage's work in any case.
        `worker_each`: each event takes a worker, so no more events are begun than workers are free.
        `queue`: the order in which events are begun. The default is the order in which they came.
        `size_of`: the bytes that an event costs, which bound a batch.
        """
        self.row = row
        self._loop = loop
        self._begin = begin
        self._held_up = held_up
        self._skippable = skippable
        self._worker_each = worker_each
        self._queue = StageQueue(row, waits_for_tokens=waits_for_tokens, queue=queue, size_of=size_of)
        self._batching = Batching()
        self._busy = 0
        self._looking = False
        self._timer: Timer | None = None

    def put(self, item: Item, taken: OnTaken) -> None:
        """Queues an event; `taken` is called once it is begun."""
        settings = self.row.settings
        if (
            self._skippable
            and settings.bypass
            and not self._queue
            and (not self._worker_each or self._busy < settings.workers)
            and not self._held_up()
        ):
            taken(1)
            item.handed_ns = NOT_QUEUED
            self._busy += self._begin([item])
            return
        self._queue.put(item, taken)
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

    def control(self, now_ns: int) -> None:
        """Lets what is measured set its batch, where that is asked for."""
        self._batching.look(self.row, now_ns)

    def _look(self) -> None:
        self._looking = False
        settings = self.row.settings
        now_ns = time.monotonic_ns()
        again_ns = now_ns + LOOK_NS
        free = settings.workers - self._busy
        if self._queue and free > 0 and not self._held_up():
            batch = self._queue.take(free if self._worker_each else settings.batch, now_ns)
            if batch:
                acknowledge(batch)
                self._busy += self._begin([item for item, _ in batch])
            # What is left waits for the next round, so that new bytes are read before it.
            again_ns = self._queue.next_ns(now_ns)
        if self._queue and self._timer is None:
            self._timer = self._loop.call_at(again_ns, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self.look_soon()
