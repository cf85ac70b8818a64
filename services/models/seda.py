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
               Overload Control for Busy Internet Servers, USITS 2003.

While a stage is bypassed whoever would hand a call to it does its work instead: the same handler, without the hop and
the queue. A call keeps to the ways that it was told when it was read; where every stage has one worker, so that answers
come in order, calls that are told other ways wait until all before them are answered.

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
from services.runtime.stages.controllers import PERIOD_NS, SAMPLES, Admission, next_workers
from services.runtime.stages.event import Answer, Event, Packed, Status
from services.runtime.stages.exchange import Exchange
from services.runtime.stages.hop import Hop
from services.runtime.stages.register import Register
from services.runtime.stages.stage import Stage
from services.runtime.stages.tokens import Tokens
from services.runtime.stages.way import Way
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

OF_NO_USE = {
    "read": ("workers", "most_workers", "target_p90_ms"),
    "admit": ("workers", "most_workers"),
    "compute": ("target_p90_ms",),
    "call": ("most_workers", "target_p90_ms"),
    "reply": ("workers", "most_workers", "target_p90_ms"),
}
"""Settings of stages that have no workers but their event loop, or nothing to steer by them."""
CONTROL_NS = 50_000_000
"""How often controllers look."""


def serve(service: Service) -> None:
    """Serves until drained."""
    listener = service.open_listener()
    service.queue.set(0)
    for row in service.stages.rows.values():
        row.settings.set("queue_bound", service.config.queue_bound)
        row.settings.set("batch", BATCH)
        row.settings.set("workers", 1)
    for name, useless in OF_NO_USE.items():
        service.stages.rows[name].settings.keep(*useless)
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


class Process:
    """What each process has: links to the others, the ways to the stages after its own, and what they do, to do it."""

    def __init__(self, service: Service, loop: Loop, register: Register, mailboxes: list[Channel], number: int) -> None:
        self.service = service
        self.loop = loop
        self.register = register
        self.identity = service.identity()
        self.rows = service.stages.rows
        self.exchange = Exchange(
            number, mailboxes, loop, register, given_up=self._given_up, died=self.died, left=lambda _: self.left()
        )
        self.admit = Admit(self)
        self.compute = Compute(self)
        self.call = WaitForOthers(self)
        self.ways: dict[str, Way] = {}
        if number < ADMIT:
            self.ways["admit"] = self._way("admit", ADMIT, self.admit.run)
        if number != COMPUTE:
            self.ways["compute"] = self._way("compute", COMPUTE, self.compute.run)
        if number < CALL:
            self.ways["call"] = self._way("call", CALL, self.call.run)
        self.to_reply: Hop

    def pass_on(self, stage: str, event: Event) -> None:
        """Hands a call to its next stage."""
        self.ways[stage].hand(event)

    def answer(self, answer: Answer) -> None:
        """Hands an answer to `reply`."""
        self.to_reply.hand(answer.packed())

    def held_up(self) -> bool:
        """What was handed on still waits for room."""
        return self.to_reply.held_up or any(way.held_up for way in self.ways.values())

    def died(self, process: int) -> None:
        """One that a link led to."""

    def left(self) -> None:
        """One that had a link to here is gone."""

    def free(self) -> None:
        """A worker of the stage is."""

    def local(self, stage: Stage) -> Hop:
        """The way to a stage of this process."""
        hop = Hop(stage.row, self.register, lambda packed: stage.put(packed, hop.taken))
        return hop

    def _way(self, name: str, home: int, inline: Callable[[Event], None]) -> Way:
        # Not bounded from `call` back: were each of two stages to wait until the other one takes, neither would.
        hop = self.exchange.hop(self.rows[name], home, bounded=self.exchange.me != CALL)
        waiting = (lambda: self.call.waiting) if name == "call" else lambda: 0
        return Way(hop, inline=inline, inline_calls=waiting)

    def _given_up(self, number: int) -> None:
        self.call.given_up(number)


