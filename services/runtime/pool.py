"""A bounded pool of threads behind a bounded queue, and calls that it runs whole: where one waits, it blocks.

Who reads the calls, and in which way their threads wait, is the model's.
"""

import queue
import threading
from collections.abc import Callable
from functools import partial
from operator import itemgetter

from services.runtime.calls import Caller
from services.runtime.config import Config
from services.runtime.fair import Ordered, SharedFairQueue
from services.runtime.policy import ordered
from services.runtime.service import Service
from services.runtime.wakeup import Wakeup
from services.wire import Code, RpcError, ServerCall
from services.workload import linear
from services.workload.run import Run, status_of

FULL = Code.RESOURCE_EXHAUSTED, "queue is full"
"""How a call ends for which there is no room."""
Task = Callable[[linear.Waits, bytes], None]
"""What a thread of the pool does, with its own way to wait and its own identity."""
Waiting = tuple[object, bytes, Task]
"""A task with its owner and the request of its call, for who orders them by these."""


def room_waiters(config: Config) -> threading.Semaphore:
    """For threads that wait for a client to read: half of the pool, lest one client that does not read has all of it.

    Others continue without waiting, and what they send is rejected if there is no memory for it.
    """
    return threading.Semaphore(max(1, config.pool_threads // 2))


class Pool:
    """The queue, and the threads that take from it."""

    def __init__(self, service: Service, waits: Callable[[], linear.Waits]) -> None:
        """`waits` gives each thread its way to wait."""
        self._service = service
        self._waits = waits
        items: Ordered[Waiting] = ordered(service.config.policy, itemgetter(0), itemgetter(1))
        self._tasks = SharedFairQueue[Waiting](service.config.queue_bound, itemgetter(0), items)
        service.queue.set(0)
        for number in range(service.config.pool_threads):
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True).start()

    @property
    def is_full(self) -> bool:
        """`put` would reject."""
        return self._tasks.full()

    def put(self, task: Task, owner: object = None, request: bytes = b"") -> None:
        """By any thread. Raises RpcError RESOURCE_EXHAUSTED when the queue is full."""
        self._service.queue.add(1)  # before a worker can take it, lest the count falls below 0
        try:
            self._tasks.put((owner, request, task))
        except queue.Full:
            self._service.queue.add(-1)
            raise RpcError(*FULL) from None

    def _work(self) -> None:
        waits = self._waits()
        identity = self._service.identity()
        while True:
            *_, task = self._tasks.get()
            self._service.queue.add(-1)
            task(waits, identity)
            del _, task  # else a thread that waits for the next one holds this call, and a connection that has closed


class PooledCalls:
    """Hands each call to the pool whole; the loop's thread receives what to send."""

    def __init__(self, service: Service, pool: Pool, wakeup: Wakeup, interrupt: Callable[[Run], None]) -> None:
        """`interrupt` is called by the loop's thread for a run that no caller waits for any more."""
        self._service = service
        self._pool = pool
        self._wakeup = wakeup
        self._interrupt = interrupt
        self._waiters = room_waiters(service.config)

    def received(self, connection: Caller, call: ServerCall) -> None:
        try:
            self._pool.put(partial(self._run, connection, call), connection, call.request)
        except RpcError as full:
            connection.finish(call, full.code, full.message)

    def cancelled(self, call: ServerCall) -> None:
        if isinstance(call.context, Run):
            self._interrupt(call.context)

    def _run(self, connection: Caller, call: ServerCall, waits: linear.Waits, identity: bytes) -> None:
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
