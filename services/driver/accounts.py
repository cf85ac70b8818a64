"""Counts how every planned call ended. No planned call may be missing from the counts.

A call is counted once in `planned`, and at most once in the count of its end. When the run has ended, `close` counts
the calls that have not ended, and raises an error if the sums differ. The caller decides which calls are counted. Must
not know clocks, connections or latencies.
"""

from collections import Counter
from collections.abc import Iterable

from services.wire import Code


class BooksDoNotBalance(Exception):
    """A call was lost or booked twice: an error of the driver itself, whose numbers are then worth nothing."""


class Accounts:
    """The books of one run."""

    __slots__ = ("by_status", "messages", "not_sent", "ok", "planned", "timed_out", "unfinished")

    def __init__(self) -> None:
        self.planned = 0
        self.ok = 0
        self.by_status: Counter[Code] = Counter()
        self.timed_out = 0
        self.not_sent = 0
        self.unfinished = 0
        self.messages: dict[Code, str] = {}
        """The first message that came with each status, for the user."""

    @classmethod
    def total(cls, parts: Iterable["Accounts"]) -> "Accounts":
        """The sum of several books; of each status the first message that a part has."""
        whole = cls()
        for part in parts:
            whole.planned += part.planned
            whole.ok += part.ok
            whole.by_status += part.by_status
            whole.timed_out += part.timed_out
            whole.not_sent += part.not_sent
            whole.unfinished += part.unfinished
            whole.messages = part.messages | whole.messages
        return whole

    @property
    def outstanding(self) -> int:
        """Calls planned that have not ended yet, sent or not."""
        ended = self.ok + self.by_status.total() + self.timed_out + self.not_sent + self.unfinished
        return self.planned - ended

    def fail(self, code: Code, message: str) -> None:
        """Books a call that ended with a status other than OK."""
        self.by_status[code] += 1
        self.messages.setdefault(code, message)

    def close(self, *, not_sent: int, unfinished: int, latencies: int) -> None:
        """Books what never ended: calls still waiting to be sent, and calls sent but not answered.

        Raises BooksDoNotBalance if the parts do not add up to what was planned, or if the number of latencies that were
        recorded is not that of the calls answered OK.
        """
        self.not_sent += not_sent
        self.unfinished += unfinished
        if self.outstanding:
            raise BooksDoNotBalance(f"{self.outstanding} of {self.planned} planned calls are unaccounted for")
        if latencies != self.ok:
            raise BooksDoNotBalance(f"{latencies} latencies were recorded of {self.ok} calls answered OK")
