"""An event loop: readiness and time come in, callbacks go out. It knows descriptors, and nothing of gRPC.

Some facts about readiness (epoll(7), poll(2)). It is level-triggered by default, so a handler may leave data in the
socket and is called again. It reports what is ready, and the handler reads. Watching for WRITABLE with nothing to send
would wake the loop at once, again and again. So WRITABLE is watched only after a short send, and while a connection to
the backend is being made.
"""

import heapq
import itertools
import select
import time
from collections.abc import Callable
from typing import Any, Protocol

from services.runtime.counters.lag import unwatched
from services.runtime.readiness.demultiplexer import READABLE, Demultiplexer


class EventSource(Protocol):
    """What has a descriptor: a socket, a listener, the drain."""

    def fileno(self) -> int: ...


class EventHandler(Protocol):
    """What the loop calls when a descriptor is ready."""

    def ready(self, events: int) -> None: ...


Timer = list[Any]  # [due_ns, sequence, callback or None]; a heap of lists, so that cancelling is an assignment
_MIN_CANCELLED = 100


class Loop:
    """The dispatcher: `loop.dispatch(loop.poll())` is one round. All of it belongs to one thread."""

    def __init__(self, demultiplexer: Demultiplexer | None = None) -> None:
        """Waits with epoll where nothing else is given."""
        self._demultiplexer = demultiplexer or select.epoll()
        self._handlers: dict[int, EventHandler] = {}
        self._timers: list[Timer] = []
        self._cancelled = 0
        self._sequence = itertools.count()
        self._soon: list[Callable[[], None]] = []
        self.on_iteration: Callable[[int], None] = unwatched

    def register(self, source: EventSource, handler: EventHandler, events: int = READABLE) -> None:
        """Calls `handler` whenever `source` is ready. Raises OSError where the demultiplexer cannot watch it."""
        fd = source.fileno()
        self._demultiplexer.register(fd, events)
        self._handlers[fd] = handler

    def modify(self, source: EventSource, events: int) -> None:
        """Watches for other events."""
        self._demultiplexer.modify(source.fileno(), events)

    def pause(self, source: EventSource, duration_s: float) -> None:
        """Watches `source` again after that time. One that stays readable and is not read would make the loop spin."""
        fd = source.fileno()
        handler = self._handlers[fd]

        def resume() -> None:
            if self._handlers.get(fd) is handler:  # else it was unregistered in that time
                self._demultiplexer.modify(fd, READABLE)

        self._demultiplexer.modify(fd, 0)
        self.call_at(time.monotonic_ns() + round(duration_s * 1e9), resume)

    def unregister(self, source: EventSource) -> None:
        """Before `source` is closed."""
        fd = source.fileno()
        del self._handlers[fd]
        self._demultiplexer.unregister(fd)

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Timer:
        """Calls `callback` once, at CLOCK_MONOTONIC `due_ns` or soon after, unless it is cancelled before."""
        timer = [due_ns, next(self._sequence), callback]
        heapq.heappush(self._timers, timer)
        return timer

    def cancel(self, timer: Timer) -> None:
        """Takes a `call_at` back; nothing where its time has come already."""
        if timer[2] is None:
            return
        timer[2] = None
        self._cancelled += 1
        # Deadlines are far and mostly cancelled: left in the heap, they would be most of it.
        if self._cancelled > max(_MIN_CANCELLED, len(self._timers) // 2):
            self._timers = [one for one in self._timers if one[2] is not None]
            heapq.heapify(self._timers)
            self._cancelled = 0

    def soon(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once this round's events are dispatched."""
        self._soon.append(callback)

    def poll(self) -> list[tuple[int, int]]:
        """Waits until a descriptor is ready or a timer is due. Returns each ready descriptor and its events."""
        return self._demultiplexer.poll(self._wait_s())

    def dispatch(self, ready: list[tuple[int, int]]) -> None:
        """Calls the handlers of what is ready, then the timers that are due, then the callbacks of `soon`.

        When it has returned, the loop holds no handler and no callback of this round while it waits for the next one.
        """
        began_ns = time.monotonic_ns()
        for fd, events in ready:
            handler = self._handlers.get(fd)  # an earlier handler of this round may have closed it
            if handler is not None:
                handler.ready(events)
        now_ns = time.monotonic_ns()
        while self._timers and self._timers[0][0] <= now_ns:
            timer = heapq.heappop(self._timers)
            callback, timer[2] = timer[2], None
            if callback is None:
                self._cancelled -= 1
            else:
                callback()
        while self._soon:
            due, self._soon = self._soon, []
            for callback in due:
                callback()
        self.on_iteration(time.monotonic_ns() - began_ns)

    def _wait_s(self) -> float | None:
        if self._soon:  # from before the first round: no descriptor would wake the loop for it
            return 0
        if not self._timers:
            return None
        wait_ns: int = self._timers[0][0] - time.monotonic_ns()
        return max(wait_ns, 0) / 1e9
