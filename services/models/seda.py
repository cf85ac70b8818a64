"""Stages with bounded queues between them: a call goes from one to the next, and each is a process with an event loop.

            front                      admit             compute                   call
         .----------------------.   .----------.   .-----------------------.   .-----------------.
    c1 --+-> read    | | | | ---+-> |||| admit +-> |||| run steps, up to   +-> |||| wait for the +--> backend,
    c2 --+-                     |   '----+-----'   |    one that waits     | <-+--- backend, or  |    timers
    c3 <-+-- reply <-| | | | <--+--------+---------+    (on threads)       |   |    for a time   |
         '----------------------'  shed  '         '-----------------------'   '-----------------'
         ||||  a bounded queue: a pair of sockets, of which what is not yet taken is counted and kept

Who waits      Each loop, for its queue; compute's threads, for a batch of calls; call's loop, for all replies and
               timers at once. A connection's state (HPACK, flow control) is one, and so reading and writing it is one
               process: read and reply are two stages of it.
What bounds it The slowest stage: compute's interpreter lock; then the front, which alone has the connections. A hop
               costs two system calls and a pickle at either end, and at low load two switches.
When full      A stage whose next queue is full keeps its events and takes no more, so that its own queue fills; admit
               refuses what it could not hand on, RESOURCE_EXHAUSTED with the time after which to come again, and so
               does the front where its own queue is full. What a call that is under way comes back with is never
               refused: as many are in compute and call as these may take. When a stage's process dies the calls
               that it had taken are answered UNAVAILABLE; what was in its queue waits for its successor.
After          Welsh, Culler, Brewer: SEDA, SOSP 2001, as retold with processes; sheds as in Welsh and Culler, Adaptive
               Overload Control for Busy Internet Servers, USITS 2003, section 3.

The handler is cut where it waits (services/workload/stages.py), and nothing of it stays on a stack: what is handed
on is what the call has come to.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from services.runtime.acceptor import Acceptor, Connections, Drainer
from services.runtime.backend_connection import BackendConnection
from services.runtime.callback_waits import CallbackWaits
from services.runtime.calls import Caller
from services.runtime.loop import Loop
from services.runtime.passing import Channel
from services.runtime.service import Service
from services.runtime.stages.event import Answer, Event, Packed, Status
from services.runtime.stages.exchange import Exchange
from services.runtime.stages.hop import Hop
from services.runtime.stages.register import Register
from services.runtime.stages.stage import Stage
from services.runtime.stages.tokens import Tokens
from services.runtime.supervisor import Supervisor
from services.runtime.wakeup import Wakeup
from services.wire import Code, RpcError, ServerCall
from services.workload import stages
from services.workload.run import Run, status_of

FRONT, ADMIT, COMPUTE, CALL = range(4)
PROCESS_NAMES = ("front", "admit", "compute", "call")
CALLS_OUT = 10_000
"""That `call` waits for at once, at first."""
BATCH = 64
"""At first, of all but `compute`: there a batch is one thread's, and others may be idle."""


def serve(service: Service) -> None:
    """Serves until drained."""
    listener = service.open_listener()
    service.queue.set(0)
    for row in service.stages.rows.values():
        row.settings.set("queue_bound", service.config.queue_bound)
        row.settings.set("batch", BATCH)
    for name in ("read", "admit", "reply"):
        service.stages.rows[name].settings.keep_workers(1)
    service.stages.rows["compute"].settings.set("batch", 1)
    service.stages.rows["compute"].settings.set("workers", service.config.pool_threads)
    service.stages.rows["call"].settings.set("workers", CALLS_OUT)
    register = Register()
    mailboxes = [Channel() for _ in PROCESS_NAMES]

    def work(number: int) -> None:
        threading.current_thread().name = PROCESS_NAMES[number]
        register.hold_as(number)
        loop = Loop()
        if number == FRONT:
            front = Front(service, loop, register, mailboxes)
            connections = Connections(service, loop, front)
            Drainer(service, loop, connections, Acceptor(listener, loop, connections))
        else:
            listener.close()
            Behind(service, loop, register, mailboxes, number)
        service.loop_lag.watch(loop)
        supervisor.ready()
        loop.run()

    supervisor = Supervisor(service, len(PROCESS_NAMES), work)
    supervisor.start()
    service.announce(listener.getsockname()[1])
    supervisor.run()
    listener.close()
    supervisor.drain()


