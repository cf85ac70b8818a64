"""Stages with bounded queues between them: a call goes from one to the next, and each has a process with an event loop.

            front                      admit             compute                   call
         .----------------------.   .----------.   .-----------------------.   .-----------------.
    c1 --+-> read    | | | | ---+-> |||| admit +-> |||| run steps, up to   +-> |||| wait for the +--> backend,
    c2 --+-                     |   '----+-----'   |    one that waits     | <-+--- backend, or  |    timers
    c3 <-+-- reply <-| | | | <--+--------+---------+    (on threads)       |   |    for a time   |
         '-----|------------^---'  shed  '         '-----------^-----------'   '--------+--------'
               |            '-------------- replies, errors ---|------------------------'
               '------- a stream, once its client has read ----'
         ||||  a queue bounded by count and bytes: a pair of sockets; what is not yet taken is counted and kept

With `--stages-in threads` the frames are threads of one process: front and call a loop's, admit and compute a pool's,
whose threads take from the queues themselves; the queues are lists behind a lock.

Who waits      Each loop, for its queue; compute's threads, for a batch of calls; call's loop, for all replies and
               timers at once. A connection's state (HPACK, flow control) is one, and so reading and writing it is one
               process: read and reply are two stages of it.
What bounds it Calls at once: the threads of compute, and 10,000 calls that wait in call (`workers`). Calls a second:
               the slowest stage. That is compute's interpreter lock, which all stages share where they are threads;
               then the front, which alone has the connections. A queue between processes costs two system calls and a
               pickle at either end, and at low load two switches; between threads a lock and one switch.
When full      If the next queue is full, a stage holds its events and takes no more, so that its own queue fills. In
               the queue of `read`, connections take turns, so that one with large calls waits alone. Admit rejects a
               call that it cannot hand on: RESOURCE_EXHAUSTED, with the time after which to retry. So does the front if
               its own queue is full. A call that was admitted is never rejected later: what returns from call to
               compute has no bound. A stream whose client does not read waits in the front, and holds no other
               stage. When a stage's process dies the calls that it had taken are answered UNAVAILABLE; what was in its
               queue waits for its successor.
After          Welsh, Culler, Brewer: SEDA, SOSP 2001, here also with processes; rejects as in Welsh and Culler,
               Adaptive Overload Control for Busy Internet Servers, USITS 2003.

While a stage is bypassed, the stage before it does its work: the same handler, without the queue. The route of a call
is set when the call is read, and does not change. If every stage has one worker, answers come in order. To preserve
that order, calls with a new route wait until all calls before them are answered.

The handler is cut where it waits (services/workload/stages.py), and nothing of it stays on a stack: what is handed
on is what the call has come to. What each stage does is a file in services/runtime/stages, the same for both forms.
"""

import enum
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from operator import attrgetter
from socket import socket
from typing import Any

from services.models import STAGES_IN, TARGET_P90_MS
from services.runtime.config import Config
from services.runtime.counters.stage_rows import Settings
from services.runtime.processes.mailbox import Mailbox, Receiver
from services.runtime.processes.supervisor import serve_behind_a_front
from services.runtime.readiness.loop import Loop
from services.runtime.readiness.loop_connection import Acceptor, Drainer, LoopConnections
from services.runtime.readiness.wakeup import Post, Wakeup
from services.runtime.service import Service
from services.runtime.stages.admit import Admit
from services.runtime.stages.backend_calls import BackendCalls
from services.runtime.stages.bounded_sender import BoundedSender
from services.runtime.stages.compute import Compute
from services.runtime.stages.connection_stage import ConnectionStage
from services.runtime.stages.controllers import CONTROL_NS
from services.runtime.stages.event import Event, Item, StageAnswer, Status, claim, last_answer
from services.runtime.stages.ownership_table import OwnershipTable
from services.runtime.stages.pooled_stage import PooledStage
from services.runtime.stages.process_links import ProcessLinks
from services.runtime.stages.route import Route
from services.runtime.stages.stage import Stage
from services.runtime.stages.stage_queue import OnTaken
from services.runtime.workers import QUEUE_BOUND, pool_threads
from services.wire import Code, ServerCall


class StageWorkers(enum.Enum):
    """What takes from the queue of a stage."""

    LOOP = "the loop of its group, or a pool of threads if the group has no loop"
    POOL = "a pool of threads"
    EACH_CALL = "the loop of its group; each call takes a worker until its wait is over"


