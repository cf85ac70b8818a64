"""Which pod each connection leads to, and how that follows pods that come and go.

cluster-ip       one address, whatever is behind it: each connection goes to the pod that the network picks
per-connection   each connection to the next pod; one that ends is opened again to the pod with the fewest
headless         the same, connections also leave for a new pod, and each call goes to the next connection in turn:
                 what gRPC's round_robin does (github.com/grpc/grpc/blob/master/doc/load-balancing.md)

getaddrinfo(3) blocks, so a thread of its own looks the name up. It does so after a connection has ended, as gRPC's
resolver does. Except in `cluster-ip`, it does so every `resolve_s` too. Must not know calls.
"""

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Generic, Literal, TypeVar

Balance = Literal["cluster-ip", "headless", "per-connection"]

_A = TypeVar("_A", bound=Hashable)

# A pod that goes ends all of its connections within moments; its name is looked up once for all of them.
_SETTLE_S = 0.1


def deal(now: Sequence[_A | None], addresses: Sequence[_A]) -> list[_A]:
    """The address of each connection, given the one it has now: numbers of connections differ by one at most.

    As few as possible move. None is a connection that has no address yet; `addresses` are one or more.
    """
    has = Counter(each for each in now if each is not None)
    fewest, left_over = divmod(len(now), len(addresses))
    # The addresses with the most connections get the remainder, so that no connection moves without need.
    by_number = sorted(addresses, key=lambda each: -has[each])
    room = Counter({each: fewest + (rank < left_over) for rank, each in enumerate(by_number)})
    staying: list[_A | None] = []
    for each in now:
        stays = each is not None and room[each] > 0
        staying.append(each if stays else None)
        if stays and each is not None:
            room[each] -= 1
    free = _in_turn(addresses, room)
    return [next(free) if each is None else each for each in staying]


def _in_turn(addresses: Sequence[_A], room: Counter[_A]) -> Iterator[_A]:
    """Each address as often as there is room for, like cards."""
    while True:
        for each in addresses:
            if room[each] > 0:
                room[each] -= 1
                yield each


class Resolver(Generic[_A]):
    """`addresses` is the last result, a new tuple when it has changed. Never empty."""

    def __init__(self, look_up: Callable[[], Sequence[_A]], every_s: float) -> None:
        """Looks up at once, then whenever asked, and every so many seconds unless that is 0. Raises OSError."""
        self._look_up = look_up
        self._every_s = every_s
        self._asked = threading.Event()
        self._stopping = threading.Event()
        self.addresses = tuple(look_up())
        self._thread = threading.Thread(target=self._run, name="resolver", daemon=True)
        self._thread.start()

    def ask(self) -> None:
        """Has it look again soon."""
        self._asked.set()

    def stop(self) -> None:
        self._stopping.set()
        self._asked.set()

    def _run(self) -> None:
        while True:
            self._asked.wait(self._every_s or None)
            if self._stopping.wait(_SETTLE_S):
                return
            self._asked.clear()
            try:
                found = tuple(self._look_up())
            except OSError:
                continue  # no pod there now, or no answer: what was known is the best guess
            if found and set(found) != set(self.addresses):
                self.addresses = found