class Front:
    """The process of the stages `read` and `reply`: it has the connections, and knows which calls are out."""

    def __init__(self, service: Service, loop: Loop, register: Register, mailboxes: list[Channel]) -> None:
        rows = service.stages.rows
        self._register = register
        register.own()
        self._out: dict[int, Out] = {}
        self._exchange = Exchange(FRONT, mailboxes, loop, register, died=self._died)
        self._admit = self._exchange.hop(rows["admit"], ADMIT)
        read = Stage(rows["read"], loop, begin=self._read, held_up=lambda: self._admit.held_up)
        reply = Stage(rows["reply"], loop, begin=self._reply, held_up=lambda: False)
        self._exchange.serve({"reply": reply})
        self._to_read = Hop(rows["read"], register, lambda packed: read.put(packed, self._to_read.taken))

    def received(self, connection: Caller, call: ServerCall) -> None:
        number = self._register.begin() if self._to_read.has_room else None
        if number is None:
            self._to_read.row.shed.add(1)
            call.retry_after_ms = retry_after_ms(self._to_read)
            connection.finish(call, Code.RESOURCE_EXHAUSTED, "queue of read is full")
            return
        call.context = number
        self._out[number] = Out(connection, call)
        event = Event(number, call.head, call.shape, call.received_ns, call.request, self._register)
        self._to_read.hand(event.packed())

    def cancelled(self, call: ServerCall) -> None:
        if isinstance(call.context, int) and call.context in self._out:
            self._exchange.give_up(call.context)

    def _read(self, batch: list[Packed]) -> int:
        for packed in batch:
            self._admit.hand(Event.unpacked(packed, self._register).packed())
        return 0

    def _reply(self, batch: list[Packed]) -> int:
        for packed in batch:
            answer = Answer.unpacked(packed)
            out = self._out.get(answer.number)
            if out is not None:  # else its caller was told that a stage had died
                out.early[answer.place] = answer
                while (answer_now := out.early.pop(out.answered, None)) is not None:
                    out.answered += 1
                    self._send(out, answer_now)
        return 0

    def _send(self, out: "Out", answer: Answer) -> None:
        if answer.message is not None:
            out.connection.send(out.call, answer.message)
        if answer.status is not None:
            self._finish(answer.number, answer.status)

    def _finish(self, number: int, status: Status) -> None:
        out = self._out.pop(number)
        self._register.end(number)
        out.call.retry_after_ms = status.retry_after_ms
        out.connection.finish(out.call, status.code, status.why)

    def _died(self, process: int) -> None:
        """What it had taken is lost; so may be an answer to a stream that is elsewhere by now."""
        why = Status(Code.UNAVAILABLE, f"{PROCESS_NAMES[process]} has died")
        for number, out in tuple(self._out.items()):
            holder = self._register.holder(number)
            if holder == process or (holder != FRONT and out.call.shape.server_streams):
                self._finish(number, why)


@dataclass(slots=True)
class Out:
    """A call that has not been answered."""

    connection: Caller
    call: ServerCall
    answered: int = 0
    """Answers sent."""
    early: dict[int, Answer] = field(default_factory=dict)
    """Answers, by their place, that have come before one that comes by another way."""


