"""The loop that makes load: one thread, one epoll, every connection.

    schedule ──> waiting ──> session.start ──> socket ══> service
    (open loop)  (each client's)                              ║
    accounts, samples <── session.receive_data <── socket <═══╝

Who waits: this thread, in epoll alone, until bytes come or the next call is due. What bounds it: one
core; `lateness` shows by how much it sent later than intended. A closed loop holds `streams` calls open on each
connection and sends the next when one ends. An open loop sends by the schedule; a call without a free stream waits, and
its latency counts from its intended send all the same.

Arrivals of an open loop belong to clients, as do the connections of the fleet: number i is client i mod N, before it is
known which clients the service takes. A call waits with its client, through lost connections too, and is not sent where
the client never gets through. Only `headless` with a closed loop deals each call to the next connection. A call that
the service reports as not begun (it was going away) is sent again once by the same client, as gRPC does (its A6,
"transparent retries"), and counted.

Some facts about epoll (epoll_wait(2)): its timeout has a resolution of a millisecond and rounds up, which is too
coarse to send by. An epoll descriptor can itself be waited for with select(2), to the microsecond, at
the price of one more system call; only an open loop pays it. Level-triggered: what a batch leaves unread
is reported again, so no connection can starve another.

Must not know the phases of a run, nor how connections are opened and where they lead.
"""

import select
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice, takewhile
from time import monotonic_ns as clock

from google.protobuf.message import DecodeError
from sweetspot.v1.workload_pb2 import RunReply

from services.driver.connection import Connection
from services.driver.fleet import Fleet
from services.driver.options import Method, Options
from services.driver.outcome import Book, Outcome, Pod
from services.driver.plan import PLAIN, Request
from services.driver.schedule import NS_PER_S, Window
from services.driver.streams import ReceivedMessages, StreamedMessages, take_messages
from services.driver.tracing import Sampler, TracedCall
from services.telemetry import TraceContext
from services.wire import ClientCall, ClientEvent, Code

# One reply of so many is parsed, and the first of each connection and of each kind of call.
REPLIES_PER_PARSED = 64

# How late a timeout, a reconnect or a signal may be noticed.
_TICK_NS = 10_000_000
# Few enough that calls that fall due during that time do not wait for long.
_EVENTS_AT_ONCE = 32
# Arrivals that are dealt between two looks at what has come: 0.3 ms. Without a bound, a rate that no driver reaches
# would leave no time to read replies.
DEALT_AT_ONCE = 256
# Calls that wait for a stream, in all, 100 bytes each. Further arrivals stay in the schedule: they are dealt later, or
# never sent.
WAITING_AT_MOST = 1 << 18
_NEVER_NS = 1 << 63

# An intended send, what it asks for, and whose it is.
_PlannedCall = tuple[int, Request, Connection]
# Where a call in flight is, what it asks for, when it was intended to be sent and when it was sent, its trace, and
# whether it was sent before.
_Flight = tuple[Connection, Request, int, int, TraceContext | None, bool]


def path(method: Method) -> str:
    """What a call names."""
    return f"/sweetspot.v1.Workload/{method}"


