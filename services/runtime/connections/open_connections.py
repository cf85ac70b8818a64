"""The open connections of one loop: their checks, and how they all end when the service drains. Knows no socket."""

import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from services.runtime.drain import DRAIN_POLL_S
from services.runtime.service import Service


class ConnectionLoop(Protocol):
    """What is asked of a loop."""

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Any: ...


class Drainable(Protocol):
    """What is asked of a connection."""

    def drain(self) -> None: ...
    def check_peer(self) -> None: ...


Connection = TypeVar("Connection", bound=Drainable)


class OpenConnections(Generic[Connection]):
    """A set of connections. Once the service drains, the loop runs until the last of them has closed."""

    def __init__(self, service: Service, loop: ConnectionLoop) -> None:
        self._service = service
        self._loop = loop
        self._open: set[Connection] = set()
        self._is_drained = False
        self._check_due = False

    def hold(self, connection: Connection) -> None:
        """Adds one that was just opened. It drains at once if the service does."""
        self._open.add(connection)
        self._check_later()
        if self._service.drain.requested:
            connection.drain()

    def closed(self, connection: Connection) -> None:
        """Removes one."""
        self._open.discard(connection)

    def drained(self) -> bool:
        """After `drain`: the last one has closed, or the drain is over."""
        return self._is_drained

    def drain(self) -> None:
        """Drains each."""
        for connection in tuple(self._open):
            connection.drain()
        self._look()

    def _check_later(self) -> None:
        if self._open and not self._check_due:
            self._check_due = True
            self._loop.call_at(time.monotonic_ns() + round(self._service.limits.check_s * 1e9), self._check)

    def _check(self) -> None:
        for connection in tuple(self._open):
            connection.check_peer()
        self._check_due = False
        self._check_later()

    def _look(self) -> None:
        if not self._open or self._service.drained():
            self._is_drained = True
        else:
            self._loop.call_at(time.monotonic_ns() + round(DRAIN_POLL_S * 1e9), self._look)