class Front(Process):
    """The process of the stages `read` and `reply`: it has the connections, and knows which calls are out."""

    def __init__(self, service: Service, loop: Loop, register: Register, mailboxes: list[Channel]) -> None:
        super().__init__(service, loop, register, mailboxes, FRONT)
        register.own()
        self._out: dict[int, Out] = {}
        self._bypassed: tuple[str, ...] = ()
        self._under_way = 0
        read = Stage(self.rows["read"], loop, begin=self._read, held_up=self._held_up, skippable=True)
        reply = Stage(self.rows["reply"], loop, begin=self._reply, held_up=lambda: False, skippable=True)
        self._to_read = self.local(read)
        self.to_reply = self.local(reply)
        self.exchange.serve({"reply": reply})
        self._admission: Admission | None = None
        self._took_ns: list[int] = []
        self._controlled_ns = time.monotonic_ns()
        self._control_admission()

    def received(self, connection: Caller, call: ServerCall) -> None:
        number = self.register.begin() if self._to_read.has_room else None
        if number is None:
            self._to_read.row.shed.add(1)
            call.retry_after_ms = retry_after_ms(self._to_read.wait_ns)
            connection.finish(call, Code.RESOURCE_EXHAUSTED, "queue of read is full")
            return
        call.context = number
        self._out[number] = Out(connection, call)
        event = Event(number, call.head, call.shape, call.received_ns, call.request, self.register, ())
        self._to_read.hand(event.packed())

    def cancelled(self, call: ServerCall) -> None:
        if isinstance(call.context, int) and call.context in self._out:
            self.exchange.give_up(call.context)

    def died(self, process: int) -> None:
        """What it had taken is lost; so may be an answer to a stream that is elsewhere by now."""
        why = Status(Code.UNAVAILABLE, f"{PROCESS_NAMES[process]} has died")
        for number, out in tuple(self._out.items()):
            holder = self.register.holder(number)
            if holder == process or (holder != FRONT and out.call.shape.server_streams):
                self._finish(number, why)

    def _control_admission(self) -> None:
        settings = self.rows["admit"].settings
        now_ns = time.monotonic_ns()
        self.loop.call_at(now_ns + CONTROL_NS, self._control_admission)
        if not settings.target_p90_ms:
            if self._admission is not None:
                self._admission = None
                settings.set("rate_per_s", 0)
            return
        passed_ns = now_ns - self._controlled_ns
        if self._admission is None:
            self._admission = Admission()
        elif len(self._took_ns) < SAMPLES and passed_ns < PERIOD_NS:
            return
        else:
            target_ns = settings.target_p90_ms * 1_000_000
            rate_per_s = self._admission.next_rate_per_s(self._took_ns, target_ns, passed_ns)
            settings.set("rate_per_s", rate_per_s)
        self._controlled_ns = now_ns
        self._took_ns.clear()

    def _read(self, batch: list[Packed]) -> int:
        for packed in batch:
            event = Event.unpacked(packed, self.register)
            event.bypassed = self._bypassed
            out = self._out.get(event.number)
            if out is not None:
                out.under_way = True
                self._under_way += 1
            self.pass_on("admit", event)
        return 0

    def _held_up(self) -> bool:
        """Also while calls are on the ways of before a switch, where those after it must not overtake them."""
        bypassed = tuple(name for name, row in self.rows.items() if row.settings.bypass)
        if bypassed != self._bypassed:
            in_order = all(row.settings.workers == 1 for row in self.rows.values())
            if in_order and self._under_way:
                return True
            self._bypassed = bypassed
        return self.held_up()

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
        self._under_way -= out.under_way
        if self._admission is not None and status.code is not Code.RESOURCE_EXHAUSTED:
            self._took_ns.append(time.monotonic_ns() - out.call.received_ns)
        self.register.end(number)
        out.call.retry_after_ms = status.retry_after_ms
        out.connection.finish(out.call, status.code, status.why)


@dataclass(slots=True)
class Out:
    """A call that has not been answered."""

    connection: Caller
    call: ServerCall
    under_way: bool = False
    """It has left `read`."""
    answered: int = 0
    """Answers sent."""
    early: dict[int, Answer] = field(default_factory=dict)
    """Answers, by their place, that have come before one that comes by another way."""


