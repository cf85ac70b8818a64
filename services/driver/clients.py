"""What each client got, over all slices. A client is one connection of the fleet, also while that is closed.

A service that turns clients away is quick for the others. So clients are counted whatever becomes of their connections.
Must not know connections or how calls are sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_SUMS = ("asked", "served", "unserved_at_start", "answered", "answered_squared", "calls_of_unserved")


class Client:
    """The numbers of one client. Times are in nanoseconds on the monotonic clock."""

    __slots__ = (
        "_answered_before",
        "_planned_before",
        "always_asks",
        "answered",
        "calls_unserved",
        "is_lost",
        "longest_wait_ns",
        "planned",
        "unserved",
        "waits_since_ns",
    )

    def __init__(self) -> None:
        self.always_asks = False
        """It has a call to send at any time: a closed loop."""
        self.planned = 0
        """Its calls in the books."""
        self.answered = 0
        """Of those, the ones that ended OK."""
        self.is_lost = False
        """It had no connection when the last window ended."""
        self.unserved = False
        """In the last slice it had a call to send, and it got no answer or is lost."""
        self.calls_unserved = 0
        """Its calls in the books that were not answered OK, of all slices in which it was unserved."""
        self._planned_before = self._answered_before = 0
        self.waits_since_ns = 0
        """Since when a call has been due and none has been answered OK; 0 while no call is due."""
        self.longest_wait_ns = 0
        """The longest such time within one window."""

    def begin_window(self, now_ns: int, *, has_calls: bool) -> None:
        """Waits from then on, if it has calls."""
        self.is_lost = False
        self.waits_since_ns = now_ns if has_calls or self.always_asks else 0

    def ask(self, now_ns: int) -> None:
        """A call of it is due."""
        if not self.waits_since_ns:
            self.waits_since_ns = now_ns

    def get_answer(self, now_ns: int, *, has_calls: bool) -> None:
        """A call of it is answered OK within the window; `has_calls`: others are not."""
        self.end_window(now_ns)
        self.waits_since_ns = now_ns if has_calls or self.always_asks else 0

    def end_window(self, now_ns: int) -> None:
        """Counts a wait that lasts until then."""
        if self.waits_since_ns:
            self.longest_wait_ns = max(self.longest_wait_ns, now_ns - self.waits_since_ns)

    def end_slice(self) -> bool:
        """Returns whether it was served since the last slice: a call was answered OK, and it is not lost."""
        planned, answered = self.planned - self._planned_before, self.answered - self._answered_before
        self._planned_before, self._answered_before = self.planned, self.answered
        served = answered > 0 and not self.is_lost
        self.unserved = not served and (planned > 0 or self.always_asks)
        if self.unserved:
            self.calls_unserved += planned - answered
        return served


def summarize(clients: Iterable[Client], unserved_at_start: int, idle: Mapping[str, int]) -> dict[str, Any]:
    """The result's form. Counts clients that had a call to send; a run that did not measure has none.

    `served` are those that the last slice did not leave unserved; `join` makes it a number of all slices.
    `idle` are the connections that carry no calls, and are no clients: how many were `asked` for, and are `open`.
    """
    asked = [each for each in clients if each.planned or each.always_asks]
    answered = [each.answered for each in asked]
    return _with_index(
        {
            "asked": len(asked),
            "served": sum(not each.unserved for each in asked),
            "unserved_at_start": unserved_at_start,
            "answered": sum(answered),
            "answered_squared": sum(each * each for each in answered),
            "calls_of_unserved": sum(each.calls_unserved for each in asked),
            "answered_least": min(answered, default=None),
            "answered_most": max(answered, default=None),
            "longest_wait_ns": max((each.longest_wait_ns for each in asked), default=0),
            "idle": dict(idle),
        }
    )


def merge(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The summary of all their clients together; no client is in two parts."""
    some = [part for part in parts if part["asked"]]
    return _with_index(
        {
            **{key: sum(part[key] for part in parts) for key in _SUMS},
            "idle": {key: sum(part["idle"][key] for part in parts) for key in ("asked", "open")},
            "answered_least": min((part["answered_least"] for part in some), default=None),
            "answered_most": max((part["answered_most"] for part in some), default=None),
            "longest_wait_ns": max(part["longest_wait_ns"] for part in parts),
        }
    )


def join(slices: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The summary after the last of some slices, each summarized when it ended.

    `served` is the mean over the slices, rounded down: `asked` less the mean of those that a slice left unserved.
    """
    unserved = sum(each["asked"] - each["served"] for each in slices)
    last = slices[-1]
    return {**last, "served": last["asked"] - -(-unserved // len(slices))}


def _with_index(summary: dict[str, Any]) -> dict[str, Any]:
    """Adds Jain's index of fairness: (sum x)^2 / (n sum x^2), 1 where all get the same, 1/n where one gets all.

    None where no client was answered. (Jain, Chiu, Hawe 1984: A Quantitative Measure of Fairness and Discrimination.)
    """
    squares = summary["asked"] * summary["answered_squared"]
    return {**summary, "jain": summary["answered"] ** 2 / squares if squares else None}