class Behind:
    """A process that has one stage and no connection."""

    def __init__(self, service: Service, loop: Loop, register: Register, mailboxes: list[Channel], number: int) -> None:
        rows = service.stages.rows
        self._service = service
        self._loop = loop
        self._register = register
        self._exchange = Exchange(
            number, mailboxes, loop, register, given_up=self._given_up, left=lambda _: self._stop_if_alone()
        )
        self._to_reply = self._exchange.hop(rows["reply"], FRONT)
        name = PROCESS_NAMES[number]
        self._handler: Admit | Compute | WaitForOthers
        if number == ADMIT:
            to_compute = self._exchange.hop(rows["compute"], COMPUTE)
            self._handler = Admit(rows[name].shed.add, to_compute, self)
            self._hops = [to_compute, self._to_reply]
        elif number == COMPUTE:
            to_call = self._exchange.hop(rows["call"], CALL)
            self._handler = Compute(service, loop, to_call, self)
            self._hops = [to_call, self._to_reply]
        else:
            # Not bounded: were each of two stages to wait until the other one takes, neither would.
            to_compute = self._exchange.hop(rows["compute"], COMPUTE, bounded=False)
            self._handler = WaitForOthers(service, loop, to_compute, self)
            self._hops = [self._to_reply]
        self.stage = Stage(
            rows[name],
            loop,
            begin=self._begin,
            held_up=lambda: any(hop.held_up for hop in self._hops),
            waits_for_tokens=number != ADMIT,
            worker_each=number == CALL,
        )
        self._exchange.serve({name: self.stage})
        loop.register(service.drain.fileno(), self)

    def answer(self, answer: Answer) -> None:
        """Hands an answer to `reply`."""
        self._to_reply.hand(answer.packed())

    def ready(self, events: int) -> None:
        """The service drains."""
        self._loop.unregister(self._service.drain.fileno())
        self._stop_if_alone()

    def _begin(self, batch: list[Packed]) -> int:
        events = []
        for packed in batch:
            if not self._register.take(packed[0]):
                continue
            event = Event.unpacked(packed, self._register)
            try:
                event.check()
            except RpcError as over:
                self.answer(Answer(event.number, event.next_answer, None, Status(over.code, over.message)))
            else:
                events.append(event)
        return self._handler.begin(events) if events else 0

    def _given_up(self, number: int) -> None:
        self._handler.given_up(number)

    def _stop_if_alone(self) -> None:
        if self._service.drain.requested and not self._exchange.led_here[FRONT]:
            self._loop.stop()


class Admit:
    """Lets a call in, or refuses it where it could not be handed on, or comes too soon after others."""

    def __init__(self, shed: Callable[[int], None], to_compute: Hop, process: Behind) -> None:
        self._shed = shed
        self._to_compute = to_compute
        self._process = process
        self._tokens = Tokens()

    def begin(self, events: list[Event]) -> int:
        rate_per_s = self._process.stage.row.settings.rate_per_s
        for event in events:
            if not self._to_compute.has_room:
                self._refuse(event, "queue of compute is full", retry_after_ms(self._to_compute))
            elif not self._tokens.take(1, rate_per_s, now_ns := time.monotonic_ns()):
                wait_ms = (self._tokens.next_ns(rate_per_s, now_ns) - now_ns) // 1_000_000
                self._refuse(event, f"more than {rate_per_s} calls/s are not admitted", max(1, wait_ms))
            else:
                self._to_compute.hand(event.packed())
        return 0

    def given_up(self, number: int) -> None:
        """No call is here for long."""

    def _refuse(self, event: Event, why: str, retry_ms: int) -> None:
        self._shed(1)
        status = Status(Code.RESOURCE_EXHAUSTED, why, retry_ms)
        self._process.answer(Answer(event.number, 0, None, status))