class DriverLoop:
    """Sends and receives whenever it is turned; between turns its calls wait."""

    def __init__(self, options: Options, requests: Iterator[Request], sampler: Sampler | None, fleet: Fleet) -> None:
        self._options = options
        self._requests = requests
        self._sampler = sampler
        self._fleet = fleet
        self._path = path(options.method)
        self._timeout_ns = round(options.timeout_s * NS_PER_S)
        self._deadline_ns = None if options.deadline_s is None else round(options.deadline_s * NS_PER_S)
        self._deals_each_call = options.balance == "headless"
        self._waiting_each = max(1, WAITING_AT_MOST // len(fleet.connections))
        """Calls that may wait for a client without a connection: they leave room for those of the others."""
        self._in_flight: dict[ClientCall, _Flight] = {}
        """In the order of their sends: as all have one timeout, the first is the first to time out."""
        self._none_due: _PlannedCall = (_NEVER_NS, Request(PLAIN, b""), fleet.connections[0])
        self._due: Iterator[_PlannedCall] = iter(())
        """Each arrival has its request and its client, whenever it is sent, and whether it is."""
        self._next_ns, self._next_request, self._next_client = self._none_due
        self._waiting = 0
        """Calls that wait for a stream, on all connections."""
        self._undealt: Iterator[_PlannedCall] = iter(())
        """Arrivals that were due when measuring ended, and had not been dealt."""
        self._counted_from_ns = _NEVER_NS
        """Calls intended earlier are in no book."""
        self.outcome = Outcome(Window(0, 0), streams=StreamedMessages() if options.method == "RunStream" else None)
        self._in_window = False
        """How long clients wait is measured."""
        self.sending = False
        """Of a closed loop, calls that end are followed by others."""
        self.stopped = False
        """It is to end at the next tick; may be set by a signal handler."""

    def begin(self, arrivals: Iterator[int]) -> None:
        """From now on it sends: a closed loop as much as its streams allow, an open loop by `arrivals`."""
        self._due = zip(arrivals, self._requests, self._fleet.arrivals_of)  # noqa: B905  (only arrivals end)
        self._next_ns, self._next_request, self._next_client = next(self._due, self._none_due)
        self.sending = True
        self._send_on(self._fleet.connections)

    def count_from(self, intended_ns: int) -> None:
        """Calls intended from then on are in the books, those in flight too."""
        self._counted_from_ns = intended_ns
        for connection, request, begun_ns, _, _, _ in self._in_flight.values():
            self._plan(connection, begun_ns, request)

    def drop_late(self, start_ns: int) -> None:
        """Drops what was due before measuring and is not sent, where the driver cannot send what is asked.

        It would send little else while measuring. None of it is in the books.
        """
        if self._next_ns >= start_ns - _TICK_NS:
            return
        for connection in self._fleet.connections:
            connection.waiting.clear()
        self._waiting = 0
        due = (arrival for arrival in self._due if arrival[0] >= start_ns)
        self._next_ns, self._next_request, self._next_client = next(due, self._none_due)

    def end_arrivals(self) -> None:
        """Deals no more: what is late until now is not sent."""
        if self._next_ns != _NEVER_NS:
            self._undealt = chain([(self._next_ns, self._next_request, self._next_client)], self._due)
            self._next_ns = _NEVER_NS

    def begin_window(self) -> None:
        """Measures how long clients wait, from now on."""
        self._in_window = True
        start_ns = self.outcome.window.start_ns
        for connection in self._fleet.connections:
            connection.client.always_asks = self._options.streams is not None
            connection.client.begin_window(start_ns, has_calls=bool(connection.open or connection.waiting))

    def end_window(self) -> None:
        """Sends no more, and books the calls that lost clients of a closed loop cannot send.

        However long it was lost, such a client has `streams` calls not sent: it would wait with them.
        """
        self.sending = self._in_window = False
        self.end_arrivals()
        # An interrupted window ends now, another one may have ended a moment ago.
        end_ns = min(clock(), self.outcome.window.end_ns)
        for connection in self._fleet.connections:
            connection.client.end_window(end_ns)
        for connection in self._fleet.unserved:
            connection.client.is_lost = True
            for request in islice(self._requests, self._options.streams or 0):
                accounts = self.outcome.books[request.kind].accounts
                accounts.planned += 1
                accounts.not_sent += 1
                connection.client.planned += 1

    @property
    def in_flight(self) -> int:
        """Calls sent and not ended."""
        return len(self._in_flight)

    @property
    def drained(self) -> bool:
        """Nothing is in flight or due, and nothing waits but the calls of clients that are not served."""
        if self._in_flight or self._next_ns != _NEVER_NS:
            return False
        return self._waiting == sum(len(connection.waiting) for connection in self._fleet.unserved)

    def close_books(self) -> None:
        """Books the calls that have not ended, and cancels those in flight."""
        self.end_arrivals()
        books, end_ns = self.outcome.books, self.outcome.window.end_ns
        not_sent: Counter[str] = Counter()
        for intended_ns, request, client in takewhile(lambda due: due[0] < end_ns, self._undealt):
            not_sent[request.kind] += self._plan(client, intended_ns, request)
        not_sent += self._kinds(call[:2] for each in self._fleet.connections for call in each.waiting)
        unfinished = self._counted_in_flight()
        for kind, book in books.items():
            book.accounts.close(not_sent=not_sent[kind], unfinished=unfinished[kind], latencies=len(book.latencies))
        now_ns = clock()
        for flight in self._in_flight.values():
            self._trace(flight, now_ns, None, measured=self._counts(flight[2]))
        self._cancel_all()

    def _cancel_all(self) -> None:
        for call, (connection, *_) in self._in_flight.items():
            connection.session.cancel(call)
            connection.open -= 1
        self._in_flight.clear()
        for connection in self._fleet.connections:
            connection.waiting.clear()
            if connection.ready:
                connection.flush()
                self._leave(connection)

    def settle(self, end_ns: int) -> None:
        """Processes what arrived during a pause in sending. Then waits until lost connections are open again.

        It waits until `end_ns` at most.
        """
        while self._take(0):
            pass
        self.turn_until(end_ns, done=lambda: not self._fleet.reopening)

    def turn_until(self, end_ns: int, *, done: Callable[[], bool] | None = None) -> None:
        """Sends and receives until then or until stopped, or until `done`."""
        is_open_loop = self._options.streams is None
        epoll = self._fleet.epoll
        while not self.stopped and (now_ns := clock()) < end_ns:
            if done is not None and done():
                return
            self._tick(now_ns)
            tick_ns = min(now_ns + _TICK_NS, end_ns)
            while now_ns < tick_ns:
                # Where no more may wait, only a reply makes room.
                next_ns = self._next_ns if self._waiting < WAITING_AT_MOST else _NEVER_NS
                gap_ns = min(tick_ns, next_ns) - now_ns
                if is_open_loop and gap_ns > 0:
                    select.select((epoll,), (), (), gap_ns / NS_PER_S)
                    gap_ns = 0
                self._take(max(gap_ns, 0) / NS_PER_S)
                now_ns = clock()
                if self._next_ns <= now_ns:
                    self._send_due(now_ns)
                if done is not None and done():
                    break

    def _take(self, timeout_s: float) -> int:
        """Waits so long for sockets that wake, and does what they ask for. Returns how many there were."""
        fleet = self._fleet
        woken = fleet.epoll.poll(timeout_s, _EVENTS_AT_ONCE)
        for fd, mask in woken:
            connection = fleet.by_fd[fd]
            if not connection.ready:
                fleet.advance(connection)
                self._send_on({connection})
            elif mask == select.EPOLLIN:
                self._receive(connection)
            else:
                self._unblock(connection, mask)
        return len(woken)

    def _receive(self, connection: Connection) -> None:
        data = connection.receive()
        if data is None:
            return
        arrived_ns = clock()
        session = connection.session
        events = session.receive_data(data)
        if self.outcome.streams is not None:
            events = take_messages(events, arrived_ns)
        if events:
            connection.open -= len(events)
            self._book(connection, events, arrived_ns)
        if data:
            self._fill(connection)
            connection.flush()
        if not data or session.closed or not (connection.open or session.can_start):
            self._lose(connection)
        else:
            self._leave(connection)

    def _leave(self, connection: Connection) -> None:
        """Closes a connection that is done, after its last call."""
        if connection.open or not (connection.ready and connection.done):
            return
        if connection.leaving:
            self._fleet.reopen(connection)
        else:
            self._fleet.renew(connection)

    def _book(self, connection: Connection, events: list[ClientEvent], arrived_ns: int) -> None:
        outcome = self.outcome
        streams = outcome.streams
        for event in events:
            call = event.call
            flight = self._in_flight.pop(call)
            _, request, intended_ns, sent_ns, trace, again = flight
            book = outcome.books[request.kind]
            code = call.code
            assert code is not None
            measured = self._counts(intended_ns)
            if code is Code.OK:
                outcome.counted += 1
                if self._in_window:
                    self._answer_in_window(connection, intended_ns, arrived_ns)
                if connection.opening_took_ns:
                    self._first_answer(connection, arrived_ns - sent_ns, measured=measured)
            if not measured:
                pass
            elif arrived_ns - sent_ns > self._timeout_ns:
                book.accounts.timed_out += 1
                code = Code.DEADLINE_EXCEEDED
            elif code is Code.OK:
                book.accounts.ok += 1
                connection.answered += 1
                connection.client.answered += 1
                book.latencies.append(arrived_ns - intended_ns)
                book.latenesses.append(sent_ns - intended_ns)
                reply = call.reply if streams is None else streams.book(call, intended_ns)
                if connection.unread and book.checksums:
                    connection.unread -= 1
                else:
                    connection.unread = REPLIES_PER_PARSED - 1
                    self._read(connection, book, reply or b"", arrived_ns)
            elif call.unprocessed and not again:
                # What is measured is the call that is sent in its place.
                self._send_again(connection, intended_ns, request)
                measured = False
            else:
                book.accounts.fail(code, call.message)
            if trace is not None:
                self._trace(flight, arrived_ns, code, measured=measured)

    def _answer_in_window(self, connection: Connection, intended_ns: int, arrived_ns: int) -> None:
        if self._deadline_ns is not None and arrived_ns - intended_ns <= self._deadline_ns:
            self.outcome.within_deadline += 1
        within_ns = min(arrived_ns, self.outcome.window.end_ns)
        connection.client.get_answer(within_ns, has_calls=bool(connection.open or connection.waiting))

    def _first_answer(self, connection: Connection, service_time_ns: int, *, measured: bool) -> None:
        """Of a connection that its client opened anew."""
        if measured:
            self.outcome.first_answers.append(connection.opening_took_ns + service_time_ns)
        connection.opening_took_ns = 0

    def _trace(self, flight: _Flight, ended_ns: int, code: Code | None, *, measured: bool) -> None:
        """Notes the end of a call that is traced."""
        connection, request, intended_ns, sent_ns, trace, _ = flight
        if trace is not None:
            traced = TracedCall(trace, connection.address, intended_ns, sent_ns, ended_ns, code, measured, request.kind)
            self.outcome.traced.append(traced)

    def _counts(self, intended_ns: int) -> bool:
        """Whether a call is in the books.

        A call of an open loop is, when its intended send is measured. A call of a closed loop is, when it was in flight
        at any time while measuring: a caller's wait counts, whenever it began.
        """
        return self._counted_from_ns <= intended_ns < self.outcome.window.end_ns

    def _counted_in_flight(self) -> Counter[str]:
        return self._kinds((flight[2], flight[1]) for flight in self._in_flight.values())

    def _kinds(self, calls: Iterable[tuple[int, Request]]) -> Counter[str]:
        """How many of the calls are in the books, by kind."""
        return Counter(request.kind for intended_ns, request in calls if self._counts(intended_ns))

    def _read(self, connection: Connection, book: Book, reply: bytes, arrived_ns: int) -> None:
        outcome = self.outcome
        try:
            message = RunReply.FromString(reply)
        except DecodeError:
            book.checksums["unreadable"] += 1
            message = RunReply(host=str(connection.destination))
        else:
            # A stream without messages names no host.
            message.host = message.host or str(connection.destination)
            book.checksums[str(message.checksum)] += 1
            outcome.served_by[f"{message.host}/{message.process}/{message.worker}"] += 1
        if connection.host is None:
            connection.host = message.host
            self._fleet.pods.setdefault(message.host, Pod(0, arrived_ns))

    def _fill(self, connection: Connection) -> None:
        """Starts what may be started on a ready connection; the caller flushes."""
        session = connection.session
        waiting = connection.waiting
        if waiting and session.can_start:
            sent_ns = clock()
            while waiting and session.can_start and not connection.done:
                intended_ns, request, again = waiting.popleft()
                self._waiting -= 1
                self._start(connection, request, intended_ns, sent_ns, again=again)
        streams = self._options.streams
        if streams is None or not self.sending:
            return
        if self._deals_each_call:
            self._deal_calls()
        elif connection.open < streams and not connection.quiet:
            sent_ns = clock()
            counts = self._counts(sent_ns)
            while connection.open < streams and session.can_start and not connection.done:
                request = next(self._requests)
                self._start(connection, request, sent_ns, sent_ns)
                if counts:
                    self.outcome.books[request.kind].accounts.planned += 1
                    connection.client.planned += 1

    def _deal_calls(self) -> None:
        """Closed loop, each call to the next connection: as many as have ended."""
        sent_ns = clock()
        counts = self._counts(sent_ns)
        dealt: set[Connection] = set()
        clients = len(self._fleet.connections) - len(self._fleet.unserved)
        while len(self._in_flight) + self._waiting < clients * (self._options.streams or 0):
            connection = self._fleet.in_turn()
            if not (connection.takes_calls and connection.session.can_start):
                break
            request = next(self._requests)
            self._start(connection, request, sent_ns, sent_ns)
            dealt.add(connection)
            if counts:
                self.outcome.books[request.kind].accounts.planned += 1
                connection.client.planned += 1
        for connection in dealt:
            connection.flush()

    def _send_again(self, connection: Connection, intended_ns: int, request: Request) -> None:
        """A call for which nothing was done: before those that wait, and only once."""
        self.outcome.sent_again += 1
        connection.waiting.appendleft((intended_ns, request, True))
        self._waiting += 1
        self._send_on({connection})

    def _start(
        self, connection: Connection, request: Request, intended_ns: int, sent_ns: int, *, again: bool = False
    ) -> None:
        trace: TraceContext | None = None
        # Of a closed loop any call may still be in flight when measuring begins, and is then measured.
        if self._sampler is not None and (self._options.streams is not None or self._counts(intended_ns)):
            trace = self._sampler.draw()
        call = connection.session.start(
            self._path,
            request.serialized,
            timeout_ns=self._timeout_ns,
            metadata=() if trace is None else trace.headers,
            streaming=self.outcome.streams is not None,
            context=None if self.outcome.streams is None else ReceivedMessages(),
        )
        self._in_flight[call] = (connection, request, intended_ns, sent_ns, trace, again)
        connection.open += 1
        connection.calls_left -= 1

    def _send_due(self, now_ns: int) -> None:
        """Deals what is due, the oldest first, as far as there is room."""
        dealt: set[Connection] = set()
        room = min(DEALT_AT_ONCE, WAITING_AT_MOST - self._waiting)
        while self._next_ns <= now_ns and room > 0:
            room -= 1
            client, request = self._next_client, self._next_request
            client.client.ask(self._next_ns)
            counts = self._plan(client, self._next_ns, request)
            if client.ready or len(client.waiting) < self._waiting_each:
                self._waiting += 1
                client.waiting.append((self._next_ns, request, False))
                dealt.add(client)
            else:
                self.outcome.books[request.kind].accounts.not_sent += counts
            self._next_ns, self._next_request, self._next_client = next(self._due, self._none_due)
        self._send_on(dealt)

    def _plan(self, connection: Connection, intended_ns: int, request: Request) -> bool:
        """Enters a call in the books. Returns whether it counts."""
        counts = self._counts(intended_ns)
        self.outcome.books[request.kind].accounts.planned += counts
        connection.client.planned += counts
        return counts

    def _send_on(self, connections: Iterable[Connection]) -> None:
        for connection in connections:
            if connection.ready:
                self._fill(connection)
                connection.flush()

    def _unblock(self, connection: Connection, mask: int) -> None:
        if mask & select.EPOLLOUT:
            connection.flush()
        if mask & ~select.EPOLLOUT:
            self._receive(connection)

    def _tick(self, now_ns: int) -> None:
        """What need not be exact: calls that timed out, and connections that are to be tended."""
        timed_out: set[Connection] = set()
        while self._in_flight:
            call, flight = next(iter(self._in_flight.items()))
            connection, request, intended_ns, sent_ns, _, _ = flight
            if now_ns - sent_ns <= self._timeout_ns:
                break
            del self._in_flight[call]
            connection.open -= 1
            connection.session.cancel(call)
            timed_out.add(connection)
            measured = self._counts(intended_ns)
            if measured:
                self.outcome.books[request.kind].accounts.timed_out += 1
            self._trace(flight, now_ns, Code.DEADLINE_EXCEEDED, measured=measured)
        self._send_on(timed_out)
        for connection in timed_out:
            self._leave(connection)
        self._fleet.tend(now_ns)

    def _lose(self, connection: Connection) -> None:
        """The connection is over: its calls end UNAVAILABLE, those that wait do so until it is open again."""
        self._book(connection, connection.session.receive_data(b""), clock())
        connection.open = 0
        self._fleet.lose(connection)
