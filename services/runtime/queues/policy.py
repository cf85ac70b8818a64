"""Which of the calls that wait is taken next: the orders that a queue of calls may have.

The kernel orders threads, and a program has little part in that. A queue of calls is the program's own, and another
order takes a few lines (Schrage, A Proof of the Optimality of the Shortest Remaining Processing Time Discipline, 1968).
Knows no thread.
"""

import heapq
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Generic, TypeVar

from services.runtime.queues.fair import FairQueue, OrderedQueue
from services.workload.plan import read_duration_ns

Item = TypeVar("Item")


class LastCome(deque[Item]):
    """The latest one first: the others wait until it is quiet."""

    def popleft(self) -> Item:
        """Takes it."""
        return self.pop()


class Shortest(Generic[Item]):
    """The one that takes the least time first, of equal ones the earliest: a long one may wait for ever."""

    def __init__(self, duration_of: Callable[[Item], int]) -> None:
        self._duration_of = duration_of
        self._numbers = count()
        self._items: list[tuple[int, int, Item]] = []

    def __len__(self) -> int:
        return len(self._items)

    def append(self, item: Item, /) -> None:
        """Queues one more."""
        heapq.heappush(self._items, (self._duration_of(item), next(self._numbers), item))

    def popleft(self) -> Item:
        """Takes it."""
        return heapq.heappop(self._items)[-1]


POLICIES = ("turns", "first-come", "last-come", "shortest")


def ordered(policy: str, owner_of: Callable[[Item], object], request_of: Callable[[Item], bytes]) -> OrderedQueue[Item]:
    """An empty queue with that policy; `turns`: owners take turns."""
    if policy == "first-come":
        return deque()
    if policy == "last-come":
        return LastCome()
    if policy == "shortest":
        return Shortest(lambda item: read_duration_ns(request_of(item)))
    return FairQueue(owner_of)
