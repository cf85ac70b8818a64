"""Counts for how many checks in a row a wait for the peer has not changed. Knows no clock and no frame.

Time is counted in checks, and not by a clock. A busy service makes no checks. So it does not end a connection whose
bytes have arrived, but have not been read.
"""

from collections.abc import Hashable, Mapping
from typing import Any

_NOTHING: Mapping[Hashable, Any] = {}


class Stalls:
    """The waits of one connection. They belong to its session."""

    __slots__ = ("_checks", "_values")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Records a check at which nothing waits."""
        self._values: Mapping[Hashable, object] = _NOTHING
        self._checks: Mapping[Hashable, int] = _NOTHING

    def check(self, waits: Mapping[Hashable, object]) -> Mapping[Hashable, int]:
        """For how many checks each of `waits` has had its present value. A new value shows progress."""
        before, checks = self._values, self._checks
        self._values = waits
        self._checks = {
            key: checks[key] + 1 if key in before and before[key] == value else 0 for key, value in waits.items()
        }
        return self._checks
