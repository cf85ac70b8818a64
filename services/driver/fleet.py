"""The connections of a run, all together: opened before it, and opened again when they end.

    connect ──> advance ──> ready ──> lost, asked to go away, or leaving for another pod
       ^                                                                 │
       └───────── at once, or after a failure when its backoff is over ──┘

A connection that failed is tried again after a pause, which doubles with each failure. One that ended in good order is
opened again at once. Each connection stands for one client: its waiting calls stay with it while it is closed, and when
it is opened to another pod. So a service that turns a client away does not get rid of that client's calls.
Must not know when a call is due, how it is sent or what its answer is worth.
"""

import select
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import cycle, islice
from time import monotonic_ns as clock

from services.driver.balance import Resolver, deal
from services.driver.connection import CONNECT_TIMEOUT_NS, Connection, Destination
from services.driver.options import Options
from services.driver.outcome import Pod
from services.driver.schedule import NS_PER_S
from services.network.address import Address
from services.network.names import Endpoint, look_up

_OPENING_AT_ONCE = 64
# For the first connection: the service may be busy with its start.
_FIRST_READY_TIMEOUT_NS = 3 * NS_PER_S
# From one that is ready to the next. Models with room for few clients take no more: each trial waits as long for them.
_OPENING_TIMEOUT_NS = NS_PER_S
_FIRST_BACKOFF_NS = 50_000_000
_LAST_BACKOFF_NS = NS_PER_S


class AddressRefused(Exception):
    """No connection could be opened before the run began."""


