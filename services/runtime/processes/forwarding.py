"""Calls that one worker process has another run: asked over a link, run as if they had come on a connection there.

    asks                                                                         runs
    .--------. -> run number, head, request | cancel number | book number, ... .--------.
    | Remote | -> room number                                                  | Asker  | ---> Calls
    '--------' <- begun how many | message number, ... | end number, status    '--------'
               <- room? number: the handler continues once its caller has read

Calls that are sent and not begun are bounded by count and bytes. Beyond that, calls wait in a queue of the asking side
(call_queue.py). The running worker reads nothing while more than that waits to be sent back. A large payload stays on
the asking side, as no handler needs it. Both sides deal with messages in turns (paced_queue.py).

An asking worker whose own clients have left sends `leaving`. The other workers need not wait for it then. It still runs
the calls of other workers, and still asks for the bookings of those calls.

Which calls go to which worker is the model's.
"""

import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from services.runtime.answers.interop import SHAPES
from services.runtime.processes.call_queue import CallQueue, QueuedCall
from services.runtime.processes.link import FULL_BYTES, Message
from services.runtime.processes.paced_queue import PacedQueue, TimerLoop
from services.runtime.readiness.calls import CallRunner, ResponseSink
from services.runtime.service import WORKLOAD_SHAPES, Service
from services.runtime.shortage import PAUSE_S
from services.telemetry import Headers
from services.wire import Code, ServerCall
from services.wire.request import RequestHead
from services.workload.ledger import Ledger

OnAnswer = Callable[[Code, str], None]


class MessageLink(Protocol):
    """What is asked of a link, on whichever loop it is."""

    def start(self) -> None:
        """Begins to receive."""

    def send(self, *message: object, payload_bytes: int = 0) -> None:
        """Sends a message; nothing once the link is lost."""


AHEAD = 16
"""Calls that are sent and not begun: a single call of another connection waits for so many. As many are begun while the
news of it is on its way."""
OF_CALLS = ("message", "room?", "end")
_SHAPES = {**WORKLOAD_SHAPES, **SHAPES}


class Remote:
    """The asking side: it takes calls from a queue, and has a worker run them. Belongs to its loop's thread.

    Guarantees: each call that it takes is finished once, UNAVAILABLE where the worker dies first. At most AHEAD, or
    FULL_BYTES of requests and one more, are sent and not begun. A worker that dies while the service drains has no
    successor: then it takes no more. While no descriptor is free for a link to the successor, calls wait in the queue,
    and bookings are UNAVAILABLE.
    """

    def __init__(
        self, name: str, open_link: Callable[..., MessageLink], service: Service, loop: TimerLoop, queue: CallQueue
    ) -> None:
        """`open_link` makes a link to the worker of that name or, while there is none, to the next one."""
        self._name = name
        self._open_link = open_link
        self._loop = loop
        self._shortage = service.shortage
        self._drain = service.drain
        self._queue = queue
        self._asked: dict[int, QueuedCall] = {}
        self._booked: dict[int, OnAnswer] = {}
        self._sequence = 0
        self._sent = self._sent_bytes = 0
        """Calls that were sent and are not begun, and their requests."""
        self._leaving = False
        self._is_linked = False
        self._arrived = PacedQueue[Message](loop, self._deal, owner_of=self._connection_of)
        queue.join()

    def connect(self) -> None:
        """Opens a link to the worker. Raises OSError."""
        self._link = self._open_link(received=self._arrived.take, lost=self._lost)
        self._link.start()
        self._is_linked = True

    @property
    def load(self) -> int:
        """Calls that it has been asked for and has not ended."""
        return len(self._asked)

    def run(self, connection: ResponseSink, call: ServerCall) -> None:
        """Queues a call, and has it run there as soon as it may be sent; for a queue that nothing else takes from."""
        self._queue.put(connection, call)
        self.take_calls()

    def take_calls(self) -> None:
        """Has as many calls of the queue run there as it may be sent now."""
        while self._is_linked and self._sent < AHEAD and self._sent_bytes < FULL_BYTES:
            queued = self._queue.take()
            if queued is None:
                return
            call = queued.call
            self._sequence += 1
            self._asked[self._sequence] = queued
            call.context = partial(self._link.send, "cancel", self._sequence)
            head, size_bytes = (call.head.path, call.head.timeout_ns, call.head.trace_context), len(call.request)
            self._sent += 1
            self._sent_bytes += size_bytes
            self._link.send("run", self._sequence, head, call.received_ns, call.request, payload_bytes=size_bytes)
            call.request = b""

    def book(self, account: int, amount: int, answered: OnAnswer) -> None:
        """Has an account changed there; `answered` is called once: UNAVAILABLE where it is not known whether it was."""
        if not self._is_linked:
            answered(Code.UNAVAILABLE, f"{self._name} has stopped: it did not make a transfer")
            return
        self._sequence += 1
        self._booked[self._sequence] = answered
        self._link.send("book", self._sequence, account, amount)

    def leave(self) -> None:
        """Has no more calls run there, and reports that; `book` still works as long as the worker is there."""
        self._leaving = True
        self._link.send("leaving", self._sequence)

    def _connection_of(self, message: Message) -> ResponseSink | None:
        kind, number, *_ = message
        return self._asked[number].connection if kind in OF_CALLS else None

    def _deal(self, message: Message) -> None:
        kind, number, *rest = message
        if kind == "begun":
            self._sent -= number
            self._sent_bytes -= rest[0]
            self._queue.begun(number)
            self.take_calls()
        elif kind == "message":
            asked = self._asked[number]
            asked.connection.send(asked.call, rest[0] + asked.held.rest_of(asked.replies))
            asked.replies += 1
            if asked.call.cancelled:  # the session had no memory for it, or will report it once it reads
                self._link.send("cancel", number)
        elif kind == "room?":
            asked = self._asked[number]
            asked.connection.when_room(asked.call, partial(self._link.send, "room", number))
        elif kind == "end":
            asked = self._asked.pop(number)
            asked.connection.finish(asked.call, *rest)
        else:
            self._booked.pop(number)(Code.OK, "")

    def _lost(self) -> None:
        self._is_linked = False  # first: what is left of a turn would send waiting calls over the link that is gone
        self._arrived.end()
        lost, self._asked = list(self._asked.values()), {}
        booked, self._booked = self._booked, {}
        self._queue.begun(self._sent)
        self._sent = self._sent_bytes = 0
        self._link_again()
        for asked in lost:
            asked.connection.finish(asked.call, Code.UNAVAILABLE, f"{self._name} has died")
        for answered in booked.values():
            answered(Code.UNAVAILABLE, f"{self._name} has died: it may have made a transfer, or not")

    def _link_again(self) -> None:
        """Connects to the successor of a worker that has died. During a drain there is none."""
        if self._leaving or self._drain.requested:
            self._queue.leave(f"{self._name} has died")
            return
        try:
            self.connect()
        except OSError as error:
            self._shortage.of_descriptors(error)
            self._loop.call_at(time.monotonic_ns() + round(PAUSE_S * 1e9), self._link_again)
            return
        self.take_calls()


