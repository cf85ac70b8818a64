"""One loop does the I/O, a bounded pool of threads runs the calls, and a bounded queue is between them.

       asynchronous: the loop              queueing                    synchronous: the pool
    c1 --.                                                           .-- [ run, block, run ] --.
    c2 --+-> epoll -> readable: recv --> | call | call | ... | ------+-- [ run, block, run ] --+-> backend,
    c3 --'    ^                                                      '-- [ run, block, run ] --'   a connection each
              '---- eventfd: send <----- | reply | ... | <----------------------'

Who waits      The loop, in epoll_wait; a thread of the pool, for the next call, and then in it for whatever it needs.
               Only the loop's thread touches a connection, so there is no lock on one.
What bounds it Calls that run at once: the pool, whose size comes from the CPU quota; and the interpreter lock. A
               connection costs a descriptor and a session, not a thread.
When full      The queue takes `queue_bound` calls; the loop answers a further one RESOURCE_EXHAUSTED. (With
               `--hand-off blocking` it takes steps, and what does not block is served on.)
After          Schmidt and Cranor, "Half-Sync/Half-Async", in Pattern-Oriented Software Architecture 2.
               `--hand-off blocking`: Pai et al., Flash: An Efficient and Portable Web Server, USENIX 1999 (AMPED):
               the loop runs the calls itself, as callbacks, and only what would block it goes through the queue.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from services.runtime.acceptor import Acceptor, Connections, Drainer
from services.runtime.backend_connection import BackendConnection
from services.runtime.blocking import BlockingWaits
from services.runtime.callback_waits import CallbackWaits
from services.runtime.calls import Caller, Calls
from services.runtime.inline import InlineCalls
from services.runtime.loop import Loop
from services.runtime.service import Service
from services.runtime.wakeup import Wakeup
from services.wire import Code, RpcError, ServerCall
from services.workload import callbacks, linear
from services.workload.run import status_of

Task = Callable[[BlockingWaits, bytes], None]
"""What a thread of the pool does, with its own way to wait and its own identity."""


def serve(service: Service) -> None:
    """Serves until drained."""
    loop = Loop()
    wakeup = Wakeup(loop)
    pool = Pool(service)
    calls: Calls = HandedOff(service, pool, wakeup)
    if service.config.hand_off == "blocking":
        waits = CallbackWaits(service.config.backend, loop, partial(BackendConnection, loop))
        calls = InlineCalls(service, waits, partial(callbacks.handle, elsewhere=Helpers(pool, wakeup)))
    connections = Connections(service, loop, calls)
    acceptor = Acceptor(service.listen(), loop, connections)
    Drainer(service, loop, connections, acceptor)
    service.loop_lag.watch(loop)
    loop.run()


class HandedOff:
    """Hands each call to the pool whole: there it is one straight line, which blocks its thread where it waits."""

    def __init__(self, service: Service, pool: "Pool", wakeup: Wakeup) -> None:
        self._service = service
        self._pool = pool
        self._wakeup = wakeup

    def received(self, connection: Caller, call: ServerCall) -> None:
        try:
            self._pool.put(partial(self._run, connection, call))
        except RpcError as full:
            connection.finish(call, full.code, full.message)

    def cancelled(self, call: ServerCall) -> None:
        """Its thread looks at the call every CANCEL_CHECK_S, and before each step."""

    def _run(self, connection: Caller, call: ServerCall, waits: BlockingWaits, identity: bytes) -> None:
        run = None
        code, why = Code.OK, ""
        try:
            run = self._service.start(call, identity)
            for message in linear.handle(run, waits):
                self._wakeup.post(partial(connection.send, call, message))
        except Exception as error:
            code, why = status_of(error)
        self._wakeup.post(partial(connection.finish, call, code, why))
        if run is not None:
            run.end(code)


class Helpers:
    """Hands single steps to the pool; their calls go on in the loop."""

    def __init__(self, pool: "Pool", wakeup: Wakeup) -> None:
        self._pool = pool
        self._wakeup = wakeup

    def __call__(self, work: Callable[[], None], then: Callable[[callbacks.Note], None]) -> None:
        """Raises RpcError RESOURCE_EXHAUSTED when the queue is full."""
        self._pool.put(lambda _waits, _identity: self._help(work, then))

    def _help(self, work: Callable[[], None], then: Callable[[callbacks.Note], None]) -> None:
        done = Future[None]()
        try:
            work()
            done.set_result(None)
        except Exception as error:
            done.set_exception(error)
        self._wakeup.post(partial(then, done.result))


class Pool:
    """The queue, and the threads that take from it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._tasks: queue.Queue[Task] = queue.Queue(service.config.queue_bound)
        service.queue.set(0)
        for number in range(service.config.pool_threads):
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True).start()

    def put(self, task: Task) -> None:
        """Raises RpcError RESOURCE_EXHAUSTED when the queue is full."""
        try:
            self._tasks.put_nowait(task)
        except queue.Full:
            raise RpcError(Code.RESOURCE_EXHAUSTED, "queue is full") from None
        self._service.queue.add(1)

    def _work(self) -> None:
        waits = BlockingWaits(self._service.config.backend)
        identity = self._service.identity()
        while True:
            task = self._tasks.get()
            self._service.queue.add(-1)
            task(waits, identity)
