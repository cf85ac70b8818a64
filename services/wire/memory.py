"""How many bytes a connection holds, and how many it may: its requests, and its replies that the peer has not read.

Beyond what it may hold, flow control holds the peer back; where that cannot work, a call is rejected. It may hold a
share of what all connections of the service may hold together, so that one does not take all of it. Each connection may
always hold FREE_BYTES, even when the budget is used up. So small calls are served beside those that take the rest.

Sources: Envoy, "Overload manager" (docs/root/configuration/operations/overload_manager) and its buffer limits, which
push back on one connection; grpc-core's resource quota (src/core/lib/resource_quota), which all channels share.
"""

from typing import Protocol

from services.wire.call import ServerCall
from services.wire.messages import NoMemoryError

FREE_BYTES = 64 * 1024
"""What any connection may hold. It is not counted for the service, so that small calls pay nothing for that."""
REPORT_BYTES = 64 * 1024
"""How far the service's count may be off, for each connection that holds more."""


class ServiceMemory(Protocol):
    """What all connections of a service hold together."""

    @property
    def connection_bytes(self) -> int:
        """The most that one connection may hold."""

    def add(self, change_bytes: int) -> None:
        """A connection holds so much more."""

    def room_bytes(self) -> int:
        """How much more all together may hold; below 0 where it is too much."""


class ConnectionMemory:
    """What one connection holds, and may hold at most.

    Belongs to its session. For a small request the session adds to `held_bytes` itself, and saves a call of 0.1 us.
    """

    __slots__ = ("_reported_bytes", "_service", "held_bytes", "most_bytes")

    def __init__(self, service: ServiceMemory) -> None:
        self.held_bytes = 0
        self._service = service
        self.most_bytes = service.connection_bytes
        self._reported_bytes = 0

    def hold(self, call: ServerCall, change_bytes: int) -> None:
        """The request of a call takes so much more."""
        call._held_bytes += change_bytes
        self.held_bytes += change_bytes
        if change_bytes < 0 and self._reported_bytes:
            self._report()

    def let_go(self, call: ServerCall) -> None:
        """The call has ended: its request is gone, also for code that still has the call."""
        call.request = b""
        self.held_bytes -= call._held_bytes
        call._held_bytes = 0
        if self._reported_bytes:
            self._report()

    def check(self, size_bytes: int) -> None:
        """Raises NoMemoryError where all connections hold too much; `size_bytes` are then not held."""
        self._report()
        if self.shared_room_bytes() < 0:
            self.held_bytes -= size_bytes
            raise NoMemoryError("no memory: the connections of this service hold all that --memory-budget allows")

    def report_change(self) -> None:
        """Has the service count what this connection holds, where it counts anything for it."""
        if self._reported_bytes or self.held_bytes > FREE_BYTES:
            self._report()

    def _report(self) -> None:
        """Where that has changed enough."""
        counted_bytes = self.held_bytes if self.held_bytes > FREE_BYTES else 0
        change_bytes = counted_bytes - self._reported_bytes
        if abs(change_bytes) >= REPORT_BYTES or not counted_bytes:
            self._reported_bytes += change_bytes
            self._service.add(change_bytes)

    def room_bytes(self) -> int:
        """How much more it may hold, alone and beside all others; below 0 where it is too much."""
        return min(self.own_room_bytes(), self.shared_room_bytes())

    def own_room_bytes(self) -> int:
        """How much more it may hold, as far as it alone is concerned; below 0 where it is too much."""
        return self.most_bytes - self.held_bytes

    def shared_room_bytes(self) -> int:
        """How much more it may hold beside all others; below 0 where it is too much."""
        unreported_bytes = self.held_bytes - self._reported_bytes
        return max(self._service.room_bytes() - unreported_bytes, FREE_BYTES - self.held_bytes)


class UnsharedMemory:
    """For a session that is alone with its memory."""

    def __init__(self, connection_bytes: int = 16 * 1024 * 1024) -> None:
        self.connection_bytes = connection_bytes

    def add(self, change_bytes: int) -> None: ...

    def room_bytes(self) -> int:
        return self.connection_bytes
