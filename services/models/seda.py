"""Stages with bounded queues between them: a call goes from one to the next, and each has a process with an event loop.

            front                      admit             compute                   call
         .----------------------.   .----------.   .-----------------------.   .-----------------.
    c1 --+-> read    | | | | ---+-> |||| admit +-> |||| run steps, up to   +-> |||| wait for the +--> backend,
    c2 --+-                     |   '----+-----'   |    one that waits     | <-+--- backend, or  |    timers
    c3 <-+-- reply <-| | | | <--+--------+---------+    (on threads)       |   |    for a time   |
         '----------------------'  shed  '         '-----------------------'   '-----------------'
         ||||  a queue bounded by count and bytes: a pair of sockets; what is not yet taken is counted and kept

With `--stages-in threads` the frames are threads of one process: front and call a loop's, admit and compute a pool's,
whose threads take from the queues themselves; the queues are lists behind a lock.

Who waits      Each loop, for its queue; compute's threads, for a batch of calls; call's loop, for all replies and
               timers at once. A connection's state (HPACK, flow control) is one, and so reading and writing it is one
               process: read and reply are two stages of it.
What bounds it The slowest stage: compute's interpreter lock, which all stages share where they are threads; then the
               front, which alone has the connections. A hop between processes costs two system calls and a pickle at
               either end, and at low load two switches; between threads a lock and one switch.
When full      If the next queue is full, a stage holds its events and takes no more, so that its own queue fills. In
               the queue of `read`, connections take turns, so that one with large calls waits alone. Admit rejects a
               call that it cannot hand on: RESOURCE_EXHAUSTED, with the time after which to retry. So does the front if
               its own queue is full. A call that was admitted is never rejected later: compute and call have room for
               as many as they may take. A stream whose client does not read waits in the front, and holds no other
               stage. When a stage's process dies the calls that it had taken are answered UNAVAILABLE; what was in its
               queue waits for its successor.
After          Welsh, Culler, Brewer: SEDA, SOSP 2001, here also with processes; rejects as in Welsh and Culler,
               Adaptive Overload Control for Busy Internet Servers, USITS 2003.

While a stage is bypassed, the stage before it does its work: the same handler, without the hop and the queue. The route
of a call is set when the call is read, and does not change. If every stage has one worker, answers come in order. To
preserve that order, calls with a new route wait until all calls before them are answered.

The handler is cut where it waits (services/workload/stages.py), and nothing of it stays on a stack: what is handed
on is what the call has come to. What each stage does is a file in services/runtime/stages, the same for both forms.
"""

import threading
import time
from collections.abc import Callable
from functools import partial
from socket import socket

from services.models import STAGES_IN, TARGET_P90_MS
from services.runtime.loop import Loop
from services.runtime.loop_connection import Acceptor, Drainer, LoopConnections
from services.runtime.passing import Mailbox
from services.runtime.service import Service
from services.runtime.stages.admit import Admit
from services.runtime.stages.call import Call
from services.runtime.stages.compute import Compute
from services.runtime.stages.controllers import CONTROL_NS
from services.runtime.stages.event import Answer, Event, Item, Status, claim, last_answer
from services.runtime.stages.exchange import Exchange
from services.runtime.stages.front import Front
from services.runtime.stages.hop import Hop
from services.runtime.stages.pooled_stage import PooledStage
from services.runtime.stages.register import Register
from services.runtime.stages.stage import Stage
from services.runtime.stages.way import Way
from services.runtime.supervisor import Supervisor
from services.runtime.wakeup import Wakeup
from services.runtime.workers import QUEUE_BOUND, pool_threads
from services.wire import Code, ServerCall

FRONT, ADMIT, COMPUTE, CALL = range(4)
PROCESS_NAMES = ("front", "admit", "compute", "call")
CALLS_OUT = 10_000
"""That `call` waits for at once, at first."""
BATCH = 64
"""At first, of all but `compute`: there a batch is one thread's, and others may be idle."""

