"""A bounded pool of threads behind a bounded queue, and calls that it runs whole: where one waits, its thread blocks.

The model decides who reads the calls, and how a thread of the pool waits.
"""

import queue
import threading
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Generic, Protocol, TypeVar

from services.runtime.queues.fair import OrderedQueue, SharedFairQueue
from services.runtime.queues.policy import ordered
from services.runtime.readiness.calls import ResponseSink
from services.runtime.readiness.wakeup import Wakeup
from services.runtime.service import Service
from services.runtime.workers import POLICY, QUEUE_BOUND, pool_threads
from services.wire import Code, RpcError, ServerCall
from services.workload import linear
from services.workload.run import Run, status_of

FULL = Code.RESOURCE_EXHAUSTED, "queue is full"
"""How a call ends for which there is no room."""


class HasRequest(Protocol):
    """What a pool runs, as `--policy` sees it: it reads from the request how long the work takes."""

    request: bytes


Owner = TypeVar("Owner")
Work = TypeVar("Work", bound=HasRequest)


def room_waiters(threads: int) -> threading.Semaphore:
    """For threads that wait for a client to read: half of the pool, lest one client that does not read has all of it.

    Others continue without waiting, and what they send is rejected if there is no memory for it.
    """
    return threading.Semaphore(max(1, threads // 2))


class Pool(Generic[Owner, Work]):
    """The queue, and the threads that take from it. Owners take turns, unless `--policy` sets another order."""

    def __init__(
        self,
        service: Service,
        waits: Callable[[], linear.Waits],
        run: Callable[[Owner, Work, linear.Waits, bytes], None],
        *,
        threads: int = 0,
        counts: bool = True,
    ) -> None:
        """A thread calls `run` with what it takes, with its own way to wait (from `waits`), and with its identity.

        `threads`: 0 for all that the service may have. `counts`: the service counts what is in this queue. It does not
        if another process has counted it.
        """
        self._service = service
        self._waits = waits
        self._run = run
        self._count: Callable[[int], None] = service.queue.add if counts else lambda _: None
        self.threads = threads or pool_threads(service.config)
        policy = service.config[POLICY]
        items: OrderedQueue[tuple[Owner, Work]] = ordered(policy, itemgetter(0), lambda item: item[1].request)
        self._queue = SharedFairQueue[tuple[Owner, Work]](service.config[QUEUE_BOUND], itemgetter(0), items)
        if counts:
            service.queue.set(0)
        for number in range(self.threads):
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True).start()

    @property
    def is_full(self) -> bool:
        """`put` would reject."""
        return self._queue.full()

    def put(self, owner: Owner, work: Work) -> None:
        """By any thread. Raises RpcError RESOURCE_EXHAUSTED when the queue is full."""
        self._count(1)  # before a worker can take it, lest the count falls below 0
        try:
            self._queue.put((owner, work))
        except queue.Full:
            self._count(-1)
            raise RpcError(*FULL) from None

    def _work(self) -> None:
        waits = self._waits()
        identity = self._service.identity()
        while True:
            owner, work = self._queue.get()
            self._count(-1)
            self._run(owner, work, waits, identity)
            del owner, work  # else a thread that waits for the next call holds this one, and its connection


class PooledCalls:
    """Has a pool run each call whole. The loop's thread receives what to send."""

    def __init__(
        self,
        service: Service,
        waits: Callable[[], linear.Waits],
        wakeup: Wakeup,
        interrupt: Callable[[Run], None] = lambda _: None,
        *,
        threads: int = 0,
        counts: bool = True,
    ) -> None:
        """`waits`, `threads` and `counts` are the pool's.

        The loop's thread calls `interrupt` for a run for which no caller waits any more. Without it, the thread that
        runs the call has to check that, as one with `BlockingWaits` does.
        """
        self._service = service
        self._wakeup = wakeup
        self._interrupt = interrupt
        self._pool = Pool(service, waits, self._run, threads=threads, counts=counts)
        self._waiters = room_waiters(self._pool.threads)

    def received(self, connection: ResponseSink, call: ServerCall) -> None:
        if self._pool.is_full:  # no other thread puts: it costs 1 us less than what `put` raises
            connection.finish(call, *FULL)
        else:
            self._pool.put(connection, call)

    def cancelled(self, call: ServerCall) -> None:
        if isinstance(call.context, Run):
            self._interrupt(call.context)

    def _run(self, connection: ResponseSink, call: ServerCall, waits: linear.Waits, identity: bytes) -> None:
        run = None
        code, why = Code.OK, ""
        try:
            run = call.context = self._service.start(call, identity)
            for message in linear.handle(run, waits):
                self._wakeup.post(partial(connection.send, call, message))
                if run.has_streamed_much:
                    room = threading.Event()
                    self._wakeup.post(partial(connection.when_room, call, room.set))
                    run.wait_for_room(room, self._waiters)
        except Exception as error:
            code, why = status_of(error)
        self._wakeup.post(partial(connection.finish, call, code, why))
        if run is not None:
            run.end(code)
            call.context = None  # each has the other: a cycle would hold the request until the collector runs
