"""How a loop connects to one of a name's addresses without waiting: whose turn it is, and what is next when it failed.

How one address is tried is the loop's own: one waits for readiness, another for a completion. Knows no bytes.
"""

import time
from collections.abc import Callable
from typing import Any, Protocol

from services.network.address import Address
from services.network.attempts import NOT_LOOKED_UP, Attempts
from services.network.names import Endpoint, LookupResult, is_literal, look_up_beside
from services.runtime.readiness.wakeup import Wakeup, Watching

CONNECT_TIMEOUT_S = 5.0
"""For the look-up and every address of the backend together."""


class Timers(Protocol):
    """What is asked of a loop."""

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Any:
        """Calls `callback` once, at CLOCK_MONOTONIC `due_ns` or soon after, unless it is cancelled before."""

    def cancel(self, timer: Any) -> None:
        """Takes a `call_at` back."""

    def soon(self, callback: Callable[[], None]) -> None:
        """Calls `callback` later in this round."""


class WatchingLoop(Timers, Watching, Protocol):
    """A loop that also watches descriptors."""


class NameLookups:
    """Resolves host names in threads, so that the event loop does not block.

    The descriptor that wakes the loop is created for the first name, and lives as long as the loop.
    """

    def __init__(self, loop: WatchingLoop) -> None:
        self._loop = loop
        self._wakeup: Wakeup | None = None

    def look_up(self, at: Address, then: Callable[[LookupResult], None]) -> None:
        """Calls `then` in the loop's thread: at once for a literal."""
        if self._wakeup is None and not is_literal(at.host):
            self._wakeup = Wakeup()
            self._loop.register(self._wakeup, self._wakeup)
        look_up_beside(at, self._wakeup.post if self._wakeup else self._loop.soon, then)


class Dialling(Protocol):
    """How a loop tries one address."""

    def begin(self, endpoint: Endpoint) -> None:
        """Starts; `connected` or `refused` of the connector follows. Raises OSError."""

    def give_up(self) -> None:
        """Ends what `begin` started; `refused` of the connector follows."""

    def unconnected(self, why: str) -> None:
        """No address took the connection."""


class Connector:
    """Tries each address of `at` in turn, until one takes the connection or CONNECT_TIMEOUT_S is over."""

    def __init__(self, at: Address, loop: Timers, names: NameLookups, dialling: Dialling) -> None:
        self._at = at
        self._loop = loop
        self._names = names
        self._dialling = dialling
        self._is_over = False

    def start(self) -> None:
        """Looks the name up, and then tries its addresses; returns at once."""
        self._attempts = Attempts(self._at, time.monotonic_ns() + round(CONNECT_TIMEOUT_S * 1e9))
        self._timer = self._loop.call_at(self._attempts.until_ns, self._not_looked_up)
        self._names.look_up(self._at, self._found)

    def connected(self) -> None:
        """The address took the connection."""
        self._loop.cancel(self._timer)

    def refused(self, why: str) -> None:
        """The address did not take the connection: tries the next one."""
        self._loop.cancel(self._timer)
        self._attempts.failed(why)
        self._try_next()

    def _found(self, found: LookupResult) -> None:
        if self._is_over:
            return
        self._loop.cancel(self._timer)
        if isinstance(found, OSError):
            self._end(found.strerror or str(found))
            return
        self._attempts.found(found)
        self._try_next()

    def _try_next(self) -> None:
        while (endpoint := self._attempts.next(time.monotonic_ns())) is not None:
            try:
                self._dialling.begin(endpoint)
            except OSError as error:
                self._attempts.failed(error)
                continue
            self._timer = self._loop.call_at(self._attempts.until_ns, self._dialling.give_up)
            return
        self._end(self._attempts.why)

    def _not_looked_up(self) -> None:
        self._end(NOT_LOOKED_UP)

    def _end(self, why: str) -> None:
        self._is_over = True
        # Later, as this may be before the first call has started on the connection.
        self._loop.soon(lambda: self._dialling.unconnected(why))