OF_NO_USE = {
    "read": ("workers", "most_workers", "target_p90_ms"),
    "admit": ("most_workers",),
    "compute": ("target_p90_ms",),
    "call": ("most_workers", "target_p90_ms"),
    "reply": ("workers", "most_workers", "target_p90_ms"),
}
"""Settings of stages that have no workers but their event loop, or nothing to steer by them."""


def serve(service: Service) -> None:
    """Serves until drained."""
    listener = service.open_listener()
    rows = service.stages.rows
    in_threads = service.config[STAGES_IN] == "threads"
    for name, useless in OF_NO_USE.items():
        settings = rows[name].settings
        settings.set("queue_bound", service.config[QUEUE_BOUND])
        settings.set("batch", 1 if name == "compute" else BATCH)
        settings.set("workers", {"compute": pool_threads(service.config), "call": CALLS_OUT}.get(name, 1))
        settings.keep(*useless, *(("workers",) if name == "admit" and not in_threads else ()))
    rows["admit"].settings.set("target_p90_ms", service.config[TARGET_P90_MS])
    (serve_in_threads if in_threads else serve_in_processes)(service, listener)


def serve_in_processes(service: Service, listener: socket) -> None:
    """A process for the front, and one for each other stage; one that dies has a successor."""
    register = Register()
    mailboxes = [Mailbox() for _ in PROCESS_NAMES]

    def work(number: int) -> None:
        threading.current_thread().name = PROCESS_NAMES[number]
        register.hold_as(number)
        loop = Loop()
        process = PROCESSES[number](service, loop, register, mailboxes)
        if isinstance(process, FrontProcess):
            connections = LoopConnections(service, loop, process.front)
            acceptor = Acceptor(service, loop, listener, connections)
            loop.register(listener, acceptor)
            loop.register(service.drain, Drainer(service, loop, acceptor, connections))
        else:
            listener.close()
        service.loop_lag.watch(loop)
        supervisor.ready()
        loop.run()

    supervisor = Supervisor(service, len(PROCESS_NAMES), work)
    supervisor.start()
    service.announce(listener.getsockname()[1])
    supervisor.run()
    listener.close()
    supervisor.drain()


def serve_in_threads(service: Service, listener: socket) -> None:
    """One process: a loop's thread for the front, another one for call, a pool for admit and one for compute."""
    front_loop, call_loop = Loop(), Loop()
    front_wakeup, call_wakeup = Wakeup(), Wakeup()
    front_loop.register(front_wakeup, front_wakeup)
    call_loop.register(call_wakeup, call_wakeup)
    post_front, post_call = front_wakeup.post, call_wakeup.post
    rows, register = service.stages.rows, Register()

    def hand_to_call(event: Event) -> None:
        to_call.hand(event)

    def answer(answer: Answer) -> None:
        to_reply.hand(answer)

    def give_up(number: int) -> None:
        register.give_up(number)
        post_call(partial(call.given_up, number))

    compute = Compute(service, hand_to_call, answer)
    compute_stage = PooledStage(
        rows["compute"],
        claim=partial(claim, "compute", register, answer),
        run=compute.run,
        held_up=lambda: to_call.held_up or to_reply.held_up,
    )
    to_compute = Way(hop_to(compute_stage, register), inline=compute.run)
    admit = Admit(rows["admit"], to_compute, answer)
    admit_stage = PooledStage(
        rows["admit"],
        claim=partial(claim, "admit", register, answer),
        run=admit.run,
        held_up=lambda: to_compute.held_up or to_reply.held_up,
        waits_for_tokens=False,
    )
    to_admit = Way(hop_to(admit_stage, register), inline=admit.run)
    call = Call(service, call_loop, to_compute.hand, answer)
    call_stage = Stage(
        rows["call"],
        call_loop,
        begin=each("call", register, lambda event: call.begin(event, call_stage.free), answer),
        held_up=lambda: to_reply.held_up,
        skippable=True,  # waits are this loop's in any case, so that to bypass the stage is to skip its queue
        worker_each=True,
    )
    to_call = Way(hop_to(call_stage, register, post_call))
    front = Front(
        service,
        front_loop,
        register,
        to_admit,
        to_compute,
        held_up=lambda: to_admit.held_up or to_compute.held_up or to_call.held_up,
        give_up=give_up,
    )
    to_reply = hop_to(front.reply, register, post_front)

    control(front_loop, admit_stage, compute_stage)
    control(call_loop, call_stage)
    connections = LoopConnections(service, front_loop, front)
    acceptor = Acceptor(service, front_loop, listener, connections)
    front_loop.register(listener, acceptor)
    front_loop.register(service.drain, Drainer(service, front_loop, acceptor, connections))
    service.loop_lag.watch(front_loop)
    service.loop_lag.watch(call_loop)
    threading.Thread(target=call_loop.run, name="call", daemon=True).start()
    service.announce(listener.getsockname()[1])
    front_loop.run()


