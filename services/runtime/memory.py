"""The memory that calls of a service may take: as configured, or a share of what its control group may have.

All processes of a service share it: what each of their connections holds is one shared gauge.
"""

from services.runtime.config import Config
from services.runtime.counters.quota import memory_limit_bytes
from services.runtime.counters.shared_counters import Gauge

MOST_BYTES = 24 * 1024 * 1024
"""Unless another budget is configured. The counted bytes take up to twice as much while a pool's threads parse them. 20
connections of 100 messages that unpack to 4 MiB made thread_pool grow by 48 MiB, and by 80 MiB with a budget of 32
MiB."""
SHARE = 8
"""Of a control group's limit: the chart gives 256 MiB, and a service of several processes takes half of that idle."""

TLS_BYTES = 16 * 1024
"""What TLS adds to an idle connection. Without TLS it takes 19 to 34 KiB in models with a loop, and with TLS 16 to 22
KiB more. With a thread it takes 57 to 65 KiB, and 41 to 45 more; with a process 3.0 MiB, and 0.4 more (2026-11-28)."""


def budget_bytes(config: Config) -> int:
    """At least what the largest message takes that comes compressed: both of it, and a copy while it is read."""
    limit_bytes = memory_limit_bytes()
    share_bytes = MOST_BYTES if limit_bytes is None else min(limit_bytes // SHARE, MOST_BYTES)
    return max(config.memory_budget or share_bytes, 3 * config.max_message_bytes)


class SharedMemory:
    """What all connections of a service hold together."""

    def __init__(self, held: Gauge, config: Config, tls_connections: Gauge | None = None) -> None:
        """held: absent as long as this process and its workers read no connection themselves.

        tls_connections: how many are open, if they have TLS.
        """
        self._held = held
        self._tls_connections = tls_connections
        self.budget_bytes = budget_bytes(config)
        self.connection_bytes = max(self.budget_bytes // 2, 2 * config.max_message_bytes)

    @property
    def held_bytes(self) -> int | None:
        """As far as connections have reported it; None where they do not."""
        return self._held.value()

    def begin(self) -> None:
        """Connections of this process, or of its workers, report from now on."""
        self._held.set(0)

    def add(self, change_bytes: int) -> None:
        """A connection holds so much more."""
        self._held.add(change_bytes)

    def room_bytes(self) -> int:
        """How much more all together may hold; below 0 where it is too much."""
        return self.budget_bytes - (self._held.value() or 0) - self._tls_bytes()

    def _tls_bytes(self) -> int:
        """At most half of the budget. The rest is for calls, however many connections there are."""
        if self._tls_connections is None:
            return 0
        return min((self._tls_connections.value() or 0) * TLS_BYTES, self.budget_bytes // 2)