class Fleet:
    """All connections to the addresses, on one epoll."""

    def __init__(self, options: Options, epoll: select.epoll | None = None) -> None:
        """Looks up every address. Raises AddressRefused.

        `epoll` is given where many sockets may be open already: select(2) takes no descriptor above 1,023.
        """
        # Made before any socket of its own.
        self.epoll = epoll or select.epoll()
        self._resolver = _resolver(options)
        self._destinations = self._resolver.addresses
        self.by_fd: dict[int, Connection] = {}
        number = options.shard.part(options.connections)
        dealt = deal([None] * number, self._destinations)
        calls = options.calls_per_connection
        self.connections = [Connection(destination, self.epoll, self.by_fd, calls) for destination in dealt]
        quiet = deal([None] * options.shard.part(options.idle), self._destinations)
        self.quiet = [Connection(destination, self.epoll, self.by_fd, quiet=True) for destination in quiet]
        """Connections that stay open without a call, and are no clients."""
        self.arrivals_of = cycle(self.connections)
        """Whose the next arrivals are, slice after slice."""
        self.pods: dict[str, Pod] = {}
        """By host; the first reply on a connection enters the pod that it came from."""
        self.lost = 0
        """Connections that ended while they were in use."""
        self._follows = options.balance == "headless"
        self._down: set[Connection] = set()
        self.unserved_at_start = 0
        """How many clients the service did not take before the run."""
        self._turn = 0

    @property
    def ready(self) -> int:
        """How many can carry calls."""
        return sum(each.ready for each in self.connections)

    @property
    def reopening(self) -> bool:
        """A connection that has ended is not open again yet, and no attempt has failed since."""
        return any(each.backoff_ns <= _FIRST_BACKOFF_NS for each in self._down)

    @property
    def idle(self) -> dict[str, int]:
        """Of the connections without calls: how many were asked for, and how many are open."""
        return {"asked": len(self.quiet), "open": sum(each.ready for each in self.quiet)}

    @property
    def unserved(self) -> list[Connection]:
        """Clients whose connection failed and is not open again; one that ended in good order is none of them."""
        return [each for each in self._down if each.backoff_ns and not each.quiet]

    def open(self) -> Iterator[None]:
        """Opens every connection, some at a time, as long as it is iterated.

        A service may have room for fewer of them: the others are tried again later, and until then their calls are not
        sent. Raises AddressRefused where the first one fails, or none is ready in time.
        """
        closed = deque((*self.connections, *self.quiet))
        opening: set[Connection] = set()
        give_up_ns = clock() + _FIRST_READY_TIMEOUT_NS
        while closed or opening:
            yield
            now_ns = clock()
            while closed and len(opening) < _OPENING_AT_ONCE:
                connection = closed.popleft()
                opening.add(connection)
                self._try_to_open(connection, partial(connection.connect, now_ns))
            for connection in opening:
                self._try_to_open(connection, partial(connection.hurry, now_ns))
            for fd, _ in self.epoll.poll(0.1):
                connection = self.by_fd[fd]
                self._try_to_open(connection, connection.advance)
                if connection.ready and connection in opening:
                    opening.remove(connection)
                    give_up_ns = clock() + _OPENING_TIMEOUT_NS
            opening -= self._down
            if clock() > give_up_ns:
                if not self.ready:
                    late = next(iter(opening)).address
                    raise AddressRefused(f"{late}: no HTTP/2 settings within {_FIRST_READY_TIMEOUT_NS // NS_PER_S} s")
                self._leave_waiting(opening.union(closed))
                break
        self.unserved_at_start = sum(not each.ready for each in self.connections)

    def _try_to_open(self, connection: Connection, step: Callable[[], None]) -> None:
        """Takes a step before the run. Raises AddressRefused where it fails and no connection is ready."""
        try:
            step()
        except OSError as error:
            self._back_off(connection)
            if not self.ready:
                raise AddressRefused(f"{connection.address}: {error.strerror or error}") from None

    def _leave_waiting(self, connections: Iterable[Connection]) -> None:
        """Leaves connections that were not ready in time to `tend`; those on their way have a while longer."""
        now_ns = clock()
        for connection in connections:
            connection.backoff_ns = _LAST_BACKOFF_NS
            connection.act_at_ns = now_ns + (_LAST_BACKOFF_NS if connection.idle else CONNECT_TIMEOUT_NS)
            self._down.add(connection)

    def in_turn(self) -> Connection:
        """The next connection that takes calls, round robin; the next one where none takes calls."""
        for _ in self.connections:
            self._turn = (self._turn + 1) % len(self.connections)
            connection = self.connections[self._turn]
            if connection.takes_calls:
                break
        return connection

    def advance(self, connection: Connection) -> None:
        """Takes its next step towards `ready` after the socket woke."""
        try:
            connection.advance()
        except OSError:
            self._back_off(connection)
            return
        if connection.ready:
            self._down.discard(connection)
            connection.backoff_ns = 0
            if connection.begun_ns:
                connection.opening_took_ns = clock() - connection.begun_ns
                connection.begun_ns = 0

    def lose(self, connection: Connection) -> None:
        """Closes a connection that the peer has ended; `tend` opens it again."""
        self.lost += not connection.quiet
        if connection.session.going_away:
            self.reopen(connection)
        else:
            self._back_off(connection)

    def reopen(self, connection: Connection) -> None:
        """Ends it in good order; `tend` opens it again, where the fewest lead to."""
        self._close(connection)
        connection.act_at_ns = clock()
        self._down.add(connection)
        self._resolver.ask()

    def renew(self, connection: Connection) -> None:
        """Ends it in good order, and opens it anew at once."""
        connection.session.go_away()
        connection.flush()
        self._close(connection)
        self._down.add(connection)
        connection.begun_ns = clock()
        leading = (
            Counter(each.destination for each in self.connections if not each.idle)
            if len(self._destinations) > 1
            else Counter()
        )
        self._connect_again(connection, leading, connection.begun_ns)

    def tend(self, now_ns: int) -> None:
        """Follows pods that come and go, and opens what is due."""
        if self._resolver.addresses is not self._destinations:
            self._destinations = self._resolver.addresses
            if self._follows:
                self._follow()
        if due := list(islice((each for each in self._down if each.act_at_ns <= now_ns), _OPENING_AT_ONCE)):
            leading = Counter(each.destination for each in self.connections if not each.idle)
            for connection in due:
                if connection.idle:
                    self._connect_again(connection, leading, now_ns)
                else:
                    self._back_off(connection)
        for connection in tuple(self._down):
            try:
                connection.hurry(now_ns)
            except OSError:
                self._back_off(connection)

    def end_slice(self) -> tuple[dict[str, Pod], int]:
        """Which pods answered and how many connections were lost since the last slice. The counts begin again at 0."""
        for connection in self.connections:
            self._book(connection)
        counts = self.pods, self.lost
        self.pods, self.lost = {}, 0
        return counts

    def close(self) -> None:
        self._resolver.stop()
        for connection in (*self.connections, *self.quiet):
            if not connection.idle:
                self._close(connection)

    def _follow(self) -> None:
        """Deals connections to the addresses that there are now; one that is to move does so after its last call."""
        now = [connection.destination for connection in self.connections]
        for connection, destination in zip(self.connections, deal(now, self._destinations), strict=True):
            connection.leaving = connection.ready and destination != connection.destination
            if connection.leaving and not connection.open:
                self.reopen(connection)

    def _connect_again(self, connection: Connection, leading: Counter[Destination], now_ns: int) -> None:
        """Connects to the destination with the fewest connections, but not at once to one that has just failed."""
        others = [each for each in self._destinations if not (connection.backoff_ns and each == connection.destination)]
        connection.destination = min(others or self._destinations, key=leading.__getitem__)
        leading[connection.destination] += 1
        connection.act_at_ns = now_ns + CONNECT_TIMEOUT_NS
        try:
            connection.connect(now_ns)
        except OSError:
            self._back_off(connection)

    def _back_off(self, connection: Connection) -> None:
        if not connection.idle:
            self._close(connection)
        connection.backoff_ns = min(max(2 * connection.backoff_ns, _FIRST_BACKOFF_NS), _LAST_BACKOFF_NS)
        connection.act_at_ns = clock() + connection.backoff_ns
        self._down.add(connection)
        self._resolver.ask()

    def _close(self, connection: Connection) -> None:
        """Closes its socket, and books what was answered on it."""
        self._book(connection)
        connection.close()

    def _book(self, connection: Connection) -> None:
        """Books what was answered on it to the pod that it led to."""
        if connection.host is not None:
            self.pods[connection.host].answered += connection.answered
        connection.count_anew()


def _resolver(options: Options) -> Resolver[Destination]:
    """Raises AddressRefused."""

    def look_up_all() -> list[Destination]:
        found: list[Destination] = []
        for address in options.addresses:
            try:
                found += destinations(address, look_up(address), as_one=options.balance == "cluster-ip")
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(address)) from None
        return found

    try:
        return Resolver(look_up_all, 0 if options.balance == "cluster-ip" else options.resolve_s)
    except OSError as error:
        raise AddressRefused(f"{error.filename}: {error.strerror}") from None


def destinations(address: Address, found: Sequence[Endpoint], *, as_one: bool) -> list[Destination]:
    """The destinations of connections to an address: all endpoints of its name as one, or each of them.

    Only endpoints of the first one's family count, because a pod of a dual-stack cluster has one of each. If one
    accepts no connection, every other endpoint of the name is tried.
    """
    if as_one:
        return [Destination(address, None, tuple(found))]
    dealt = sorted((each for each in found if each.family == found[0].family), key=str)
    return [Destination(address, each, (each, *(other for other in found if other != each))) for each in dealt]
