"""Callbacks on a pool of threads: preemptive tasks whose state the handler stores itself. One loop does the I/O.

             the loop                          ready, by colour                 the pool
    c1 --.                                                           .-- [ run one, leave the next ] --.
    c2 --+-> epoll -> readable: recv --> | callback | callback | ----+-- [ run one, leave the next ] --+
    c3 --'   ^    '-> due, replied ----> |                           '-- [ run one, leave the next ] --'
             |                                                                                         |
             '---- eventfd: send, start a timer, ask the backend <-------------------------------------'

Who waits      The loop, in epoll_wait, for sockets, timers and the backend; a thread of the pool, for a callback. In a
               callback it waits only in a `block` step, or for the ledger's lock. The pieces of one call run one after
               the other, each on any thread.
What bounds it Callbacks at once: the pool, `threads_per_cpu` for each CPU. Then the interpreter lock. Two hand-offs for
               each wait of a call: to the loop, and back to the pool. A colour is served by one thread at a time: the
               busiest colour is a bound of its own. Connections take turns, in the queue and in a colour.
When full      Where `queue_bound` callbacks wait, the loop answers a further call RESOURCE_EXHAUSTED. A callback of a
               call that runs already is never rejected: as many can wait as calls are open. MAX_CONCURRENT_STREAMS
               bounds these on each connection.
After          The corner of Adya et al. (USENIX 2002) that no programmer wants: locks as for threads, and a ripped
               stack as for events. `--colour` takes away the locks on what one colour alone touches: Zeldovich et al.,
               Multiprocessor Support for Event-Driven Programs, USENIX 2003 (libasync-smp). There each processor has a
               queue of its own; here accounts are shared by colours, so that the ledger still needs its lock.
"""

import threading
from collections.abc import Callable, Hashable
from functools import partial
from operator import itemgetter

from services.models import COLOUR
from services.runtime.backend.backend_connection import BackendConnection
from services.runtime.backend.channel import Then
from services.runtime.callbacks.callback_waits import CallbackWaits
from services.runtime.counters.shared_counters import Gauge
from services.runtime.queues.fair import FairQueue, SharedFairQueue
from services.runtime.readiness.calls import ResponseSink
from services.runtime.readiness.loop import Loop
from services.runtime.readiness.loop_connection import Acceptor, Drainer, LoopConnections
from services.runtime.readiness.wakeup import Wakeup
from services.runtime.service import Service
from services.runtime.threads.pool import FULL
from services.runtime.workers import QUEUE_BOUND, pool_threads
from services.wire import Code, RpcError, ServerCall
from services.workload import callbacks
from services.workload.plan import read_key
from services.workload.run import Fetch, Run

Callback = Callable[[], None]
Colour = Hashable | None
"""Callbacks of one colour never run at the same time; those of None always may."""

COLOURS: dict[str, Callable[[ResponseSink, ServerCall], Colour]] = {
    "none": lambda _connection, _call: None,
    "connection": lambda connection, _call: id(connection),
    "key": lambda _connection, call: read_key(call.request),
}


def serve(service: Service) -> None:
    """Serves until drained."""
    loop = Loop()
    wakeup = Wakeup()
    loop.register(wakeup, wakeup)
    service.queue.set(0)
    ready = ReadyQueue(service.queue)
    for number in range(pool_threads(service.config)):
        threading.Thread(target=ready.run_all, name=f"worker-{number}", daemon=True).start()
    waits = CallbackWaits(service.config.backend, loop, partial(BackendConnection, loop))
    calls = CallbackCalls(service, ready, wakeup, waits)
    listener = service.listen()
    connections = LoopConnections(service, loop, calls)
    acceptor = Acceptor(service, loop, listener, connections)
    loop.register(listener, acceptor)
    loop.register(service.drain, Drainer(service, loop, acceptor, connections))
    service.loop_lag.watch(loop)
    while not connections.drained():
        loop.dispatch(loop.poll())


