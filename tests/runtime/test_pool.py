"""Calls that wait for a pool are counted while they wait, and the count is never negative."""

import threading
from typing import Any

import pytest

from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.queues.fair import Item, SharedFairQueue
from services.runtime.service import Service
from services.runtime.threads import pool
from services.runtime.threads.blocking_waits import BlockingWaits
from services.runtime.threads.pool import Pool
from services.wire import Code, RpcError
from services.workload.linear import Waits

TIMEOUT_S = 10


class Depth:
    """A gauge that stores all of its values."""

    def __init__(self) -> None:
        self.values = [0]
        self.taken = threading.Event()

    def set(self, value: int) -> None: ...

    def add(self, amount: int) -> None:
        self.values.append(self.values[-1] + amount)
        if amount < 0:
            self.taken.set()


def quick(depth: Depth) -> type[SharedFairQueue[Any]]:
    """Queues whose `put` returns only after a worker has taken the item and counted that."""

    class Quick(SharedFairQueue[Item]):
        def put(self, item: Item) -> None:
            super().put(item)
            assert depth.taken.wait(TIMEOUT_S)

    return Quick


class Idle:
    """Nothing to do."""

    request = b""


def run(_owner: None, _work: Idle, _waits: Waits, _identity: bytes) -> None: ...


def test_what_is_taken_at_once_was_counted_before(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service("thread_pool", Config(), drain=Drain())
    depth: Any = Depth()
    service.queue = depth
    monkeypatch.setattr(pool, "SharedFairQueue", quick(depth))
    Pool(service, lambda: BlockingWaits(None), run).put(None, Idle())
    assert depth.values == [0, 1, 0]


def test_what_finds_no_room_is_not_counted() -> None:
    service = Service("thread_pool", Config(of_model={"queue_bound": 0}), drain=Drain())
    with pytest.raises(RpcError) as full:
        Pool(service, lambda: BlockingWaits(None), run).put(None, Idle())
    assert full.value.code is Code.RESOURCE_EXHAUSTED
    assert service.queue.own() == 0
