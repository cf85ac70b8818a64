"""A stage whose threads take from its queue themselves, each a batch at a time.

    senders of other stages --> | event | event | --+--> thread [ begin a batch ] --> senders to other stages
                                                 +--> thread [ begin a batch ] -->
                                                 '--> as many as it has workers

Source: Welsh, Culler, Brewer: SEDA, SOSP 2001. Its twin, for which a loop takes, is in stage.py.
"""

import itertools
import threading
import time
from collections.abc import Callable
from functools import partial

from services.runtime.counters.stage_rows import StageRow
from services.runtime.readiness.wakeup import Post
from services.runtime.stages.controllers import Batching, next_workers
from services.runtime.stages.event import Event, Item
from services.runtime.stages.stage_queue import LOOK_NS, OnTaken, StageQueue, acknowledge


class PooledStage:
    """Guarantees: events are begun in the order in which they came; without room for hand-ons, none is begun."""

    def __init__(
        self,
        row: StageRow,
        *,
        claim: Callable[[list[Item]], list[Event]],
        run: Callable[[Event], object],
        held_up: Callable[[], bool],
        post: Post | None = None,
        waits_for_tokens: bool = True,
    ) -> None:
        """`claim` returns the calls of a batch that are to be `run`. The stage's threads call both, and `claim` one at
        a time.
        The events are acknowledged only after `claim`, because then this process is responsible for them: the sender
        may drop its copy.

        `held_up`: whether what was handed on from here still waits for room.
        `post`: has the loop's thread call its argument, which acknowledges events. None where any thread may do so.
        """
        self.row = row
        self._claim = claim
        self._run = run
        self._held_up = held_up
        self._post = post
        self._queue = StageQueue(row, waits_for_tokens=waits_for_tokens)
        self._batching = Batching()
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._threads = 0
        self._idle = 0

    def put(self, item: Item, taken: OnTaken) -> None:
        """Queues an event; `taken` is called once it is taken. Safe from any thread."""
        with self._changed:
            self._queue.put(item, taken)
            self._changed.notify()

    def control(self, now_ns: int) -> None:
        """Has as many threads as the setting `workers`; the controllers change it if they are on."""
        settings = self.row.settings
        self._batching.look(self.row, now_ns)
        with self._changed:
            if settings.most_workers:
                wanted = next_workers(settings.workers, settings.most_workers, len(self._queue), self._idle)
                settings.set("workers", wanted)
            while self._threads < settings.workers:
                self._threads += 1
                name = f"{self.row.name}-{next(self._numbers)}"
                try:
                    threading.Thread(target=self._work, name=name, daemon=True).start()
                except RuntimeError:  # pthread_create(3), EAGAIN: existing threads continue; the next call tries again
                    self._threads -= 1
                    break
            if self._threads > settings.workers:  # they leave, once they look
                self._changed.notify_all()

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            self._run_batch(*taken)
            del taken  # else a thread that waits for the next batch holds this one

    def _run_batch(self, batch: list[tuple[Item, OnTaken]], events: list[Event]) -> None:
        if self._post is None:
            acknowledge(batch)
        else:
            self._post(partial(acknowledge, batch))
        for event in events:
            self._run(event)

    def _take(self) -> tuple[list[tuple[Item, OnTaken]], list[Event]] | None:
        """The next batch, and those of it to run, once there is one; None for a thread that is one too many."""
        with self._changed:
            while self._threads <= self.row.settings.workers:
                now_ns, wait_s = time.monotonic_ns(), None
                if self._queue and self._held_up():
                    wait_s = LOOK_NS / 1e9
                elif self._queue:
                    if batch := self._queue.take(self.row.settings.batch, now_ns):
                        # A sender drops its oldest events on acknowledgement. So a batch is claimed before the next one
                        # is taken.
                        return batch, self._claim([item for item, _ in batch])
                    wait_s = (self._queue.next_ns(now_ns) - now_ns) / 1e9
                self._idle += 1
                self._changed.wait(wait_s)
                self._idle -= 1
            self._threads -= 1
            self._changed.notify()  # this one may have got the notification of what has come
            return None