class Process:
    """What each process has: links to the others, the ways to the stages after its own, and what they do, to do it."""

    number: int

    def __init__(self, service: Service, loop: Loop, register: Register, mailboxes: list[Mailbox]) -> None:
        self.service = service
        self.loop = loop
        self.register = register
        self.rows = service.stages.rows
        self.exchange = Exchange(
            self.number,
            mailboxes,
            loop,
            register,
            drain=service.drain,
            shortage=service.shortage,
            unreachable=self._unreachable,
            given_up=self._given_up,
            died=self.died,
            left=lambda _: self.left(),
        )
        self.stages: dict[str, Stage | PooledStage] = {}
        """Those that are here."""
        self.compute = Compute(service, self._hand_to_call, self.answer)
        self.call = Call(service, loop, self._hand_to_compute, self.answer)
        self.to_compute = Way(self._hop("compute", COMPUTE), inline=self.compute.run)
        self.to_call = Way(self._hop("call", CALL), inline=self._call_here, inline_calls=lambda: self.call.waiting)
        self.to_reply = self._hop("reply", FRONT)

    def serve(self, **stages: Stage | PooledStage) -> None:
        """From now on these take what is handed to them."""
        self.stages = stages
        self.exchange.serve(stages)

    def answer(self, answer: Answer) -> None:
        """Hands an answer to `reply`."""
        self.to_reply.hand(answer)

    def held_up(self) -> bool:
        """What was handed on still waits for room."""
        return self.to_reply.held_up or self.to_compute.held_up or self.to_call.held_up

    def died(self, process: int) -> None:
        """One that a link led to."""

    def left(self) -> None:
        """One that had a link to here is gone."""

    def _hand_to_compute(self, event: Event) -> None:
        self.to_compute.hand(event)

    def _hand_to_call(self, event: Event) -> None:
        self.to_call.hand(event)

    def _call_here(self, event: Event) -> None:
        self.call.begin(event, self.to_call.look)

    def _unreachable(self, item: Item, process: int) -> None:
        if isinstance(item, Event):  # an answer is for a front whose connections died with it
            self.answer(last_answer(item, Status(Code.UNAVAILABLE, f"{PROCESS_NAMES[process]} has died")))

    def _given_up(self, number: int) -> None:
        self.call.given_up(number)

    def _hop(self, name: str, home: int) -> Hop:
        # Bounded, but not from `call` back: were each of two stages to wait until the other one takes, neither would.
        # Nor is what this process hands to itself, which takes while nothing waits.
        if home != self.number:
            return self.exchange.hop(self.rows[name], home, bounded=self.number != CALL or home == FRONT)
        hop = Hop(self.rows[name], self.register, lambda item: self.stages[name].put(item, hop.taken), bounded=False)
        return hop


class FrontProcess(Process):
    """The process that has the connections, and knows which calls are not answered yet."""

    number = FRONT

    def __init__(self, service: Service, loop: Loop, register: Register, mailboxes: list[Mailbox]) -> None:
        super().__init__(service, loop, register, mailboxes)
        admit = Admit(self.rows["admit"], self.to_compute, self.answer)
        to_admit = Way(self._hop("admit", ADMIT), inline=admit.run)
        self.front = Front(
            service,
            loop,
            register,
            to_admit,
            self.to_compute,
            held_up=lambda: to_admit.held_up or self.held_up(),
            give_up=self.exchange.give_up,
        )
        self.serve(reply=self.front.reply)

    def died(self, process: int) -> None:
        """What it had taken is lost; so may be an answer to a stream that is elsewhere by now."""

        def is_lost(number: int, call: ServerCall) -> bool:
            holder = self.register.holder(number)
            return holder == process or (holder != FRONT and call.shape.server_streams)

        self.front.lost(is_lost, f"{PROCESS_NAMES[process]} has died")


