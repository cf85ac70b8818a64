"""What has come over a link is dealt with in turns: between two of them the loop serves everybody else.

One read brings hundreds of small messages. Each can make a handler compute, or a reply of 1 MB be sent.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from services.runtime.connections.turns import TURN_NS
from services.runtime.queues.fair import FairQueue

Item = TypeVar("Item")


class TimerLoop(Protocol):
    """What is asked of a loop."""

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Any: ...


class PacedQueue(Generic[Item]):
    """Guarantees: each item is dealt with once, and the items of one owner in order. A turn lasts about TURN_NS."""

    def __init__(
        self,
        loop: TimerLoop,
        deal: Callable[[Item], None],
        *,
        owner_of: Callable[[Item], object],
        after_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._loop = loop
        self._deal = deal
        self._after_turn = after_turn
        self._late = FairQueue[Item](owner_of)

    def take(self, items: Sequence[Item]) -> None:
        """Deals with as many as a turn allows, and later with the others."""
        dealt = 0
        if not self._late:
            until_ns = time.monotonic_ns() + TURN_NS
            for item in items:
                self._deal(item)
                dealt += 1
                if time.monotonic_ns() >= until_ns:
                    break
            self._after_turn()
            if dealt < len(items):
                self._go_on_later()
        for item in items[dealt:]:
            self._late.append(item)

    def end(self) -> None:
        """Deals at once with all that is left: no more will come."""
        while self._late:
            self._deal(self._late.popleft())
        self._after_turn()

    def _go_on_later(self) -> None:
        self._loop.call_at(time.monotonic_ns(), self._go_on)

    def _go_on(self) -> None:
        until_ns = time.monotonic_ns() + TURN_NS
        while self._late:
            self._deal(self._late.popleft())
            if time.monotonic_ns() >= until_ns:
                break
        self._after_turn()
        if self._late:
            self._go_on_later()