class Compute:
    """Runs steps on threads of its process; there are as many as the stage has ever had workers at once."""

    def __init__(self, service: Service, loop: Loop, to_call: Hop, process: Behind) -> None:
        self._service = service
        self._to_call = to_call
        self._process = process
        self._wakeup = Wakeup(loop)
        self._batches: queue.SimpleQueue[list[Event] | None] = queue.SimpleQueue()
        self._threads = 0
        self._idle = 0

    def begin(self, events: list[Event]) -> int:
        if self._idle:
            self._idle -= 1
        else:
            name = f"compute-{self._threads}"
            self._threads += 1
            threading.Thread(target=self._work, name=name, daemon=True).start()
        self._batches.put(events)
        return 1

    def given_up(self, number: int) -> None:
        """The thread that has it looks before each step."""

    def _work(self) -> None:
        identity = self._service.identity()
        while (batch := self._batches.get()) is not None:
            for event in batch:
                self._run(event, identity)
            self._wakeup.post(self._done)

    def _run(self, event: Event, identity: bytes) -> None:
        messages: list[bytes] = []

        def send(message: bytes) -> None:
            if run is not None and run.streams:
                self._answer(Answer(event.number, run.taken - 1, message, None))
            else:
                messages.append(message)

        run = None
        status = Status(Code.OK)
        try:
            run = self._service.start(event, identity, event.progress)
            if not stages.compute(run, send):
                event.progress = run.hand_on()
                self._wakeup.post(partial(self._to_call.hand, event.packed()))
                return
        except Exception as error:
            status = Status(*status_of(error))
        self._answer(last_answer(event, run, messages[0] if messages else None, status))
        if run is not None:
            run.end(status.code)

    def _answer(self, answer: Answer) -> None:
        self._wakeup.post(partial(self._process.answer, answer))

    def _done(self) -> None:
        if self._idle + 1 > self._process.stage.row.settings.workers:
            self._threads -= 1
            self._batches.put(None)
        else:
            self._idle += 1
        self._process.stage.free()


class WaitForOthers:
    """Takes the steps that wait: any number of them at once, on its process's loop."""

    def __init__(self, service: Service, loop: Loop, to_compute: Hop, process: Behind) -> None:
        self._service = service
        self._to_compute = to_compute
        self._process = process
        self._identity = service.identity()
        self._waits = CallbackWaits(service.config.backend, loop, partial(BackendConnection, loop))
        self._waiting: dict[int, Run] = {}

    def begin(self, events: list[Event]) -> int:
        return sum(map(self._begin, events))

    def given_up(self, number: int) -> None:
        run = self._waiting.get(number)
        if run is not None:
            self._waits.interrupt(run)

    def _begin(self, event: Event) -> bool:
        run = None
        try:
            run = self._service.start(event, self._identity, event.progress)
            step = run.steps[run.taken]
            started_ns = time.monotonic_ns()
            if step.HasField("call"):
                fetch = run.fetch(step)
                note: Callable[[bytes | RpcError], None] = partial(run.fetched, fetch, started_ns)
                self._waits.fetch(fetch, run, lambda reply: self._resume(event, run, partial(note, reply)))
            else:
                slept = partial(run.slept, step, started_ns)
                self._waits.sleep(step.sleep.duration_us, run, lambda: self._resume(event, run, slept))
        except RpcError as error:
            self._end(event, run, error)
            return False
        self._waiting[event.number] = run
        return True

    def _resume(self, event: Event, run: Run, note: Callable[[], None]) -> None:
        del self._waiting[event.number]
        try:
            note()
            if run.streams:
                self._process.answer(Answer(event.number, run.taken - 1, run.reply(), None))
            event.progress = run.hand_on()
            self._to_compute.hand(event.packed())
        except Exception as error:
            self._end(event, run, error)
        self._process.stage.free()

    def _end(self, event: Event, run: Run | None, error: Exception) -> None:
        status = Status(*status_of(error))
        self._process.answer(last_answer(event, run, None, status))
        if run is not None:
            run.end(status.code)


def last_answer(event: Event, run: Run | None, message: bytes | None, status: Status) -> Answer:
    """What ends a call that has come so far."""
    place = event.next_answer if run is None else run.taken if run.streams else 0
    return Answer(event.number, place, message, status)


def retry_after_ms(hop: Hop) -> int:
    """As long as those who are in that queue have to wait, a millisecond at least."""
    return max(1, round(hop.wait_ns / 1e6))
