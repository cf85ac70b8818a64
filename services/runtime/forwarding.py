"""Calls that one worker process has another run: asked over a link, run as if they had come on a connection there.

    asks                                                                         runs
    .--------. -> run number, head, request | cancel number | book number, ... .--------.
    | Remote | -> room number                                                  | Asker  | ---> Calls
    '--------' <- begun how many | message number, ... | end number, status    '--------'
               <- room? number: the handler continues once its caller has read

Calls that are sent and not begun are bounded by count and bytes. Beyond that, calls wait on the asking side, where
connections take turns. The running worker reads nothing while more than that waits to be sent back. A large payload
stays on the asking side, as no handler needs it. Both sides deal with messages in turns (paced.py).

An asking worker whose own clients have left sends `leaving`. The other workers need not wait for it then. It still runs
the calls of other workers, and still asks for the bookings of those calls.

Which calls go to which worker, and how the two come to have a link, is the model's.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Protocol

from services.runtime.calls import Caller, Calls
from services.runtime.fair import FairQueue
from services.runtime.held_payload import HeldPayload, hold_payload
from services.runtime.interop import SHAPES
from services.runtime.link import FULL_BYTES, Message
from services.runtime.paced import Paced, Timed
from services.runtime.service import WORKLOAD_SHAPES, Service
from services.runtime.shortage import PAUSE_S
from services.runtime.workers import QUEUE_BOUND
from services.telemetry import Headers
from services.wire import Code, RpcError, ServerCall
from services.wire.request import RequestHead
from services.workload.ledger import Ledger

Answered = Callable[[Code, str], None]


class Linked(Protocol):
    """What is asked of a link, on whichever loop it is."""

    def send(self, *message: object, payload_bytes: int = 0) -> None:
        """Sends a message; nothing once the link is lost."""


@dataclass(slots=True)
class Asked:
    """A call that is to run there, or does."""

    connection: Caller
    call: ServerCall
    held: HeldPayload
    replies: int = 0
    """Of it that were passed on."""


AHEAD = 16
"""Calls that are sent and not begun: a single call of another connection waits for so many. As many are begun while the
news of it is on its way."""
OF_CALLS = ("message", "room?", "end")
_SHAPES = {**WORKLOAD_SHAPES, **SHAPES}


class Remote:
    """The asking side. Belongs to its loop's thread.

    Guarantees: each call is finished once, UNAVAILABLE where the worker dies first; at most `queue_bound` wait until
    they are begun: of these AHEAD, or FULL_BYTES of requests and one more, there, and the others here. The service is
    notified how many wait, and whether the queue is full. A worker that dies while the service drains has no successor:
    what would be for it is UNAVAILABLE at once. While no descriptor is free for a link to the successor, calls wait
    here, and bookings are UNAVAILABLE.
    """

    def __init__(self, name: str, connect: Callable[..., Linked], service: Service, loop: Timed) -> None:
        """`connect` makes a link to the worker of that name or, while there is none, to the next one."""
        self._name = name
        self._service = service
        self._connect = connect
        self._loop = loop
        self._shortage = service.shortage
        self._drain = service.drain
        self._queue = service.queue
        self._full_queues = service.full_queues
        self._queue_bound = service.config[QUEUE_BOUND]
        self._waiting = FairQueue[Asked](attrgetter("connection"))
        self._asked: dict[int, Asked] = {}
        self._booked: dict[int, Answered] = {}
        self._sequence = 0
        self._not_begun = 0
        self._sent = self._sent_bytes = 0
        """Calls that were sent and are not begun, and their requests."""
        self._leaving = False
        self._gone = False
        self._is_linked = True
        self._arrived = Paced[Message](loop, self._deal, owner_of=self._connection_of)
        self._link = connect(received=self._arrived.take, lost=self._lost)

    @property
    def has_left(self) -> bool:
        """No worker of that name is there, nor will be."""
        return self._gone

    @property
    def load(self) -> int:
        """Calls that it has been asked for and has not ended."""
        return len(self._asked) + len(self._waiting)

    def run(self, connection: Caller, call: ServerCall) -> None:
        """Has the call run there, and its replies passed on."""
        if self._gone:
            connection.finish(call, Code.UNAVAILABLE, f"{self._name} has died")
            return
        if self._not_begun >= self._queue_bound:
            connection.finish(call, Code.RESOURCE_EXHAUSTED, f"queue of {self._name} is full")
            return
        try:
            held = hold_payload(call)
        except RpcError as error:
            self._service.note_unbegun(call, error.code)
            connection.finish(call, error.code, error.message)
            return
        self._wait_for(1)
        self._waiting.append(Asked(connection, call, held))
        self._send_waiting()

    def book(self, account: int, amount: int, answered: Answered) -> None:
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

    def _send_waiting(self) -> None:
        while self._waiting and self._is_linked and self._sent < AHEAD and self._sent_bytes < FULL_BYTES:
            asked = self._waiting.popleft()
            call = asked.call
            if call.cancelled:
                self._wait_for(-1)
                asked.connection.finish(call, Code.CANCELLED, "cancelled by the caller")
                continue
            self._sequence += 1
            self._asked[self._sequence] = asked
            call.context = partial(self._link.send, "cancel", self._sequence)
            head, size_bytes = (call.head.path, call.head.timeout_ns, call.head.trace_context), len(call.request)
            self._sent += 1
            self._sent_bytes += size_bytes
            self._link.send("run", self._sequence, head, call.received_ns, call.request, payload_bytes=size_bytes)
            call.request = b""

    def _connection_of(self, message: Message) -> Caller | None:
        kind, number, *_ = message
        return self._asked[number].connection if kind in OF_CALLS else None

    def _deal(self, message: Message) -> None:
        kind, number, *rest = message
        if kind == "begun":
            self._wait_for(-number)
            self._sent -= number
            self._sent_bytes -= rest[0]
            self._send_waiting()
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
        self._sent = self._sent_bytes = 0
        self._wait_for(len(self._waiting) - self._not_begun)
        self._link_again()
        for asked in lost:
            asked.connection.finish(asked.call, Code.UNAVAILABLE, f"{self._name} has died")
        for answered in booked.values():
            answered(Code.UNAVAILABLE, f"{self._name} has died: it may have made a transfer, or not")

    def _link_again(self) -> None:
        """Connects to the successor of a worker that has died. During a drain there is none."""
        if self._leaving or self._drain.requested:
            self._gone = True
            while self._waiting:
                asked = self._waiting.popleft()
                self._wait_for(-1)
                asked.connection.finish(asked.call, Code.UNAVAILABLE, f"{self._name} has died")
            return
        try:
            self._link = self._connect(received=self._arrived.take, lost=self._lost)
        except OSError as error:
            self._shortage.of_descriptors(error)
            self._loop.call_at(time.monotonic_ns() + round(PAUSE_S * 1e9), self._link_again)
            return
        self._is_linked = True
        self._send_waiting()

    def _wait_for(self, calls: int) -> None:
        was_full = self._not_begun >= self._queue_bound
        self._not_begun += calls
        self._queue.add(calls)
        if was_full != (self._not_begun >= self._queue_bound):
            self._full_queues.add(-1 if was_full else 1)


class Asker:
    """The running side: the `Caller` of another worker's calls."""

    def __init__(self, calls: Calls, ledger: Ledger, loop: Timed, left: Callable[["Asker"], None]) -> None:
        """`left` is called when it is leaving, and when it is lost."""
        self._calls = calls
        self._ledger = ledger
        self._left = left
        self._running: dict[int, ServerCall] = {}
        self._is_lost = False
        self._waiting_for_room: dict[int, Callable[[], None]] = {}
        self._begun = self._begun_bytes = 0
        """Since the other side was notified last."""
        self._arrived = Paced[Message](loop, self._deal, owner_of=lambda _: self, after_turn=self._notify_begun)
        self.link: Linked

    def send(self, call: ServerCall, message: bytes) -> None:
        self.link.send("message", call.stream_id, message, payload_bytes=len(message))

    def when_room(self, call: ServerCall, then: Callable[[], None]) -> None:
        if call.cancelled or call.stream_id not in self._running:
            then()
        else:
            self._waiting_for_room[call.stream_id] = then
            self.link.send("room?", call.stream_id)

    def finish(self, call: ServerCall, code: Code, why: str = "") -> None:
        del self._running[call.stream_id]
        self.link.send("end", call.stream_id, code, why)
        self._room(call.stream_id)

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
        if self._begun:
            self.link.send("begun", self._begun, self._begun_bytes)
            self._begun = self._begun_bytes = 0

    def _run(self, number: int, head: tuple[bytes, int | None, Headers], received_ns: int, request: bytes) -> None:
        path, timeout_ns, trace_context = head
        head_here = RequestHead(path, (), 0, timeout_ns=timeout_ns, trace_context=trace_context)
        call = self._running[number] = ServerCall(number, head_here, _SHAPES[path], received_ns)
        call.request = request
        self._begun += 1
        self._begun_bytes += len(request)
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
