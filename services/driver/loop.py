"""The loop that makes load: one thread, one epoll, every connection.

    schedule ──> waiting ──> session.start ──> socket ══> service
    (open loop)  (each connection's)                          ║
    accounts, samples <── session.receive_data <── socket <═══╝

Who waits: this thread, in epoll alone, until bytes come or the next call is due. What bounds it: one
core; `lateness` tells by how much it sent later than intended. A closed loop keeps `streams` calls open
on each connection and sends the next when one ends. An open loop sends when the schedule says; a call that finds
no free stream waits, and its latency counts from its intended send all the same. A call that the service says it
did nothing for (it was going away) is sent again once, as gRPC does (its A6, "transparent retries"), and counted.

Some facts about epoll (epoll_wait(2)): its timeout has a resolution of a millisecond and rounds up, which is too
coarse to send by. An epoll descriptor can itself be waited for with select(2), to the microsecond, at
the price of one more system call; only an open loop pays it. Level-triggered: what a batch leaves unread
is reported again, so no connection can starve another.

Must not know command lines, files or how results are shown.
"""

import gc
import resource
import select
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic_ns as clock

from google.protobuf.message import DecodeError
from sweetspot.v1.workload_pb2 import RunReply

from services.driver.accounts import Accounts
from services.driver.balance import Resolver, deal
from services.driver.connection import Address, Connection
from services.driver.options import Options
from services.driver.samples import samples
from services.driver.schedule import NS_PER_S, Window, intended_sends
from services.driver.tracing import Sampler, TracedCall
from services.telemetry import TraceContext
from services.wire import ClientCall, ClientEvent, Code

PATH = "/sweetspot.v1.Workload/Run"

# After measuring, calls are waited for no longer than their timeout, nor than this.
MAX_GRACE_S = 5.0
# One reply of so many is parsed, and the first of each connection.
REPLIES_PER_PARSED = 64

_OPENING_AT_ONCE = 64
_OPENING_TIMEOUT_NS = 3 * NS_PER_S
_CONNECT_TIMEOUT_NS = 3 * NS_PER_S
_FIRST_BACKOFF_NS = 50_000_000
_LAST_BACKOFF_NS = NS_PER_S
# How late a timeout, a reconnect or a signal may be noticed.
_TICK_NS = 10_000_000
# Few enough that calls that fall due meanwhile are not kept waiting for long.
_EVENTS_AT_ONCE = 32
_NEVER_NS = 1 << 63

# Where a call in flight is, when it was intended to be sent and when it was sent, its trace, and whether it was sent
# before.
_Flight = tuple[Connection, int, int, TraceContext | None, bool]


class TargetRefused(Exception):
    """A connection could not be opened before the run began."""


@dataclass(slots=True)
class Outcome:
    """What a run got. Times in nanoseconds, on the monotonic clock where they are points."""

    window: Window
    accounts: Accounts = field(default_factory=Accounts)
    latencies: "array[int]" = field(default_factory=samples)
    latenesses: "array[int]" = field(default_factory=samples)
    """Of the same calls, in the same order: the difference is the service time."""
    answered: int = 0
    """Calls that ended OK while measuring, whenever they were sent."""
    traced: list[TracedCall] = field(default_factory=list)
    checksums: Counter[str] = field(default_factory=Counter)
    served_by: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    connections_lost: int = 0
    in_flight: int = 0
    cpu_user_ns: int = 0
    cpu_system_ns: int = 0
    sent_again: int = 0
    pods: "dict[str, Pod]" = field(default_factory=dict)
    begin_ns: int = 0
    """When the run was to begin, on the monotonic clock."""
    begun_late_ns: int = 0
    """From then to when it did."""
    interrupted: bool = False


@dataclass(slots=True)
class Pod:
    """What one host did of the run."""

    answered: int
    first_answer_ns: int
    """When its first measured call was answered. Monotonic clock."""


