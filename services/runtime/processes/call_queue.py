"""Calls that no worker process has begun: a bounded queue in the process that reads the connections.

One link to a worker process, or several, take from a queue. Knows no link, and none of its takers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

from services.runtime.processes.held_payload import HeldPayload, hold_payload
from services.runtime.queues.fair import FairQueue, OrderedQueue
from services.runtime.queues.policy import ordered
from services.runtime.readiness.calls import ResponseSink
from services.runtime.service import Service
from services.runtime.workers import QUEUE_BOUND
from services.wire import Code, RpcError, ServerCall


@dataclass(slots=True, eq=False)
class QueuedCall:
    """A call that another process is to run, or runs."""

    connection: ResponseSink
    call: ServerCall
    held: HeldPayload
    replies: int = 0
    """Those that were passed on."""

    @property
    def request(self) -> bytes:
        """What the call asks for, without a large payload."""
        return self.call.request


connection_of: Callable[[QueuedCall], object] = attrgetter("connection")


def by_policy(policy: str) -> OrderedQueue[QueuedCall]:
    """An empty queue with that order."""
    return ordered(policy, connection_of, attrgetter("request"))


class CallQueue:
    """All of it belongs to the loop's thread.

    Guarantees: at most `queue_bound` calls are not begun: those here, and those that were sent to a worker process. The
    service is notified how many these are, and whether the queue is full.
    """

    def __init__(self, name: str, service: Service, items: OrderedQueue[QueuedCall] | None = None) -> None:
        """`name` is that of the workers. Without `items`, connections take turns."""
        self._name = name
        self._service = service
        self._bound = service.config[QUEUE_BOUND]
        self._items: OrderedQueue[QueuedCall] = FairQueue(connection_of) if items is None else items
        self._not_begun = 0
        self._takers = 0
        self._no_taker = ""
        """Why there is none."""
        service.queue.set(service.queue.own())
        service.full_queues.set(service.full_queues.own())

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_full(self) -> bool:
        """`put` would reject."""
        return self._not_begun >= self._bound

    def put(self, connection: ResponseSink, call: ServerCall) -> None:
        """Queues a call, or finishes it: UNAVAILABLE without a taker, RESOURCE_EXHAUSTED if the queue is full."""
        if not self._takers:
            connection.finish(call, Code.UNAVAILABLE, self._no_taker)
            return
        if self.is_full:
            connection.finish(call, Code.RESOURCE_EXHAUSTED, f"queue of {self._name} is full")
            return
        try:
            held = hold_payload(call)
        except RpcError as error:
            self._service.note_unbegun(call, error.code)
            connection.finish(call, error.code, error.message)
            return
        self._count(1)
        self._items.append(QueuedCall(connection, call, held))

    def take(self) -> QueuedCall | None:
        """The next call that a client waits for. It still counts as not begun."""
        while self._items:
            queued = self._items.popleft()
            if not queued.call.cancelled:
                return queued
            self._count(-1)
            queued.connection.finish(queued.call, Code.CANCELLED, "cancelled by the caller")
        return None

    def begun(self, calls: int) -> None:
        """So many that were taken are begun, or lost."""
        self._count(-calls)

    def join(self) -> None:
        """There is one more taker."""
        self._takers += 1

    def leave(self, why: str) -> None:
        """A taker takes no more. After the last one, each call here and to come ends with UNAVAILABLE and `why`."""
        self._takers -= 1
        self._no_taker = why
        while not self._takers and self._items:
            queued = self._items.popleft()
            self._count(-1)
            queued.connection.finish(queued.call, Code.UNAVAILABLE, why)

    def _count(self, calls: int) -> None:
        was_full = self.is_full
        self._not_begun += calls
        self._service.queue.add(calls)
        if was_full != self.is_full:
            self._service.full_queues.add(-1 if was_full else 1)