class CallbackCalls:
    """Has the pool run the callbacks of each call. They reach the loop through `wakeup`."""

    def __init__(self, service: Service, ready: "ReadyQueue", wakeup: Wakeup, loop_waits: CallbackWaits) -> None:
        self._service = service
        self._ready = ready
        self._identity = Identity(service)
        self._colour = COLOURS[service.config[COLOUR]]
        self._wakeup = wakeup
        self._loop_waits = loop_waits

    def received(self, connection: ResponseSink, call: ServerCall) -> None:
        if self._service.queue.own() >= self._service.config[QUEUE_BOUND]:
            connection.finish(call, *FULL)
            return
        colour = self._colour(connection, call)
        self._ready.put(colour, partial(self._begin, connection, call, colour), connection)

    def cancelled(self, call: ServerCall) -> None:
        if isinstance(call.context, Run):
            self._loop_waits.interrupt(call.context)

    def _begin(self, connection: ResponseSink, call: ServerCall, colour: Colour) -> None:
        """The first piece of a call, in a thread of the pool."""

        def send(message: bytes) -> None:
            self._wakeup.post(partial(connection.send, call, message))

        def done(code: Code, why: str) -> None:
            self._wakeup.post(partial(connection.finish, call, code, why))
            run.end(code)
            call.context = None

        try:
            run = call.context = self._service.start(call, self._identity.value)
        except RpcError as error:
            self._wakeup.post(partial(connection.finish, call, error.code, error.message))
            return
        run.when_room = partial(connection.when_room, call)
        put = partial(self._ready.put, colour, owner=connection)
        callbacks.handle(run, PooledWaits(put, self._wakeup, self._loop_waits), send, done)


class ReadyQueue:
    """Callbacks to be run. Guarantees: no two of one colour at the same time; those of one colour and owner in order.

    Owners take turns, those of all callbacks and those of a colour.
    """

    def __init__(self, depth: Gauge) -> None:
        self._depth = depth
        self._ready = SharedFairQueue[tuple[object, Colour, Callback]](None, itemgetter(0))
        # Of each colour that runs or is ready, what comes after it, by owner.
        self._behind: dict[Colour, FairQueue[tuple[object, Callback]]] = {}
        self._lock = threading.Lock()

    def put(self, colour: Colour, callback: Callback, owner: object = None) -> None:
        """From any thread."""
        self._depth.add(1)
        if colour is not None:
            with self._lock:
                if colour in self._behind:
                    self._behind[colour].append((owner, callback))
                    return
                self._behind[colour] = FairQueue(itemgetter(0))
        self._ready.put((owner, colour, callback))

    def run_all(self) -> None:
        """Runs one callback after the other, for ever, beside other threads that do the same."""
        while True:
            self.run_next()

    def run_next(self) -> None:
        """Waits for a callback that may run, and runs it."""
        _, colour, callback = self._ready.get()
        self._depth.add(-1)
        callback()
        if colour is not None:
            self._free(colour)

    def _free(self, colour: Colour) -> None:
        with self._lock:
            behind = self._behind[colour]
            if not behind:
                del self._behind[colour]
                return
            owner, callback = behind.popleft()
        self._ready.put((owner, colour, callback))


class Identity(threading.local):
    """Each thread's own."""

    def __init__(self, service: Service) -> None:
        self.value = service.identity()


class PooledWaits:
    """How a call waits: in the loop, which puts what comes next back into the queue."""

    __slots__ = ("_loop_waits", "_put", "_wakeup")

    def __init__(self, put: Callable[[Callback], None], wakeup: Wakeup, loop_waits: CallbackWaits) -> None:
        """`put` puts a callback of the call into the queue."""
        self._put = put
        self._wakeup = wakeup
        self._loop_waits = loop_waits

    def sleep(self, duration_us: int, run: Run, then: Callback) -> None:
        next_piece = partial(self._put, then)
        self._wait(run, partial(self._loop_waits.sleep, duration_us, run, next_piece))

    def fetch(self, fetch: Fetch, run: Run, then: Then) -> None:
        def replied(reply: bytes | RpcError) -> None:
            self._put(partial(then, reply))

        self._wait(run, partial(self._loop_waits.fetch, fetch, run, replied))

    def room(self, run: Run, then: Callback) -> None:
        self._wait(run, partial(self._loop_waits.room, run, partial(self._put, then)))

    def _wait(self, run: Run, wait: Callback) -> None:
        def begin() -> None:
            wait()
            if run.cancelled:  # while its last piece still ran, so that there was nothing to interrupt
                self._loop_waits.interrupt(run)

        self._wakeup.post(begin)
