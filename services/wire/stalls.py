"""What waits for the peer, and for how many checks in a row it has not changed. Knows no clock and no frame.

Time is counted in checks, because a service that is busy makes no checks. So it ends no connection for bytes that have
come and that it has not read yet.
"""

from collections.abc import Hashable, Mapping
from typing import Any

_NOTHING: Mapping[Hashable, Any] = {}


class Stalls:
    """Of one connection. Belongs to its session."""

    __slots__ = ("_checks", "_values")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """A check at which nothing waits."""
        self._values: Mapping[Hashable, object] = _NOTHING
        self._checks: Mapping[Hashable, int] = _NOTHING

    def check(self, waits: Mapping[Hashable, object]) -> Mapping[Hashable, int]:
        """For how many checks each of `waits` has had the value that it has now. A change of value is progress."""
        before, checks = self._values, self._checks
        self._values = waits
        self._checks = {
            key: checks[key] + 1 if key in before and before[key] == value else 0 for key, value in waits.items()
        }
        return self._checks
