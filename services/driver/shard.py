"""How one run is dealt to several drivers, its shards, so that their parts add up to it exactly.

Connections are dealt like cards, and each intended send goes to the shard of its client's connection. Together the
shards send what one driver would have sent, when it would have sent it, whatever the arrivals (rates divided by n would
only do so on average). Requests are dealt as the sends are, so that each send has the request it would have had.
Pure arithmetic. Must not know how shards reach each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress, cycle
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shard:
    """Which part of a run is meant: `index` of 0 to `of` - 1."""

    index: int = 0
    of: int = 1

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Reads `INDEX/OF`. Raises ValueError."""
        index, slash, of = text.partition("/")
        if not (slash and index.isdecimal() and of.isdecimal() and int(index) < int(of)):
            raise ValueError(f"{text!r} is not INDEX/OF with INDEX from 0 to OF - 1")
        return cls(int(index), int(of))

    def part(self, whole: int) -> int:
        """How many of `whole` things are this shard's."""
        return len(range(self.index, whole, self.of))

    def deal(self, whole: Iterator[T], clients: int) -> Iterator[T]:
        """Which of all arrivals, or of their requests, are its clients'. Number i belongs to client i mod `clients`."""
        return compress(whole, cycle([client % self.of == self.index for client in range(clients)]))