@dataclass(frozen=True, slots=True)
class StageSpec:
    """A row of the topology."""

    runs_in: str
    """Its group: a process or, with `--stages-in threads`, the thread of a loop or a pool."""
    next: tuple[str, ...]
    """Stages to which it hands on. Each of their queues has a bound for it."""
    returns_to: tuple[str, ...] = ()
    """The same without a bound. If two stages waited for room in each other's queue, neither would continue."""
    workers: StageWorkers = StageWorkers.LOOP
    rejects: bool = False
    """It rejects calls above its rate. In other stages they wait, until the queue of `read` is full, which rejects."""


TOPOLOGY = {
    "read": StageSpec("front", next=("admit",)),
    "admit": StageSpec("admit", next=("compute", "reply"), rejects=True),
    "compute": StageSpec("compute", next=("call", "reply"), workers=StageWorkers.POOL),
    "call": StageSpec("call", next=("reply",), returns_to=("compute",), workers=StageWorkers.EACH_CALL),
    "reply": StageSpec("front", next=("compute",)),  # a stream, once its client has read
}
GROUPS = tuple(dict.fromkeys(spec.runs_in for spec in TOPOLOGY.values()))
FRONT = GROUPS.index("front")
LOOPS = ("front", "call")
"""Groups that have a loop also in threads: they wait for connections, the backend or timers."""
FIRST_WORKERS = {StageWorkers.LOOP: 1, StageWorkers.EACH_CALL: 10_000}
"""A pool has `pool_threads`."""
FIRST_BATCH = {StageWorkers.LOOP: 64, StageWorkers.EACH_CALL: 64, StageWorkers.POOL: 1}
"""The batch of a pool is one thread's, and other threads may be idle."""
StagesByName = dict[str, Stage | PooledStage]
held_up: Callable[[BoundedSender | Route], bool] = attrgetter("held_up")


def serve(service: Service) -> None:
    """Serves until drained."""
    in_threads = service.config[STAGES_IN] == "threads"
    for stage, spec in TOPOLOGY.items():
        has_loop = spec.runs_in in LOOPS or not in_threads
        set_first(service.stages.rows[stage].settings, spec, service.config, has_loop=has_loop)
    (serve_in_threads if in_threads else serve_in_processes)(service)


def set_first(settings: Settings, spec: StageSpec, config: Config, *, has_loop: bool) -> None:
    """The settings of a stage at first. The stage lacks those that would have no effect."""
    settings.set("queue_bound", config[QUEUE_BOUND])
    settings.set("batch", FIRST_BATCH[spec.workers])
    settings.set("workers", FIRST_WORKERS.get(spec.workers, pool_threads(config)))
    if spec.rejects:
        settings.set("target_p90_ms", config[TARGET_P90_MS])
    else:
        settings.fix("target_p90_ms")
    if spec.workers is not StageWorkers.POOL:
        settings.fix("most_workers")
    if spec.workers is StageWorkers.LOOP and has_loop:
        settings.fix("workers")


def serve_in_processes(service: Service) -> None:
    """A group is a process with a loop, and a queue between two groups is a pair of sockets."""
    ownership = OwnershipTable()
    mailboxes = [Mailbox() for _ in GROUPS]

    def run(name: str, ready: Callable[[], None], listener: socket | None = None) -> None:
        threading.current_thread().name = name
        me = GROUPS.index(name)
        ownership.own_as(me)
        loop = Loop()
        links = ProcessLinks(me, mailboxes, loop, ownership, drain=service.drain, shortage=service.shortage)
        stages: StagesByName = {}

        def sender_to(stage: str) -> BoundedSender:
            row, there = service.stages.rows[stage], TOPOLOGY[stage].runs_in
            if there == name:
                return BoundedSender(row, ownership, partial(put, stages, stage), bounded=False)
            return links.sender(row, GROUPS.index(there), bounded=is_bounded(name, stage))

        group = StageGroup(name, service, ownership, sender_to, loop, waits_here=True)
        serve_links = partial(links.serve, stages, unreachable=group.unreachable, given_up=group.call.given_up)
        if listener is not None:
            front = group.connection_stage(links.give_up)
            stages["reply"] = front.reply
            serve_links(died=partial(end_lost_calls, front, ownership))
            connections = accept_connections(service, loop, listener, front)
            control(loop, front)
            drained = connections.drained
        else:
            stages[name] = group.stage(name)
            serve_links()
            loop.register(service.drain, links)
            control(loop, stages[name])
            drained = partial(links.drained_without, FRONT)
        loop.register(mailboxes[me], Receiver(mailboxes[me], loop, service.shortage, links.connected))
        service.loop_lag.watch(loop)
        ready()
        while not drained():
            loop.dispatch(loop.poll())

    serve_behind_a_front(
        service, lambda listener, ready: run("front", ready, listener), [partial(run, name) for name in GROUPS[1:]]
    )


