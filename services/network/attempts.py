"""One policy for every way of connecting: each address of a name in turn, within one time for all of them.

The time that is left is divided evenly among the addresses that are left, as Go's net.Dialer does: an address that
drops packets leaves time for the next one. The code that does the I/O asks for the `next` address, and reports what
failed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.network.address import Address
from services.network.names import Endpoint

TIMED_OUT = "timed out while connecting"
NOT_LOOKED_UP = "timed out while the name was looked up"
_NAMED = 3
"""Failures that an error quotes: a message has to fit into a header."""


@dataclass(slots=True)
class Attempts:
    """What is left to try, and what has failed. No I/O."""

    at: Address
    until_ns: int
    """The end of the time for all attempts; then, after `next`, of that attempt. CLOCK_MONOTONIC."""
    left: list[Endpoint] = field(default_factory=list)
    _end_ns: int = 0
    _tried: Endpoint | None = None
    _failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._end_ns = self.until_ns

    def found(self, endpoints: Sequence[Endpoint]) -> None:
        """The addresses, in the order in which to try them."""
        self.left = list(endpoints)

    def next(self, now_ns: int) -> Endpoint | None:
        """The address to try now; None after the last one."""
        if not self.left:
            return None
        self.until_ns = now_ns + max(0, self._end_ns - now_ns) // len(self.left)
        self._tried = self.left.pop(0)
        return self._tried

    def failed(self, why: str | OSError) -> None:
        """The address that was tried last did not take the connection."""
        reason = why if isinstance(why, str) else why.strerror or str(why)
        # A literal is its own only address, which the message names already.
        named = str(self._tried) != str(self.at)
        self._failures.append(f"{self._tried}: {reason}" if named else reason)

    @property
    def why(self) -> str:
        """Why no address took the connection: of each address its reason."""
        more = len(self._failures) - _NAMED
        quoted = "; ".join(self._failures[:_NAMED]) or "the name has no address"
        return f"{quoted}; and {more} more" if more > 0 else quoted
