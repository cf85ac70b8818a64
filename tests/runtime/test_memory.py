"""What all connections of a service may hold together, and what TLS takes of it."""

import pytest

from services.runtime.config import Config
from services.runtime.counters.shared_counters import SharedCounters
from services.runtime.memory import TLS_BYTES, SharedMemory

MIB = 1024 * 1024
CONFIG = Config(memory_budget=24 * MIB)


@pytest.mark.parametrize(
    ("connections", "taken_bytes"),
    [(0, 0), (1, TLS_BYTES), (100, 100 * TLS_BYTES), (768, 12 * MIB), (10_000, 12 * MIB)],
    ids=["none", "one", "many", "as many as half of the budget holds", "far more"],
)
@pytest.mark.parametrize("held_bytes", [0, MIB])
def test_connections_with_tls_take_of_the_budget_and_leave_half_to_calls(
    connections: int, taken_bytes: int, held_bytes: int
) -> None:
    counters = SharedCounters()
    opened = counters.gauge()
    tls, plain = SharedMemory(counters.gauge(absent=True), CONFIG, opened), SharedMemory(counters.gauge(), CONFIG)
    tls.begin()
    opened.add(connections)
    for memory in (tls, plain):
        memory.add(held_bytes)
    assert tls.room_bytes() == 24 * MIB - held_bytes - taken_bytes
    assert plain.room_bytes() == 24 * MIB - held_bytes
    assert tls.held_bytes == held_bytes
