"""A token bucket: how many may pass now, at a rate that may change any time. Knows no queue and no clock."""

import threading

BURST_S = 0.05
"""Tokens of so long may be saved up: coarser than a loop's timers, finer than what a rate is measured over."""


class Tokens:
    """Tokens of one taker, or of several: no token is taken twice."""

    __slots__ = ("_left", "_lock", "_looked_ns")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = 0.0
        self._looked_ns = 0

    def take(self, wanted: int, rate_per_s: int, now_ns: int) -> int:
        """How many of `wanted` may pass: all, where the rate is 0, which is no limit."""
        with self._lock:
            passed_ns = max(now_ns - self._looked_ns, 0)
            self._looked_ns = now_ns
            if not rate_per_s:
                return wanted
            self._left = min(self._left + passed_ns * rate_per_s / 1e9, max(1.0, rate_per_s * BURST_S))
            taken = min(wanted, int(self._left))
            self._left -= taken
            return taken

    def give_back(self, tokens: int) -> None:
        """So many of those taken were not used."""
        with self._lock:
            self._left += tokens

    def next_ns(self, rate_per_s: int, now_ns: int) -> int:
        """When there is a token that was not there for `take`; now, where there is no limit."""
        return now_ns + round(max(0.0, 1 - self._left) * 1e9 / rate_per_s) if rate_per_s else now_ns