def serve_in_threads(service: Service) -> None:
    """A group is threads of this process: a loop's, or a pool. A queue is a list with a lock."""
    ownership = OwnershipTable()
    loops = {name: Loop() for name in LOOPS}
    posts = {name: post_to(loop) for name, loop in loops.items()}
    stages: StagesByName = {}

    def sender_to(name: str, stage: str) -> BoundedSender:
        post = posts.get(TOPOLOGY[stage].runs_in)
        send = partial(put, stages, stage) if post is None else partial(post_put, post, stages, stage)
        return BoundedSender(service.stages.rows[stage], ownership, send, bounded=is_bounded(name, stage))

    groups = {name: StageGroup(name, service, ownership, partial(sender_to, name), loops.get(name)) for name in GROUPS}

    def give_up(number: int) -> None:
        ownership.give_up(number)
        posts["call"](partial(groups["call"].call.given_up, number))

    front = groups["front"].connection_stage(give_up)
    stages |= {name: groups[name].stage(name) for name in GROUPS if name != "front"}
    control(loops["front"], front, stages["admit"], stages["compute"])
    control(loops["call"], stages["call"])
    stages["reply"] = front.reply
    connections = accept_connections(service, loops["front"], service.listen(), front)
    for loop in loops.values():
        service.loop_lag.watch(loop)
    threading.Thread(target=run_for_ever, args=(loops["call"],), name="call", daemon=True).start()
    while not connections.drained():
        loops["front"].dispatch(loops["front"].poll())


def run_for_ever(loop: Loop) -> None:
    """A daemon thread's part: the process ends without it."""
    while True:
        loop.dispatch(loop.poll())


def accept_connections(service: Service, loop: Loop, listener: socket, front: ConnectionStage) -> LoopConnections:
    """Has the loop accept connections, and drain them when the service drains."""
    connections = LoopConnections(service, loop, front)
    acceptor = Acceptor(service, loop, listener, connections)
    loop.register(listener, acceptor)
    loop.register(service.drain, Drainer(service, loop, acceptor, connections))
    return connections


def is_bounded(group: str, stage: str) -> bool:
    """Whether what is handed on from a group to a stage waits for room. It does not within a group."""
    here = [spec for spec in TOPOLOGY.values() if spec.runs_in == group]
    return TOPOLOGY[stage].runs_in != group and not any(stage in spec.returns_to for spec in here)


def stages_after(group: str) -> set[str]:
    """Stages to which calls are handed on from there, also by stages that are bypassed there."""
    after: set[str] = set()
    ahead = [stage for stage, spec in TOPOLOGY.items() if spec.runs_in == group]
    while ahead:
        spec = TOPOLOGY[ahead.pop()]
        ahead += {*spec.next, *spec.returns_to} - after
        after.update(spec.next, spec.returns_to)
    return after


def end_lost_calls(front: ConnectionStage, ownership: OwnershipTable, process: int) -> None:
    """Ends the calls that a dead process owned. An answer of a stream may be lost too that has another owner by now."""

    def is_lost(number: int, call: ServerCall) -> bool:
        owner = ownership.owner(number)
        return owner == process or (owner != FRONT and call.shape.server_streams)

    front.lost(is_lost, f"{GROUPS[process]} has died")


