"""Calls that worker processes run for the process that has the connections; `PooledCalls` is the same with threads.

    connections          the front                             workers, forked beforehand
    c1, c2 --> [ loop | | call | call | ... | ] --- link ---> [ Askers | Calls ]
                        a bounded queue         '-- link ---> [ Askers | Calls ]

Which loop a process has, and in which way a worker runs its calls, is the model's.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from socket import socket
from typing import Protocol

from services.runtime.processes.call_queue import CallQueue, QueuedCall
from services.runtime.processes.forwarding import Asker, MessageLink, Remote
from services.runtime.processes.link import open_link
from services.runtime.processes.mailbox import Mailbox
from services.runtime.processes.paced_queue import TimerLoop
from services.runtime.queues.fair import OrderedQueue
from services.runtime.readiness.calls import CallRunner, ResponseSink
from services.runtime.readiness.loop import EventSource
from services.runtime.service import Service
from services.wire import ServerCall

MakeLink = Callable[..., MessageLink]
"""Makes a loop's end of a link from a socket; its keywords are those of `Link`."""


class Serving(TimerLoop, Protocol):
    """What is asked of a loop that runs calls."""

    def unregister(self, source: EventSource) -> None: ...


class ProcessCalls:
    """Hands each call to the worker that has the fewest. Until one has room, the call waits in the queue."""

    def __init__(
        self,
        service: Service,
        loop: TimerLoop,
        mailboxes: Sequence[Mailbox],
        make_link: MakeLink,
        items: OrderedQueue[QueuedCall] | None = None,
    ) -> None:
        """`mailboxes` has that of each worker. Without `items`, connections take turns in the queue."""
        self._queue = CallQueue("workers", service, items)
        self._workers = [
            Remote(f"worker-{number}", partial(open_link, make_link, mailbox), service, loop, self._queue)
            for number, mailbox in enumerate(mailboxes, start=1)
        ]

    def connect(self) -> None:
        """Opens a link to each worker. Raises OSError."""
        for worker in self._workers:
            worker.connect()

    def received(self, connection: ResponseSink, call: ServerCall) -> None:
        self._queue.put(connection, call)
        for worker in sorted(self._workers, key=attrgetter("load")):
            worker.take_calls()

    def cancelled(self, call: ServerCall) -> None:
        if callable(call.context):  # a worker has it; else it is cancelled when it is taken
            call.context()


class Askers:
    """The other processes for which this one runs calls, each with a link to here."""

    def __init__(
        self,
        service: Service,
        loop: Serving,
        mailbox: Mailbox,
        make_link: MakeLink,
        calls: CallRunner,
        *,
        at_once: int = sys.maxsize,
    ) -> None:
        """The links come by `mailbox`, whose receiver calls `connected`.

        `at_once`: calls that `calls` runs at a time.
        """
        self._service = service
        self._loop = loop
        self._mailbox = mailbox
        self._make_link = make_link
        self._calls = calls
        self._at_once = at_once
        self._askers: set[Asker] = set()
        self._is_draining = False

    def drained(self) -> bool:
        """After `drain`: all of them have left."""
        return self._is_draining and not self._askers and not self._mailbox.unread()

    def ready(self, events: int) -> None:
        """The service drains. Only a worker without connections is registered for the drain."""
        self._loop.unregister(self._service.drain)
        self.drain()

    def drain(self) -> None:
        """No more of them will come."""
        self._is_draining = True

    def connected(self, sock: socket) -> None:
        """Another process has connected, because it is new or a link was lost."""
        asker = Asker(self._calls, self._service.ledger, self._loop, self._askers.discard, self._at_once)
        asker.link = self._make_link(sock, received=asker.received, lost=asker.lost, reads_while_full=False)
        asker.link.start()
        self._askers.add(asker)