class Load:
    """One run: `open_connections`, then `run`."""

    def __init__(
        self, options: Options, requests: Iterator[bytes], sampler: Sampler | None, announce: Callable[[str], None]
    ) -> None:
        """Looks up every target. Raises TargetRefused."""
        self._options = options
        self._requests = requests
        self._sampler = sampler
        self._announce = announce
        self._timeout_ns = round(options.timeout_s * NS_PER_S)
        # Made before any socket, so that its descriptor is one that select(2) can take.
        self._epoll = select.epoll()
        self._resolver = _resolver(options)
        self._addresses = self._resolver.addresses
        number = options.shard.part(options.connections)
        self._connections = [Connection(address, self._epoll) for address in deal([None] * number, self._addresses)]
        self._deals_each_call = options.balance == "headless"
        self._streams_in_all = number * (options.streams or 0)
        self._by_fd: dict[int, Connection] = {}
        self._down: set[Connection] = set()
        self._unserved: set[Connection] = set()
        """Those that were not taken before the run."""
        self._in_flight: dict[ClientCall, _Flight] = {}
        """In the order of their sends: as all have one timeout, the first is the first to time out."""
        self._turn = 0
        self._sending = False
        self._measuring = False
        self._counted_from_ns = _NEVER_NS
        """Calls intended earlier are in no book."""
        self._arrivals: Iterator[int] = iter(())
        self._next_ns = _NEVER_NS
        self._outcome = Outcome(Window(0, 0))
        self._stopped = False

    def stop(self) -> None:
        """Ends the run at the next tick with what it has; may be called from a signal handler."""
        self._stopped = True

    def open_connections(self) -> None:
        """Opens every connection, some at a time; returns early when stopped.

        A service may have room for fewer of them: then the others are left waiting, and their calls are not sent.
        Raises TargetRefused where it takes none.
        """
        closed = deque(self._connections)
        opening: set[Connection] = set()
        give_up_ns = clock() + _OPENING_TIMEOUT_NS
        while (closed or opening) and not self._stopped:
            try:
                while closed and len(opening) < _OPENING_AT_ONCE:
                    connection = closed.popleft()
                    opening.add(connection)
                    self._by_fd[connection.connect()] = connection
                for fd, _ in self._epoll.poll(0.1):
                    connection = self._by_fd[fd]
                    connection.advance()
                    if connection.ready and connection in opening:
                        opening.remove(connection)
                        give_up_ns = clock() + _OPENING_TIMEOUT_NS
            except OSError as error:
                raise TargetRefused(f"{connection.target}: {error.strerror or error}") from None
            if clock() > give_up_ns:
                if not any(connection.ready for connection in self._connections):
                    late = next(iter(opening)).target
                    raise TargetRefused(f"{late}: no HTTP/2 settings within {_OPENING_TIMEOUT_NS // NS_PER_S} s")
                self._unserved = opening.union(closed)
                return

    def run(self, begin_ns: int | None = None) -> Outcome:
        """Makes the load, from `begin_ns` on the monotonic clock on or at once.

        Returns when every measured call is answered or the grace after measuring is over.
        """
        options = self._options
        _make_timers_exact()
        # Connections live as long as the run: the collector need not walk through them.
        gc.collect()
        gc.freeze()
        if begin_ns is None:
            begin_ns = clock()
        self._turn_until(begin_ns)
        self._outcome.begin_ns, self._outcome.begun_late_ns = begin_ns, clock() - begin_ns
        window = self._outcome.window = Window.after(begin_ns, options.warmup_s, options.duration_s)
        if options.rate_rps is not None:
            sends = intended_sends(options.rate_rps, options.arrival, options.seed, begin_ns, window.end_ns)
            self._arrivals = options.shard.schedule(sends)
            self._next_ns = next(self._arrivals, _NEVER_NS)
            self._counted_from_ns = window.start_ns
        self._sending = True
        self._send_on(self._connections)
        grace_ns = round(min(options.timeout_s, MAX_GRACE_S) * NS_PER_S)
        self._turn_until(window.start_ns)
        if not self._stopped:
            if options.streams is not None:
                # Else a service that stalls in warm-up would be known by its quick calls alone.
                self._counted_from_ns = begin_ns
                self._outcome.accounts.planned += self._counted_in_flight()
            self._announce("measuring")
            before = resource.getrusage(resource.RUSAGE_SELF)
            self._measuring = True
            self._turn_until(window.end_ns)
            self._measured(before)
            self._announce("measured")
            self._turn_until(window.end_ns + grace_ns, while_outstanding=True)
        return self._close_books()

    def _turn_until(self, end_ns: int, *, while_outstanding: bool = False) -> None:
        is_open_loop = self._options.streams is None
        accounts = self._outcome.accounts
        poll = self._epoll.poll
        while not self._stopped and (now_ns := clock()) < end_ns:
            if while_outstanding and self._next_ns == _NEVER_NS and not accounts.outstanding:
                return
            self._tick(now_ns)
            tick_ns = min(now_ns + _TICK_NS, end_ns)
            while now_ns < tick_ns:
                gap_ns = min(tick_ns, self._next_ns) - now_ns
                if is_open_loop and gap_ns > 0:
                    select.select((self._epoll,), (), (), gap_ns / NS_PER_S)
                    gap_ns = 0
                for fd, mask in poll(max(gap_ns, 0) / NS_PER_S, _EVENTS_AT_ONCE):
                    connection = self._by_fd[fd]
                    if not connection.ready:
                        self._advance(connection)
                    elif mask == select.EPOLLIN:
                        self._receive(connection)
                    else:
                        self._unblock(connection, mask)
                now_ns = clock()
                if self._next_ns <= now_ns:
                    self._send_due(now_ns)
                if while_outstanding and not accounts.outstanding:
                    break

    def _receive(self, connection: Connection) -> None:
        data = connection.receive()
        if data is None:
            return
        arrived_ns = clock()
        session = connection.session
        events = session.receive_data(data)
        if events:
            connection.open -= len(events)
            self._book(connection, events, arrived_ns)
        if data:
            self._fill(connection)
            connection.flush()
        if not data or session.closed or not (connection.open or session.can_start):
            self._lose(connection)
        elif connection.leaving and not connection.open:
            self._reopen(connection)

    def _book(self, connection: Connection, events: list[ClientEvent], arrived_ns: int) -> None:
        outcome = self._outcome
        accounts = outcome.accounts
        for event in events:
            call = event.call
            _, intended_ns, sent_ns, trace, again = self._in_flight.pop(call)
            code = call.code
            assert code is not None
            if code is Code.OK and self._measuring:
                outcome.answered += 1
            if not self._counts(intended_ns):
                continue
            if arrived_ns - sent_ns > self._timeout_ns:
                accounts.timed_out += 1
                code = Code.DEADLINE_EXCEEDED
            elif code is Code.OK:
                accounts.ok += 1
                connection.answered += 1
                outcome.latencies.append(arrived_ns - intended_ns)
                outcome.latenesses.append(sent_ns - intended_ns)
                if connection.unread:
                    connection.unread -= 1
                else:
                    connection.unread = REPLIES_PER_PARSED - 1
                    self._read(connection, call.reply or b"", arrived_ns)
            elif call.unprocessed and not again:
                self._send_again(intended_ns)
                continue
            else:
                accounts.fail(code, call.message)
            if trace is not None:
                outcome.traced.append(TracedCall(trace, connection.target, intended_ns, sent_ns, arrived_ns, code))

    def _counts(self, intended_ns: int) -> bool:
        """Whether a call is in the books.

        Of an open loop it is when its intended send is measured. Of a closed loop it is when it was in flight at any
        time while measuring: who waits for it does not ask when it was sent.
        """
        return self._counted_from_ns <= intended_ns < self._outcome.window.end_ns

    def _counted_in_flight(self) -> int:
        return sum(self._counts(intended_ns) for _, intended_ns, _, _, _ in self._in_flight.values())

    def _read(self, connection: Connection, reply: bytes, arrived_ns: int) -> None:
        outcome = self._outcome
        try:
            message = RunReply.FromString(reply)
        except DecodeError:
            outcome.checksums["unreadable"] += 1
            message = RunReply(host=str(connection.address))
        else:
            outcome.checksums[str(message.checksum)] += 1
            outcome.served_by[f"{message.host}/{message.process}/{message.worker}"] += 1
        if connection.host is None:
            connection.host = message.host
            outcome.pods.setdefault(message.host, Pod(0, arrived_ns))

    def _fill(self, connection: Connection) -> None:
        """Starts what may be started on a ready connection; the caller flushes."""
        session = connection.session
        waiting = connection.waiting
        if waiting and session.can_start:
            sent_ns = clock()
            while waiting and session.can_start:
                intended_ns, again = waiting.popleft()
                self._start(connection, intended_ns, sent_ns, again=again)
        streams = self._options.streams
        if streams is None or not self._sending:
            return
        if self._deals_each_call:
            self._deal_calls()
        elif connection.open < streams:
            sent_ns = clock()
            counts = self._counts(sent_ns)
            while connection.open < streams and session.can_start:
                self._start(connection, sent_ns, sent_ns)
                if counts:
                    self._outcome.accounts.planned += 1

    def _deal_calls(self) -> None:
        """Closed loop, each call to the next connection: as many as have ended."""
        sent_ns = clock()
        counts = self._counts(sent_ns)
        dealt: set[Connection] = set()
        while len(self._in_flight) < self._streams_in_all:
            connection = self._in_turn()
            if not (connection.takes_calls and connection.session.can_start):
                break
            self._start(connection, sent_ns, sent_ns)
            dealt.add(connection)
            if counts:
                self._outcome.accounts.planned += 1
        for connection in dealt:
            connection.flush()

    def _send_again(self, intended_ns: int) -> None:
        """A call for which nothing was done: to another connection, and only once."""
        self._outcome.sent_again += 1
        connection = self._in_turn()
        connection.waiting.append((intended_ns, True))
        self._send_on({connection})

    def _start(self, connection: Connection, intended_ns: int, sent_ns: int, *, again: bool = False) -> None:
        trace: TraceContext | None = None
        if self._sampler is not None and self._outcome.window.measures(intended_ns):
            trace = self._sampler.draw()
        call = connection.session.start(
            PATH,
            next(self._requests),
            timeout_ns=self._timeout_ns,
            metadata=() if trace is None else (("traceparent", trace.traceparent),),
        )
        self._in_flight[call] = (connection, intended_ns, sent_ns, trace, again)
        connection.open += 1

    def _send_due(self, now_ns: int) -> None:
        dealt: set[Connection] = set()
        while self._next_ns <= now_ns:
            connection = self._in_turn()
            connection.waiting.append((self._next_ns, False))
            dealt.add(connection)
            if self._counts(self._next_ns):
                self._outcome.accounts.planned += 1
            self._next_ns = next(self._arrivals, _NEVER_NS)
        self._send_on(dealt)

    def _send_on(self, connections: Iterable[Connection]) -> None:
        for connection in connections:
            if connection.ready:
                self._fill(connection)
                connection.flush()

    def _in_turn(self) -> Connection:
        """The next connection that takes calls, round robin; where none does, the next one."""
        for _ in self._connections:
            self._turn = (self._turn + 1) % len(self._connections)
            connection = self._connections[self._turn]
            if connection.takes_calls:
                break
        return connection

    def _unblock(self, connection: Connection, mask: int) -> None:
        if mask & select.EPOLLOUT:
            connection.flush()
        if mask & ~select.EPOLLOUT:
            self._receive(connection)

    def _tick(self, now_ns: int) -> None:
        """What need not be exact: calls that timed out, connections to be opened again, pods that come and go."""
        timed_out: set[Connection] = set()
        while self._in_flight:
            call, (connection, intended_ns, sent_ns, trace, _) = next(iter(self._in_flight.items()))
            if now_ns - sent_ns <= self._timeout_ns:
                break
            del self._in_flight[call]
            connection.open -= 1
            connection.session.cancel(call)
            timed_out.add(connection)
            if self._counts(intended_ns):
                self._outcome.accounts.timed_out += 1
                if trace is not None:
                    late = TracedCall(trace, connection.target, intended_ns, sent_ns, now_ns, Code.DEADLINE_EXCEEDED)
                    self._outcome.traced.append(late)
        self._send_on(timed_out)
        if self._resolver.addresses is not self._addresses:
            self._follow(self._resolver.addresses)
        if due := [each for each in self._down if each.act_at_ns <= now_ns]:
            leading = Counter(each.address for each in self._connections if not each.idle)
            for connection in due:
                if connection.idle:
                    self._connect_again(connection, leading, now_ns)
                else:
                    self._back_off(connection)

    def _follow(self, addresses: tuple[Address, ...]) -> None:
        """Other pods are there: where each call is dealt anew, so are the connections."""
        self._addresses = addresses
        if self._deals_each_call:
            now = [connection.address for connection in self._connections]
            for connection, address in zip(self._connections, deal(now, addresses), strict=True):
                connection.leaving = connection.ready and address != connection.address
                if connection.leaving:
                    self._deal_waiting(connection)
                    if not connection.open:
                        self._reopen(connection)

    def _connect_again(self, connection: Connection, leading: Counter[Address], now_ns: int) -> None:
        """To the address that the fewest connections lead to; but not at once to one that has just failed."""
        others = [each for each in self._addresses if not (connection.backoff_ns and each == connection.address)]
        connection.address = min(others or self._addresses, key=leading.__getitem__)
        leading[connection.address] += 1
        connection.act_at_ns = now_ns + _CONNECT_TIMEOUT_NS
        try:
            self._by_fd[connection.connect()] = connection
        except OSError:
            self._back_off(connection)

    def _advance(self, connection: Connection) -> None:
        try:
            connection.advance()
        except OSError:
            self._back_off(connection)
            return
        if connection.ready:
            self._down.discard(connection)
            connection.backoff_ns = 0
            self._send_on({connection})

    def _lose(self, connection: Connection) -> None:
        """The connection is over: its calls end UNAVAILABLE, those that wait are dealt to others."""
        was_going_away = connection.session.going_away
        events = connection.session.receive_data(b"")
        self._book(connection, events, clock())
        connection.open = 0
        self._outcome.connections_lost += 1
        if was_going_away:
            self._reopen(connection)
        else:
            self._tally(connection)
            self._back_off(connection)
        self._deal_waiting(connection)

    def _deal_waiting(self, connection: Connection) -> None:
        """What waits for a stream of it is sent elsewhere."""
        waiting, connection.waiting = connection.waiting, deque()
        dealt: set[Connection] = set()
        for call in waiting:
            other = self._in_turn()
            other.waiting.append(call)
            dealt.add(other)
        self._send_on(dealt)

    def _reopen(self, connection: Connection) -> None:
        """Ends it in good order; the next tick opens it again, where the fewest lead to."""
        self._tally(connection)
        self._by_fd.pop(connection.close(), None)
        connection.act_at_ns = clock()
        self._down.add(connection)
        self._resolver.ask()

    def _tally(self, connection: Connection) -> None:
        """Books what was answered on it to the pod that it led to."""
        if connection.host is not None:
            self._outcome.pods[connection.host].answered += connection.answered
            connection.answered = 0

    def _back_off(self, connection: Connection) -> None:
        if not connection.idle:
            self._by_fd.pop(connection.close(), None)
        connection.backoff_ns = min(max(2 * connection.backoff_ns, _FIRST_BACKOFF_NS), _LAST_BACKOFF_NS)
        connection.act_at_ns = clock() + connection.backoff_ns
        self._down.add(connection)
        self._resolver.ask()

    def _measured(self, before: resource.struct_rusage) -> None:
        """Takes down what is true of the moment when measuring ends."""
        outcome = self._outcome
        self._sending = self._measuring = False
        after = resource.getrusage(resource.RUSAGE_SELF)
        outcome.cpu_user_ns = round((after.ru_utime - before.ru_utime) * NS_PER_S)
        outcome.cpu_system_ns = round((after.ru_stime - before.ru_stime) * NS_PER_S)
        outcome.connections = sum(each.ready for each in self._connections)
        outcome.in_flight = len(self._in_flight)
        calls = sum(not each.ready for each in self._unserved) * (self._options.streams or 0)
        outcome.accounts.planned += calls
        outcome.accounts.not_sent += calls

    def _close_books(self) -> Outcome:
        outcome = self._outcome
        outcome.interrupted = self._stopped
        if self._stopped:
            start_ns, end_ns = outcome.window.start_ns, outcome.window.end_ns
            outcome.window = Window(start_ns, min(max(start_ns, clock()), end_ns))
        outcome.accounts.close(
            not_sent=sum(self._counts(each) for connection in self._connections for each, _ in connection.waiting),
            unfinished=self._counted_in_flight(),
        )
        self._resolver.stop()
        for connection in self._connections:
            if not connection.idle:
                self._tally(connection)
                connection.close()
        self._epoll.close()
        return outcome


def _resolver(options: Options) -> Resolver[Address]:
    """Raises TargetRefused."""

    def look_up() -> list[Address]:
        found: list[Address] = []
        for target in options.targets:
            try:
                addresses = Address.all_of(target)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(target)) from None
            found += addresses[:1] if options.balance == "cluster-ip" else sorted(addresses, key=str)
        return found

    try:
        return Resolver(look_up, 0 if options.balance == "cluster-ip" else options.resolve_s)
    except OSError as error:
        raise TargetRefused(f"{error.filename}: {error.strerror}") from None


def _make_timers_exact() -> None:
    """Lets the kernel wake this thread when asked, not up to 50 us later to save power (proc_pid_timerslack_ns(5))."""
    try:
        Path("/proc/self/timerslack_ns").write_text("1", encoding="ascii")
    except OSError:
        return  # not allowed here: what it costs shows as lateness