class StageGroup:
    """What runs in one group: the routes to the stages after it, and the work of its own stage and of bypassed ones."""

    def __init__(
        self,
        name: str,
        service: Service,
        ownership: OwnershipTable,
        sender_to: Callable[[str], BoundedSender],
        loop: Loop | None,
        *,
        waits_here: bool = False,
    ) -> None:
        """`loop`: None for a pool of threads. `waits_here`: calls wait on `loop` while the stage `call` is bypassed."""
        self._service = service
        self._ownership = ownership
        self._loop = loop
        self._waits_here = waits_here
        self._rows = service.stages.rows
        self._to_reply = sender_to("reply")
        self._routes = {stage: Route(sender_to(stage)) for stage in stages_after(name) if stage != "reply"}
        self._ways_on: list[BoundedSender | Route] = [self._to_reply, *self._routes.values()]
        has_pool = any(spec.runs_in == name and spec.workers is StageWorkers.POOL for spec in TOPOLOGY.values())
        self._post = post_to(loop) if loop is not None and has_pool else None
        # A link belongs to its loop's thread, so the threads of a pool do not hand on themselves.
        self._answer: Callable[[StageAnswer], None] = by_loop(self._post, self._to_reply.hand)
        to_call: Callable[[Event], None] = by_loop(self._post, self._routes["call"].hand)
        self._work: dict[str, Callable[[Event], object]] = {
            "admit": Admit(self._rows["admit"], self._routes["compute"], self._answer).run,
            "compute": Compute(service, to_call, self._answer).run,
        }
        for stage in self._routes.keys() & self._work.keys():
            self._routes[stage].bypass_with(self._work[stage])
        if waits_here:
            route = self._routes["call"]
            route.bypass_with(lambda event: self.call.begin(event, route.look), in_work=lambda: self.call.waiting)

    @cached_property
    def call(self) -> BackendCalls:
        """The calls that wait on the loop of this group."""
        assert self._loop is not None
        return BackendCalls(self._service, self._loop, self._routes["compute"].hand, self._answer)

    def stage(self, name: str) -> Stage | PooledStage:
        """Takes from the queue of a stage that runs here."""
        row, spec, claim_batch = self._rows[name], TOPOLOGY[name], partial(claim, name, self._ownership, self._answer)
        if self._loop is None or spec.workers is StageWorkers.POOL:
            return PooledStage(
                row,
                claim=claim_batch,
                run=self._work[name],
                held_up=self.held_up,
                post=self._post,
                waits_for_tokens=not spec.rejects,
            )
        is_call = spec.workers is StageWorkers.EACH_CALL
        work = (lambda event: self.call.begin(event, stage.free)) if is_call else self._work[name]
        stage: Stage = Stage(
            row,
            self._loop,
            begin=lambda batch: sum(bool(work(event)) for event in claim_batch(batch)),
            held_up=self.held_up,
            skippable=is_call and not self._waits_here,
            waits_for_tokens=not spec.rejects,
            worker_each=is_call,
        )
        return stage

    def connection_stage(self, give_up: Callable[[int], None]) -> ConnectionStage:
        """The stages `read` and `reply`, which are one object."""
        assert self._loop is not None
        to_admit, to_compute = self._routes["admit"], self._routes["compute"]
        return ConnectionStage(
            self._service, self._loop, self._ownership, to_admit, to_compute, held_up=self.held_up, give_up=give_up
        )

    def held_up(self) -> bool:
        """Whether what was handed on from here waits for room."""
        return any(map(held_up, self._ways_on))

    def unreachable(self, item: Item, process: int) -> None:
        """What is for a process that is gone. An answer is for a front whose connections ended with it."""
        if isinstance(item, Event):
            self._answer(last_answer(item, Status(Code.UNAVAILABLE, f"{GROUPS[process]} has died")))


def put(stages: StagesByName, stage: str, item: Item, taken: OnTaken) -> None:
    """Queues an event of the same process."""
    stages[stage].put(item, taken)


def post_put(post: Post, stages: StagesByName, stage: str, item: Item, taken: OnTaken) -> None:
    """The same for a stage whose queue belongs to a loop's thread."""
    post(partial(stages[stage].put, item, taken))


def post_to(loop: Loop) -> Post:
    """Gives a loop a wakeup, by which other threads reach it."""
    wakeup = Wakeup()
    loop.register(wakeup, wakeup)
    return wakeup.post


def by_loop(post: Post | None, hand: Callable[[Any], None]) -> Callable[[Any], None]:
    """Hands something on by the loop's thread, or at once if any thread may."""
    return hand if post is None else lambda item: post(partial(hand, item))


def control(loop: Loop, *stages: Stage | PooledStage | ConnectionStage) -> None:
    """Has the stages' controllers look, from now on."""
    now_ns = time.monotonic_ns()
    for stage in stages:
        stage.control(now_ns)
    loop.call_at(now_ns + CONTROL_NS, partial(control, loop, *stages))
