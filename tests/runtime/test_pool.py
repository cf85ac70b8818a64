"""Calls that wait for a pool are counted while they wait, and the count is never negative."""

import socket
import threading
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import pytest

from services.models import thread_pool
from services.runtime import pool
from services.runtime.blocking import BlockingWaits, Connections
from services.runtime.config import Config
from services.runtime.drain import Drain
from services.runtime.fair import Item, SharedFairQueue
from services.runtime.pool import Pool
from services.runtime.service import Service
from services.wire import ClientSession

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


def of_pool(service: Service, queues: type[SharedFairQueue[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "SharedFairQueue", queues)
    Pool(service, lambda: BlockingWaits(None)).put(lambda _waits, _identity: None)


def of_threads(service: Service, queues: type[SharedFairQueue[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    calls = queues(1, itemgetter(0))
    threading.Thread(target=thread_pool.work, args=(service, calls), daemon=True).start()
    client, ours = socket.socketpair()
    session = ClientSession("in.memory")
    session.start("/sweetspot.v1.Workload/Run", b"")
    client.sendall(session.data_to_send())
    client.shutdown(socket.SHUT_WR)
    thread_pool.read_connection(ours, service, Connections(), calls, threading.Semaphore())
    client.close()


@pytest.mark.parametrize("put_one", [of_pool, of_threads], ids=["pool", "thread_pool"])
def test_what_is_taken_at_once_was_counted_before(
    put_one: Callable[[Service, type[SharedFairQueue[Any]], pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service("thread_pool", Config(), drain=Drain())
    depth: Any = Depth()
    service.queue = depth
    put_one(service, quick(depth), monkeypatch)
    assert depth.values == [0, 1, 0]
