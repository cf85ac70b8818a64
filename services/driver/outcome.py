"""What a slice got: filled while it runs, made a result when it is over. Must not know how the values were measured."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from services.driver.accounts import Accounts
from services.driver.samples import samples
from services.driver.schedule import Window
from services.driver.streams import StreamedMessages
from services.driver.tracing import TracedCall

TENTHS = 10
"""Parts of the window whose answers are counted apart: their trend shows a service that still warms up."""


@dataclass(slots=True)
class Pod:
    """What one host did of the run."""

    answered: int
    first_answer_ns: int
    """When its first measured call was answered. Monotonic clock."""


@dataclass(slots=True)
class Book:
    """What the calls of one kind got."""

    accounts: Accounts = field(default_factory=Accounts)
    latencies: "array[int]" = field(default_factory=samples)
    """Nanoseconds."""
    latenesses: "array[int]" = field(default_factory=samples)
    """Of the same calls, in the same order: the difference is the service time."""
    checksums: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Outcome:
    """What a slice got. Times in nanoseconds, on the monotonic clock where they are points."""

    window: Window
    books: defaultdict[str, Book] = field(default_factory=lambda: defaultdict(Book))
    """By kind of call. The totals below are made of them, and are copies."""
    counted: int = 0
    """Calls that ended OK, from the first send until no call is in flight. An idle service counts the same number."""
    within_deadline: int = 0
    """Calls that ended OK while measuring, within the deadline from their intended send."""
    streams: StreamedMessages | None = None
    """Where replies are streamed: the messages of ok calls."""
    first_answers: "array[int]" = field(default_factory=samples)
    """From when a client opens its connection anew to the first answer, less the time in which no call is due."""
    answered_by_tenth: list[int] = field(default_factory=lambda: [0] * TENTHS)
    """Calls that ended OK in each tenth of the window, whenever they were sent."""
    traced: list[TracedCall] = field(default_factory=list)
    served_by: Counter[str] = field(default_factory=Counter)
    clients: dict[str, Any] = field(default_factory=dict)
    """What each client got, in this slice and those before it, in the form of clients.py."""
    connections: int = 0
    connections_lost: int = 0
    in_flight_start: int = 0
    """When measuring began; `in_flight`: when it ended."""
    in_flight: int = 0
    waited_ns: int = 0
    """While measuring: able to run, without a processor."""
    cpu_user_ns: int = 0
    cpu_system_ns: int = 0
    sent_again: int = 0
    pods: dict[str, Pod] = field(default_factory=dict)
    begin_ns: int = 0
    """When the run was to begin, on the monotonic clock."""
    begun_late_ns: int = 0
    """From then to when it did."""
    drained_ns: int = 0
    """When nothing was in flight any more."""
    clients_served: int = 0
    """Clients of which a measured call of this slice was answered OK."""
    interrupted: bool = False

    @property
    def answered(self) -> int:
        """Calls that ended OK while measuring, whenever they were sent."""
        return sum(self.answered_by_tenth)

    @property
    def accounts(self) -> Accounts:
        """The calls of all kinds."""
        return Accounts.total(book.accounts for book in self.books.values())

    @property
    def latencies(self) -> "array[int]":
        """Of all kinds, one kind after the other. Nanoseconds."""
        return _joined(book.latencies for book in self.books.values())

    @property
    def latenesses(self) -> "array[int]":
        """Of the same calls, in the same order. Nanoseconds."""
        return _joined(book.latenesses for book in self.books.values())

    @property
    def checksums(self) -> Counter[str]:
        """Of the replies to all kinds."""
        return sum((book.checksums for book in self.books.values()), Counter())


def _joined(parts: "Iterable[array[int]]") -> "array[int]":
    whole = samples()
    for part in parts:
        whole.extend(part)
    return whole