class Behind(Process):
    """A process that has one stage and no connection."""

    def __init__(self, service: Service, loop: Loop, register: Register, mailboxes: list[Channel], number: int) -> None:
        super().__init__(service, loop, register, mailboxes, number)
        name = PROCESS_NAMES[number]
        self._begin_events = {ADMIT: self.admit.begin, COMPUTE: self.compute.begin, CALL: self.call.begin}[number]
        self.to_reply = self.exchange.hop(self.rows["reply"], FRONT)
        self._stage = Stage(
            self.rows[name],
            loop,
            begin=self._begin,
            held_up=self.held_up,
            waits_for_tokens=number != ADMIT,
            worker_each=number == CALL,
        )
        self._own = self.local(self._stage)
        self.exchange.serve({name: self._stage})
        if number == COMPUTE:
            self.compute.control()
        loop.register(service.drain.fileno(), self)

    def pass_on(self, stage: str, event: Event) -> None:
        if stage in self.ways:
            super().pass_on(stage, event)
        else:  # it waited here, as `call` is bypassed, and comes back
            self._own.hand(event.packed())

    def free(self) -> None:
        self._stage.free()

    def ready(self, events: int) -> None:
        """The service drains."""
        self.loop.unregister(self.service.drain.fileno())
        self.left()

    def left(self) -> None:
        if self.service.drain.requested and not self.exchange.led_here[FRONT]:
            self.loop.stop()

    def _begin(self, batch: list[Packed]) -> int:
        events = []
        for packed in batch:
            if not self.register.take(packed[0]):
                continue
            event = Event.unpacked(packed, self.register)
            try:
                event.check()
            except RpcError as over:
                self.answer(Answer(event.number, event.next_answer, None, Status(over.code, over.message)))
            else:
                events.append(event)
        return self._begin_events(events) if events else 0


class Admit:
    """Lets a call in, or refuses it where it could not be handed on, or comes too soon after others."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._row = process.rows["admit"]
        self._tokens = Tokens()

    def begin(self, events: list[Event]) -> int:
        for event in events:
            self.run(event)
        return 0

    def run(self, event: Event) -> None:
        """Hands it on, or answers it."""
        to_compute = self._process.ways["compute"]
        rate_per_s = self._row.settings.rate_per_s
        if not to_compute.has_room(event):
            self._refuse(event, "queue of compute is full", retry_after_ms(to_compute.hop.wait_ns))
        elif not self._tokens.take(1, rate_per_s, now_ns := time.monotonic_ns()):
            wait_ns = self._tokens.next_ns(rate_per_s, now_ns) - now_ns
            self._refuse(event, f"more than {rate_per_s} calls/s are not admitted", retry_after_ms(wait_ns))
        else:
            self._process.pass_on("compute", event)

    def _refuse(self, event: Event, why: str, retry_ms: int) -> None:
        self._row.shed.add(1)
        self._process.answer(Answer(event.number, 0, None, Status(Code.RESOURCE_EXHAUSTED, why, retry_ms)))


class Compute:
    """Runs steps: on threads of its process, as many as it has workers; or here and now, where it is bypassed."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._wakeup = Wakeup(process.loop)
        self._batches: queue.SimpleQueue[list[Event] | None] = queue.SimpleQueue()
        self._threads = 0
        self._idle = 0

    def control(self) -> None:
        """Lets the workers follow the queue, where that is asked for."""
        row = self._process.rows["compute"]
        if row.settings.most_workers:
            idle = row.settings.workers - (self._threads - self._idle)
            waiting = row.depth.value() or 0
            row.settings.set("workers", next_workers(row.settings.workers, row.settings.most_workers, waiting, idle))
        self._process.loop.call_at(time.monotonic_ns() + CONTROL_NS, self.control)

    def begin(self, events: list[Event]) -> int:
        if self._idle:
            self._idle -= 1
        else:
            name = f"compute-{self._threads}"
            self._threads += 1
            threading.Thread(target=self._work, name=name, daemon=True).start()
        self._batches.put(events)
        return 1

    def run(self, event: Event) -> None:
        """Up to the next step that waits, in the loop's thread."""
        self._run(event, self._process.identity, lambda told: told())

    def _work(self) -> None:
        identity = self._process.service.identity()
        while (batch := self._batches.get()) is not None:
            for event in batch:
                self._run(event, identity, self._wakeup.post)
            self._wakeup.post(self._done)

    def _run(self, event: Event, identity: bytes, tell: Callable[[Callable[[], None]], None]) -> None:
        """`tell` has the loop's thread call something."""
        messages: list[bytes] = []

        def send(message: bytes) -> None:
            if run is not None and run.streams:
                tell(partial(self._process.answer, Answer(event.number, run.taken - 1, message, None)))
            else:
                messages.append(message)

        run = None
        status = Status(Code.OK)
        try:
            run = self._process.service.start(event, identity, event.progress)
            if not stages.compute(run, send):
                event.progress = run.hand_on()
                tell(partial(self._process.pass_on, "call", event))
                return
        except Exception as error:
            status = Status(*status_of(error))
        answer = last_answer(event, run, messages[0] if messages else None, status)
        tell(partial(self._process.answer, answer))
        if run is not None:
            run.end(status.code)

    def _done(self) -> None:
        if self._idle + 1 > self._process.rows["compute"].settings.workers:
            self._threads -= 1
            self._batches.put(None)
        else:
            self._idle += 1
        self._process.free()


