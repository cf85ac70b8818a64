"""Processes that share nothing: each owns a part of the keys, and a call is run by the owner of its key.

    clients          workers, one loop each                     own
    c1, c2 --> [ accept | read | my key? run | write ] .... keys 0, 2, 4, ...
                           |        ^    '---> backend, a connection each
                 not mine: | call   | answer     (a queue, and then a pair of sockets, to each)
                           v        |    .---> backend
    c3, c4 --> [ accept | read | my key? run | write ] .... keys 1, 3, 5, ...

Who waits      Each worker's loop, for its clients, the backend and the other workers at once. A call on a key of
               another worker waits in the queue for this owner, then in a pair of sockets. A large payload stays in
               the worker that read it. A transfer waits until the other owner has booked its half.
What bounds it For each key, the CPU of its owner. A key with many more calls than others overloads its owner. With N
               workers, (N - 1) / N of the calls arrive at a worker that does not own their key. Such a call takes CPU
               time of both workers.
When full      A call on a key of its own worker begins at once. `queue_bound` calls may wait for an owner in each other
               worker; a further one is answered RESOURCE_EXHAUSTED. 16 calls or 256 KiB may be on their way to an
               owner. Further calls stay in the queue, where connections take turns. When a worker dies, the calls that
               were sent to it are answered UNAVAILABLE, and later calls wait for its successor. The successor owns the
               same keys and accounts, but the working set is lost.
After          Stonebraker et al., The End of an Architectural Era, VLDB 2007, section 3 (H-Store: a partition for each
               core, and no locks). Unlike there, an owner runs other calls while one waits, as in Seastar.

No data has two writers, so no data has a lock. The cost is in a transfer between the accounts of two owners. It takes a
message for each half that another worker owns, and it is not a transaction. If a worker dies during a transfer, only
half of it may have been booked.
"""

from collections.abc import Callable
from functools import partial

from google.protobuf.message import DecodeError
from sweetspot.v1 import workload_pb2

from services.network.address import Address
from services.runtime.backend.backend_connection import BackendConnection
from services.runtime.callbacks.callback_waits import CallbackWaits
from services.runtime.callbacks.inline import InlineCalls
from services.runtime.processes.call_queue import CallQueue
from services.runtime.processes.forwarding import Remote
from services.runtime.processes.link import Link, open_link
from services.runtime.processes.mailbox import Mailbox, Receiver
from services.runtime.processes.process_calls import Askers
from services.runtime.processes.supervisor import Supervisor
from services.runtime.readiness.calls import ResponseSink
from services.runtime.readiness.loop import Loop
from services.runtime.readiness.loop_connection import Acceptor, Drainer, LoopConnections
from services.runtime.service import WORKLOAD_SHAPES, Service
from services.runtime.workers import processes
from services.wire import Code, RpcError, ServerCall
from services.workload.run import Run

UNTIL_INTERRUPTED_US = 3_600_000_000


def serve(service: Service) -> None:
    """Serves until drained."""
    reserved = service.reserve()
    port = reserved.getsockname()[1]
    # A worker takes its ends of links out of its mailbox. That outlives it, so they wait for its successor.
    mailboxes = [Mailbox() for _ in range(processes(service.config))]

    def work(number: int) -> None:
        loop = Loop()
        owners = Owners(service, loop, number, mailboxes)
        owners.connect()
        loop.register(mailboxes[number], Receiver(mailboxes[number], loop, service.shortage, owners.askers.connected))
        listener = service.open_listener(port, reuse_port=True)
        connections = LoopConnections(service, loop, owners)
        acceptor = Acceptor(service, loop, listener, connections)
        loop.register(listener, acceptor)
        loop.register(service.drain, Drainer(service, loop, acceptor, connections))
        service.loop_lag.watch(loop)
        supervisor.ready()
        while not connections.drained():
            loop.dispatch(loop.poll())
        owners.leave()
        while not owners.askers.drained():  # it still runs calls for workers whose clients have not left
            loop.dispatch(loop.poll())

    supervisor = Supervisor(service, len(mailboxes), work)
    supervisor.start()
    service.announce(port)
    supervisor.run()
    reserved.close()
    supervisor.drain()


class Owners:
    """The owners of all keys, for one worker: it runs calls on its own keys, and sends other calls to their owners."""

    def __init__(self, service: Service, loop: Loop, number: int, mailboxes: list[Mailbox]) -> None:
        self._accounts = service.ledger.accounts
        self._workers = len(mailboxes)
        self._number = number
        self._waits = BookingWaits(service.config.backend, loop)
        self._calls = InlineCalls(service, self._waits)
        service.ledger.partition = self
        service.queue.set(0)  # also where one worker has no other
        make_link = partial(Link, loop=loop)
        self.askers = Askers(service, loop, mailboxes[number], make_link, self._calls)
        self._others: dict[int, Remote] = {}
        for other, mailbox in enumerate(mailboxes):
            if other != number:
                name, connect = f"worker-{other}", partial(open_link, make_link, mailbox)
                self._others[other] = Remote(name, connect, service, loop, CallQueue(name, service))

    def connect(self) -> None:
        """Opens a link to each other worker. Raises OSError."""
        for other in self._others.values():
            other.connect()

    def received(self, connection: ResponseSink, call: ServerCall) -> None:
        owner = self._owner_of_call(call)
        if owner == self._number:
            self._calls.received(connection, call)
        else:
            self._others[owner].run(connection, call)

    def cancelled(self, call: ServerCall) -> None:
        if callable(call.context):  # it runs elsewhere
            call.context()
        else:
            self._calls.cancelled(call)

    def owns(self, account: int) -> bool:
        return self._owner_of(account) == self._number

    def send_to_owner(self, account: int, amount: int) -> Callable[[], bool]:
        booking = Booking(self._waits)
        self._others[self._owner_of(account)].book(account, amount, booking.answered)
        return booking.booked

    def leave(self) -> None:
        """Informs the others that its own clients have left."""
        for other in self._others.values():
            other.leave()
        self.askers.drain()

    def _owner_of_call(self, call: ServerCall) -> int:
        if call.head.path not in WORKLOAD_SHAPES:
            return self._number
        try:
            return self._owner_of(workload_pb2.RunRequest.FromString(call.request).key % self._accounts)
        except DecodeError:
            return self._number  # which rejects it, as any would

    def _owner_of(self, account: int) -> int:
        return account % self._workers


class Booking:
    """Half a transfer, on its way to the owner of its account."""

    def __init__(self, waits: "BookingWaits") -> None:
        self._waits = waits
        self._outcome: tuple[Code, str] | None = None
        self.run: Run | None = None
        """Who waits for it."""

    def answered(self, code: Code, why: str) -> None:
        self._outcome = code, why
        if self.run is not None:
            self._waits.interrupt(self.run)

    def booked(self) -> bool:
        """Whether it is, else the next sleep waits for it; raises RpcError where that will never be known."""
        if self._outcome is None:
            self._waits.sent.append(self)
            return False
        if self._outcome[0] is not Code.OK:
            raise RpcError(*self._outcome)
        return True


class BookingWaits(CallbackWaits):
    """A yield after a request to another owner lasts until that owner has answered."""

    def __init__(self, backend: Address | None, loop: Loop) -> None:
        super().__init__(backend, loop, partial(BackendConnection, loop))
        self.sent: list[Booking] = []

    def sleep(self, duration_us: int, run: Run, then: Callable[[], None]) -> None:
        sent, self.sent = self.sent, []
        for booking in sent:
            booking.run = run
        super().sleep(UNTIL_INTERRUPTED_US if sent else duration_us, run, then)