class StageProcess(Process):
    """A process that has one stage and no connection: it stays until the front, which has, is gone."""

    def __init__(self, service: Service, loop: Loop, register: Register, mailboxes: list[Mailbox]) -> None:
        super().__init__(service, loop, register, mailboxes)
        loop.register(service.drain, self)

    def serve(self, **stages: Stage | PooledStage) -> None:
        super().serve(**stages)
        control(self.loop, *stages.values())

    def ready(self, events: int) -> None:
        """The service drains."""
        self.loop.unregister(self.service.drain)
        self.left()

    def left(self) -> None:
        # One that has just been forked has yet to read that the front is there.
        if self.service.drain.requested and self.exchange.led_here.get(FRONT) == 0:
            self.loop.stop()


class AdmitProcess(StageProcess):
    """Rejects, or hands on."""

    number = ADMIT

    def __init__(self, service: Service, loop: Loop, register: Register, mailboxes: list[Mailbox]) -> None:
        super().__init__(service, loop, register, mailboxes)
        admit = Admit(self.rows["admit"], self.to_compute, self.answer)
        begin = each("admit", register, admit.run, self.answer)
        self.serve(admit=Stage(self.rows["admit"], loop, begin=begin, held_up=self.held_up, waits_for_tokens=False))


class ComputeProcess(StageProcess):
    """Runs steps on a pool of threads; what they hand on its loop sends."""

    number = COMPUTE

    def __init__(self, service: Service, loop: Loop, register: Register, mailboxes: list[Mailbox]) -> None:
        super().__init__(service, loop, register, mailboxes)
        wakeup = Wakeup()
        loop.register(wakeup, wakeup)
        post = wakeup.post

        def answer(answer: Answer) -> None:
            post(partial(self.answer, answer))

        compute = Compute(service, lambda event: post(partial(self.to_call.hand, event)), answer)
        self.serve(
            compute=PooledStage(
                self.rows["compute"],
                claim=partial(claim, "compute", register, answer),
                run=compute.run,
                held_up=self.held_up,
                tell=post,
            )
        )


class CallProcess(StageProcess):
    """Waits for others."""

    number = CALL

    def __init__(self, service: Service, loop: Loop, register: Register, mailboxes: list[Mailbox]) -> None:
        super().__init__(service, loop, register, mailboxes)
        stage = Stage(
            self.rows["call"],
            loop,
            begin=each("call", register, lambda event: self.call.begin(event, stage.free), self.answer),
            held_up=self.held_up,
            worker_each=True,
        )
        self.serve(call=stage)


PROCESSES = (FrontProcess, AdmitProcess, ComputeProcess, CallProcess)


def each(
    stage: str, register: Register, run: Callable[[Event], bool | None], answer: Callable[[Answer], None]
) -> Callable[[list[Item]], int]:
    """What begins a batch of that stage: `run`, for each call with a caller that waits; how many still use a worker."""
    return lambda batch: sum(bool(run(event)) for event in claim(stage, register, answer, batch))


def hop_to(
    stage: Stage | PooledStage, register: Register, post: Callable[[Callable[[], None]], None] = lambda put: put()
) -> Hop:
    """The way to a stage of the same process; `post` has its loop's thread do something."""
    hop = Hop(stage.row, register, lambda item: post(partial(stage.put, item, hop.taken)))
    return hop


def control(loop: Loop, *stages: Stage | PooledStage) -> None:
    """Has the stages' controllers look, from now on."""
    now_ns = time.monotonic_ns()
    for stage in stages:
        stage.control(now_ns)
    loop.call_at(now_ns + CONTROL_NS, partial(control, loop, *stages))