class Asker:
    """The running side: the `ResponseSink` of another worker's calls."""

    def __init__(
        self,
        calls: CallRunner,
        ledger: Ledger,
        loop: TimerLoop,
        left: Callable[["Asker"], None],
        at_once: int = sys.maxsize,
    ) -> None:
        """`left` is called when it is leaving, and when it is lost.

        `at_once`: calls that `calls` runs at a time, the oldest first. A further one is begun when one of them ends.
        """
        self._calls = calls
        self._ledger = ledger
        self._left = left
        self._running: dict[int, ServerCall] = {}
        self._is_lost = False
        self._waiting_for_room: dict[int, Callable[[], None]] = {}
        self._at_once = at_once
        self._not_begun: deque[int] = deque()
        """Bytes of each request that was not reported as begun, the oldest first."""
        self._arrived = PacedQueue[Message](loop, self._deal, owner_of=lambda _: self, after_turn=self._notify_begun)
        self.link: MessageLink

    def send(self, call: ServerCall, message: bytes) -> None:
        self.link.send("message", call.stream_id, message, payload_bytes=len(message))

    def when_room(self, call: ServerCall, then: Callable[[], None]) -> None:
        if call.cancelled or call.stream_id not in self._running:
            then()
        else:
            self._waiting_for_room[call.stream_id] = then
            self.link.send("room?", call.stream_id)

    def finish(self, call: ServerCall, code: Code, why: str = "") -> None:
        is_awaited = len(self._running) > self._at_once
        del self._running[call.stream_id]
        self.link.send("end", call.stream_id, code, why)
        self._room(call.stream_id)
        if is_awaited:
            self._notify_begun()

    def received(self, messages: list[Message]) -> None:
        self._arrived.take(messages)

    def lost(self) -> None:
        """The other worker is no more: its transfers are booked, and none of its calls is begun."""
        self._is_lost = True
        self._arrived.end()
        for number in tuple(self._running):
            self._cancel(number)
        self._left(self)

    def _deal(self, message: Message) -> None:
        kind, number, *rest = message
        if kind == "run":
            if not self._is_lost:
                self._run(number, *rest)
        elif kind == "cancel":
            self._cancel(number)
        elif kind == "room":
            self._room(number)
        elif kind == "book":
            self._ledger.book(*rest)
            self.link.send("booked", number)
        else:
            self._left(self)

    def _notify_begun(self) -> None:
        waiting = max(len(self._running) - self._at_once, 0)
        begun = [self._not_begun.popleft() for _ in range(len(self._not_begun) - waiting)]
        if begun:
            self.link.send("begun", len(begun), sum(begun))

    def _run(self, number: int, head: tuple[bytes, int | None, Headers], received_ns: int, request: bytes) -> None:
        path, timeout_ns, trace_context = head
        head_here = RequestHead(path, (), 0, timeout_ns=timeout_ns, trace_context=trace_context)
        call = self._running[number] = ServerCall(number, head_here, _SHAPES[path], received_ns)
        call.request = request
        self._not_begun.append(len(request))
        self._calls.received(self, call)

    def _cancel(self, number: int) -> None:
        call = self._running.get(number)
        if call is not None:
            call.cancelled = True
            self._calls.cancelled(call)
            self._room(number)

    def _room(self, number: int) -> None:
        if (then := self._waiting_for_room.pop(number, None)) is not None:
            then()