class WaitForOthers:
    """Takes the steps that wait: many of them at once, on its process's loop."""

    def __init__(self, process: Process) -> None:
        self._process = process
        loop = process.loop
        self._waits = CallbackWaits(process.service.config.backend, loop, partial(BackendConnection, loop))
        self._waiting: dict[int, Run] = {}

    @property
    def waiting(self) -> int:
        """Calls that do."""
        return len(self._waiting)

    def begin(self, events: list[Event]) -> int:
        return sum(self._begin(event, self._process.free) for event in events)

    def run(self, event: Event) -> None:
        """Where the stage is bypassed."""
        self._begin(event, self._process.ways["call"].look)

    def given_up(self, number: int) -> None:
        """Nobody waits for that call any more."""
        run = self._waiting.get(number)
        if run is not None:
            self._waits.interrupt(run)

    def _begin(self, event: Event, ended: Callable[[], None]) -> bool:
        run = None
        try:
            run = self._process.service.start(event, self._process.identity, event.progress)
            step = run.steps[run.taken]
            started_ns = time.monotonic_ns()
            resume = partial(self._resume, event, run, ended)
            if step.HasField("call"):
                fetch = run.fetch(step)
                note: Callable[[bytes | RpcError], None] = partial(run.fetched, fetch, started_ns)
                self._waits.fetch(fetch, run, lambda reply: resume(partial(note, reply)))
            else:
                self._waits.sleep(step.sleep.duration_us, run, lambda: resume(partial(run.slept, step, started_ns)))
        except RpcError as error:
            self._end(event, run, error)
            return False
        self._waiting[event.number] = run
        return True

    def _resume(self, event: Event, run: Run, ended: Callable[[], None], note: Callable[[], None]) -> None:
        del self._waiting[event.number]
        try:
            note()
            if run.streams:
                self._process.answer(Answer(event.number, run.taken - 1, run.reply(), None))
            event.progress = run.hand_on()
        except Exception as error:
            self._end(event, run, error)
        else:
            self._process.pass_on("compute", event)
        ended()

    def _end(self, event: Event, run: Run | None, error: Exception) -> None:
        status = Status(*status_of(error))
        self._process.answer(last_answer(event, run, None, status))
        if run is not None:
            run.end(status.code)


def last_answer(event: Event, run: Run | None, message: bytes | None, status: Status) -> Answer:
    """What ends a call that has come so far."""
    place = event.next_answer if run is None else run.taken if run.streams else 0
    return Answer(event.number, place, message, status)


def retry_after_ms(wait_ns: float) -> int:
    """As long as those who are in the queue have to wait, a millisecond at least."""
    return max(1, round(wait_ns / 1e6))
