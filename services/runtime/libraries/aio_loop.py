"""asyncio's event loop with a selector that notes how long each iteration takes. uvloop has no place to do so."""

import asyncio
import selectors
import time
from collections.abc import Callable

from services.runtime.counters.lag import LoopLag, unwatched


class IterationSelector(selectors.EpollSelector):
    """asyncio calls `select` once an iteration."""

    def __init__(self) -> None:
        super().__init__()
        self.on_iteration: Callable[[int], None] = unwatched
        self._began_ns = time.monotonic_ns()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.on_iteration(time.monotonic_ns() - self._began_ns)
        ready = super().select(timeout)
        self._began_ns = time.monotonic_ns()
        return ready


def new_loop(lag: LoopLag) -> asyncio.AbstractEventLoop:
    """A loop of asyncio's whose lag is noted."""
    selector = IterationSelector()
    lag.watch(selector)
    return asyncio.SelectorEventLoop(selector)
