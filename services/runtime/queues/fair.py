"""A queue in which connections take turns: a single call does not wait for all 100 calls of another connection.

After Nagle, On Packet Switches With Infinite Storage, RFC 970 (1985), "Fairness".
"""

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item")


class OrderedQueue(Protocol[Item]):
    """A queue whose order is its own affair."""

    def __len__(self) -> int: ...
    def append(self, item: Item, /) -> None: ...
    def popleft(self) -> Item: ...


class FairQueue(Generic[Item]):
    """Guarantees: the items of one owner in the order in which they came; the next item is that of the next owner.

    With one item of each owner it is first come, first served. It has the methods of a deque that queues use.
    """

    __slots__ = ("_of", "_owner_of", "_size")

    def __init__(self, owner_of: Callable[[Item], object]) -> None:
        self._owner_of = owner_of
        self._of: dict[object, deque[Item]] = {}  # in the order of their turns
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def append(self, item: Item) -> None:
        """Queues an item behind those of its owner."""
        self._size += 1
        owner = self._owner_of(item)
        if owner in self._of:
            self._of[owner].append(item)
        else:
            self._of[owner] = deque((item,))

    def popleft(self) -> Item:
        """The item whose turn it is; its owner's next one comes after those of all others."""
        owner = next(iter(self._of))
        items = self._of.pop(owner)
        item = items.popleft()
        if items:
            self._of[owner] = items
        self._size -= 1
        return item


class SharedFairQueue(Generic[Item]):
    """The same for threads, bounded; in another order where one is given.

    A thread waits for a token, of which there is one for each item. `queue.Queue` makes a lock for each wait: 20 us of
    CPU for a call, as callback_pool showed.
    """

    __slots__ = ("_items", "_lock", "_most", "_tokens")

    def __init__(
        self, most: int | None, owner_of: Callable[[Item], object], items: OrderedQueue[Item] | None = None
    ) -> None:
        """`most`: items that it takes; None for any number. `items`: an empty queue, where owners take no turns."""
        self._items = FairQueue(owner_of) if items is None else items
        self._most = most
        self._lock = threading.Lock()
        self._tokens: queue.SimpleQueue[None] = queue.SimpleQueue()

    def full(self) -> bool:
        """`put` would raise."""
        return self._most is not None and len(self._items) >= self._most

    def put(self, item: Item) -> None:
        """Queues an item behind those of its owner. Raises queue.Full."""
        with self._lock:
            if self.full():
                raise queue.Full
            self._items.append(item)
        self._tokens.put(None)

    def get(self) -> Item:
        """Waits for the item whose turn it is."""
        self._tokens.get()
        with self._lock:
            return self._items.popleft()
