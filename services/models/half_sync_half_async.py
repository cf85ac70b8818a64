"""One loop does the I/O, a bounded pool of threads runs the calls, and a bounded queue is between them.

       asynchronous: the loop              queueing                    synchronous: the pool
    c1 --.                                                           .-- [ run, block, run ] --.
    c2 --+-> epoll -> readable: recv --> | call | call | ... | ------+-- [ run, block, run ] --+-> backend,
    c3 --'    ^                                                      '-- [ run, block, run ] --'   a connection each
              '---- eventfd: send <----- | reply | ... | <----------------------'

    --hand-off processes: the same queue, with a link to each of the processes that share the threads

    c1 --.                                                 .-- link --> [ loop | | a pool of threads ] --.
    c2 --+-> epoll -> readable: recv --> | call | ... | ---+-- link --> [ loop | | a pool of threads ] --+-> backend
    c3 --'    '---- readable: send <----- replies <--------'

Who waits      The loop, in epoll_wait; a thread of the pool, for the next call, and then in it for whatever it needs.
               Only the loop's thread touches a connection, so there is no lock on one. With processes, the loop of each
               one reads its link, so that a thread that blocks delays no cancellation.
What bounds it Calls that run at once: the pool, whose size comes from the CPU quota; and the interpreter lock. With
               `--hand-off blocking` the pool bounds steps, not calls, and the loop has the connection to the backend. A
               client's connection costs a descriptor and a session, not a thread. With processes, each has an
               interpreter lock, and a call costs two messages over a link.
When full      The queue takes `queue_bound` calls; the loop answers a further one RESOURCE_EXHAUSTED. Connections take
               turns in the queue, unless `--policy` sets another order. With `--hand-off blocking` it takes steps.
               While it is full, the loop begins no call with such a step, and a call that reaches one is rejected
               there; all others are served on. With processes, the one with the fewest calls gets the next. Each has up
               to 16 calls of the queue before its threads are free. The calls of a process that dies are UNAVAILABLE.
After          Schmidt and Cranor, "Half-Sync/Half-Async", in Pattern-Oriented Software Architecture 2.
               `--hand-off blocking`: Pai et al., Flash: An Efficient and Portable Web Server, USENIX 1999 (AMPED):
               the loop runs the calls itself, as callbacks, and only what would block it goes through the queue.
"""

import math
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from socket import socket

from services.models import HALF_SYNC_HAND_OFF
from services.runtime.backend.backend_connection import BackendConnection
from services.runtime.callbacks.callback_waits import CallbackWaits
from services.runtime.callbacks.inline import InlineCalls
from services.runtime.processes.call_queue import by_policy
from services.runtime.processes.link import Link
from services.runtime.processes.mailbox import Mailbox, Receiver
from services.runtime.processes.process_calls import Askers, ProcessCalls
from services.runtime.processes.supervisor import serve_behind_a_front
from services.runtime.readiness.calls import CallRunner, ResponseSink
from services.runtime.readiness.loop import Loop
from services.runtime.readiness.loop_connection import Acceptor, Drainer, LoopConnections
from services.runtime.readiness.wakeup import Wakeup
from services.runtime.service import Service
from services.runtime.threads.blocking_waits import BlockingWaits
from services.runtime.threads.pool import FULL, Pool, PooledCalls
from services.runtime.workers import POLICY, pool_threads, processes
from services.wire import ServerCall
from services.workload import callbacks, linear
from services.workload.plan import will_block


def serve(service: Service) -> None:
    """Serves until drained."""
    if service.config[HALF_SYNC_HAND_OFF] == "processes":
        serve_by_processes(service)
        return
    loop = Loop()
    wakeup = Wakeup()
    loop.register(wakeup, wakeup)
    calls: CallRunner
    if service.config[HALF_SYNC_HAND_OFF] == "blocking":
        waits = CallbackWaits(service.config.backend, loop, partial(BackendConnection, loop))
        calls = LoopCalls(service, waits, Helpers(service, wakeup))
    else:
        calls = PooledCalls(service, partial(BlockingWaits, service.config.backend), wakeup)
    run(service, loop, service.listen(), calls)


def run(service: Service, loop: Loop, listener: socket, calls: CallRunner) -> None:
    """Accepts, reads and writes until drained. What runs the calls is up to `calls`."""
    connections = LoopConnections(service, loop, calls)
    acceptor = Acceptor(service, loop, listener, connections)
    loop.register(listener, acceptor)
    loop.register(service.drain, Drainer(service, loop, acceptor, connections))
    service.loop_lag.watch(loop)
    while not connections.drained():
        loop.dispatch(loop.poll())


def serve_by_processes(service: Service) -> None:
    """Worker 0 has the loop with all connections. The others have a pool of threads each, which runs its calls."""
    mailboxes = [Mailbox() for _ in range(processes(service.config))]
    threads = math.ceil(pool_threads(service.config) / len(mailboxes))

    def front(listener: socket, ready: Callable[[], None]) -> None:
        loop = Loop()
        calls = ProcessCalls(service, loop, mailboxes, partial(Link, loop=loop), by_policy(service.config[POLICY]))
        calls.connect()
        ready()
        run(service, loop, listener, calls)

    def worker(mailbox: Mailbox, ready: Callable[[], None]) -> None:
        loop = Loop()
        wakeup = Wakeup()
        loop.register(wakeup, wakeup)
        waits = partial(BlockingWaits, service.config.backend)
        calls = PooledCalls(service, waits, wakeup, threads=threads, counts=False)
        askers = Askers(service, loop, mailbox, partial(Link, loop=loop), calls, at_once=threads)
        loop.register(mailbox, Receiver(mailbox, loop, service.shortage, askers.connected))
        loop.register(service.drain, askers)
        service.loop_lag.watch(loop)
        ready()
        while not askers.drained():
            loop.dispatch(loop.poll())

    serve_behind_a_front(service, front, [partial(worker, mailbox) for mailbox in mailboxes])


class LoopCalls(InlineCalls):
    """Runs calls in the loop, except for the steps that would block it."""

    def __init__(self, service: Service, waits: CallbackWaits, helpers: "Helpers") -> None:
        super().__init__(service, waits, partial(callbacks.handle, elsewhere=helpers))
        self._helpers = helpers

    def received(self, connection: ResponseSink, call: ServerCall) -> None:
        # A call that is rejected only at its blocking step has run for nothing, and has cost 22 us instead of 10.
        if self._helpers.pool.is_full and will_block(call.request):
            connection.finish(call, *FULL)
        else:
            super().received(connection, call)


class Helpers:
    """Runs single steps in the pool. Their calls continue in the loop."""

    def __init__(self, service: Service, wakeup: Wakeup) -> None:
        self.pool = Pool(service, lambda: BlockingWaits(None), self._help)
        self._wakeup = wakeup

    def __call__(self, work: Callable[[], None], then: callbacks.Resume) -> None:
        """Raises RpcError RESOURCE_EXHAUSTED when the queue is full."""
        self.pool.put(None, PooledStep(work, then))

    def _help(self, _owner: None, step: "PooledStep", _waits: linear.Waits, _identity: bytes) -> None:
        done = Future[None]()
        try:
            step.work()
            done.set_result(None)
        except Exception as error:
            done.set_exception(error)
        self._wakeup.post(partial(step.then, done.result))


@dataclass(frozen=True, slots=True)
class PooledStep:
    """What is to be done, and what continues its call."""

    work: Callable[[], None]
    then: callbacks.Resume
    request = b""
    """`--policy` orders no steps."""
