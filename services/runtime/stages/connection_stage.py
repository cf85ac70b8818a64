"""The stages `read` and `reply`, which one loop has because it has the connections; and the calls between the two.

    connection --> received --> | read | --> `admit` ... any stage --> | reply | --> connection
                       '-------- a call that is out: by its number -------'

A connection's state (HPACK, flow control) is one for both directions: so is who reads it and who writes it. A large
payload stays here, as no stage needs it: only the rest of a call goes through the stages. A stream whose caller does
not read waits here: it comes with its last answer, and goes back to `compute` once there is room.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from services.runtime.processes.held_payload import HeldPayload, hold_payload
from services.runtime.queues.fair import FairQueue
from services.runtime.readiness.calls import ResponseSink
from services.runtime.readiness.loop import Loop, Timer
from services.runtime.service import Service
from services.runtime.stages.admit import retry_after_ms
from services.runtime.stages.bounded_sender import BoundedSender
from services.runtime.stages.controllers import PERIOD_NS, SAMPLES, Admission
from services.runtime.stages.event import NOT_QUEUED, Event, Item, StageAnswer, Status
from services.runtime.stages.ownership_table import OwnershipTable
from services.runtime.stages.route import Route
from services.runtime.stages.stage import Stage
from services.runtime.stages.stage_queue import QueuedItem
from services.wire import Code, RpcError, ServerCall


class ConnectionStage:
    """All of it belongs to the loop's thread."""

    def __init__(
        self,
        service: Service,
        loop: Loop,
        ownership: OwnershipTable,
        to_admit: Route,
        to_compute: Route,
        *,
        held_up: Callable[[], bool],
        give_up: Callable[[int], None],
    ) -> None:
        """held_up: whether what was handed on from here waits for room.

        give_up: notifies the process that has the call that no caller waits for it any more.
        """
        ownership.reset()
        self._service = service
        self._loop = loop
        self._ownership = ownership
        self._to_admit = to_admit
        self._to_compute = to_compute
        self._rows = service.stages.rows
        self._held_up = held_up
        self._give_up = give_up
        self._out: dict[int, Out] = {}
        self._under_way = 0
        self._bypassed: tuple[str, ...] = ()
        self._read = Stage(
            self._rows["read"],
            loop,
            begin=self._begin,
            held_up=self._may_not_read,
            skippable=True,
            queue=FairQueue[QueuedItem](self._connection_of),  # so that a connection whose calls are large waits alone
        )
        self.reply = Stage(
            self._rows["reply"],
            loop,
            begin=self._answer,
            held_up=lambda: False,
            skippable=True,
            queue=FairQueue[QueuedItem](self._connection_of),
            size_of=self._answer_bytes,
        )
        # Whether it is full is asked before anything is handed to it, and bytes here are in no other process.
        self._to_read = BoundedSender(self._rows["read"], ownership, self._read.put, bounded=False)
        self._admission: Admission | None = None
        self._took_ns: list[int] = []
        self._admission_ns = 0

    def received(self, connection: ResponseSink, call: ServerCall) -> None:
        try:
            out = Out(connection, call, hold_payload(call))
        except RpcError as error:
            self._refuse(connection, call, Status(error.code, error.message))
            return
        number = None if self._to_read.is_full else self._ownership.begin()
        if number is None:
            self._to_read.row.shed.add(1)
            call.retry_after_ms = retry_after_ms(self._to_read.wait_ns)
            self._refuse(connection, call, Status(Code.RESOURCE_EXHAUSTED, "queue of read is full"))
            return
        call.context = number
        self._out[number] = out
        self._to_read.hand(Event(number, call.head, call.shape, call.received_ns, call.request, self._ownership))
        call.request = b""

    def _refuse(self, connection: ResponseSink, call: ServerCall, refused: Status) -> None:
        self._account(call, StageAnswer(0, 0, status=refused), refused.code)
        connection.finish(call, refused.code, refused.why)

    def cancelled(self, call: ServerCall) -> None:
        if isinstance(call.context, int) and call.context in self._out:
            self._give_up(call.context)

    def lost(self, is_lost: Callable[[int, ServerCall], bool], why: str) -> None:
        """The calls for which `is_lost` is true will not be answered: they end with UNAVAILABLE."""
        for number, out in tuple(self._out.items()):
            if is_lost(number, out.call):
                self._finish(StageAnswer(number, 0), Status(Code.UNAVAILABLE, why))

    def _connection_of(self, queued: QueuedItem) -> ResponseSink | None:
        out = self._out.get(queued[0].number)
        return None if out is None else out.connection

    def _answer_bytes(self, answer: Item) -> int:
        """Of what is sent for it, with a payload that is held here: so that large answers go out in several rounds."""
        out = self._out.get(answer.number)
        return answer.size_bytes + (0 if out is None else len(out.held.payload))

    def _begin(self, batch: list[Item]) -> int:
        for event in batch:
            assert isinstance(event, Event)
            event.taken_by("read")
            event.bypassed = self._bypassed
            out = self._out.get(event.number)
            if out is not None:
                out.under_way = True
                self._under_way += 1
            self._to_admit.hand(event)
        return 0

    def _may_not_read(self) -> bool:
        """Also while calls are on the ways of before a switch, where those after it must not overtake them."""
        bypassed = tuple(name for name, row in self._rows.items() if row.settings.bypass)
        if bypassed != self._bypassed:
            in_order = all(row.settings.workers == 1 for row in self._rows.values())
            if in_order and self._under_way:
                return True
            self._bypassed = bypassed
        return self._held_up()

    def _answer(self, batch: list[Item]) -> int:
        taken_ns = time.monotonic_ns()
        for answer in batch:
            assert isinstance(answer, StageAnswer)
            out = self._out.get(answer.number)
            if out is not None:  # else its caller got the error that a stage had died
                if answer.status is not None and answer.handed_ns != NOT_QUEUED:
                    answer.waits += (("reply", answer.handed_ns, taken_ns),)
                out.early[answer.place] = answer
                while (answer_now := out.early.pop(out.answered, None)) is not None:
                    out.answered += 1
                    self._send(out, answer_now)
        return 0

    def _send(self, out: "Out", answer: StageAnswer) -> None:
        if answer.message is not None:
            out.connection.send(out.call, answer.message + out.held.rest_of(answer.place))
            if out.call.cancelled:  # the session had no memory for it, or will report it once it reads
                self._give_up(answer.number)
        if answer.rest is not None:
            self._wait_for_room(out, answer.rest)
        if answer.status is not None:
            self._finish(answer, answer.status)

    def _wait_for_room(self, out: "Out", event: Event) -> None:
        """Continues the call once its caller has read, or has given it up, or its time is over."""
        self._ownership.take(event.number)
        out.rest = event
        go_on = partial(self._go_on, out, event)
        if event.deadline_ns is not None:
            out.deadline = self._loop.call_at(event.deadline_ns, go_on)
        out.connection.when_room(out.call, go_on)

    def _go_on(self, out: "Out", event: Event) -> None:
        if out.rest is event:
            out.rest = None
            if out.deadline is not None:
                self._loop.cancel(out.deadline)
            self._to_compute.hand(event)

    def _finish(self, last: StageAnswer, status: Status) -> None:
        out = self._out.pop(last.number)
        self._under_way -= out.under_way
        if self._admission is not None and status.code is not Code.RESOURCE_EXHAUSTED:
            self._took_ns.append(time.monotonic_ns() - out.call.received_ns)
        self._ownership.end(last.number)
        self._account(out.call, last, status.code)
        out.call.retry_after_ms = status.retry_after_ms
        out.connection.finish(out.call, status.code, status.why)

    def _account(self, call: ServerCall, last: StageAnswer, code: Code) -> None:
        """Notes how long the call took, where it was begun, and where it waited, where it is traced."""
        now_ns, progress = time.monotonic_ns(), last.progress
        trace = self._service.trace(call, progress)
        durations = self._service.durations.of.get(call.head.path)
        if last.worker and durations is not None:  # no worker took a call that found no room
            durations.note(now_ns - call.received_ns, code, None if trace is None else trace.context)
        if trace is not None:
            for wait in last.waits:
                trace.waited(*wait)
            started_ns = None if progress is None else progress.started_ns
            trace.end(call.received_ns, started_ns, now_ns, code, last.worker)

    def control(self, now_ns: int) -> None:
        """Lets what is measured set the batches of both stages, and the rate of admission."""
        self._read.control(now_ns)
        self.reply.control(now_ns)
        self._control_admission(now_ns)

    def _control_admission(self, now_ns: int) -> None:
        settings = self._rows["admit"].settings
        passed_ns = now_ns - self._admission_ns
        if not settings.target_p90_ms:
            if self._admission is not None:
                self._admission = None
                settings.set("rate_per_s", 0)
            return
        if self._admission is None:
            self._admission = Admission()
        elif len(self._took_ns) < SAMPLES and passed_ns < PERIOD_NS:
            return
        else:
            target_ns = settings.target_p90_ms * 1_000_000
            settings.set("rate_per_s", self._admission.next_rate_per_s(self._took_ns, target_ns, passed_ns))
        self._admission_ns = now_ns
        self._took_ns.clear()


@dataclass(slots=True)
class Out:
    """A call that has not been answered."""

    connection: ResponseSink
    call: ServerCall
    held: HeldPayload
    under_way: bool = False
    """It has left `read`."""
    answered: int = 0
    """Answers sent."""
    early: dict[int, StageAnswer] = field(default_factory=dict)
    """Answers, by their place, that have come before one that comes by another way."""
    rest: Event | None = None
    """The call, while it waits for its caller to read."""
    deadline: Timer | None = None
    """Ends that wait."""
