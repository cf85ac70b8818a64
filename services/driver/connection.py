"""One connection of the driver: a socket, the session on it, and the calls of its client that wait for a stream of it.

Knows how to connect without blocking and how to move bytes. Must not know why a call is made, when it
is due or what its answer is worth, which is the loop's; nor where to lead or when to try again, which is the fleet's.
"""

import errno
import os
import select
import socket
from collections import deque
from dataclasses import dataclass, field
from time import monotonic_ns as clock

from services.driver.clients import Client
from services.driver.plan import Request
from services.driver.schedule import NS_PER_S
from services.network.address import Address
from services.network.attempts import TIMED_OUT, Attempts
from services.network.names import Endpoint
from services.wire import ClientSession

RECEIVE_BYTES = 1 << 18
CONNECT_TIMEOUT_NS = 3 * NS_PER_S

_UNLIMITED = 1 << 62

# Errors of a socket that can do nothing right now; every other OSError ends the connection.
_NOT_NOW = (BlockingIOError, InterruptedError)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a connection leads to: one endpoint of an address, or all of them."""

    address: Address
    first: Endpoint | None
    """None: no endpoint in particular."""
    endpoints: tuple[Endpoint, ...] = field(compare=False)
    """What to try, in this order."""

    def __str__(self) -> str:
        return str(self.first or self.address)


class Connection:
    """Connects, greets, then is `ready` until it is lost; may `connect` again after that.

    It counts as ready once the peer's first bytes have come: a TCP handshake alone only proves room in a
    backlog, and a thousand of them would overflow it.
    """

    __slots__ = (
        "_attempts",
        "_by_fd",
        "_calls",
        "_connected",
        "_epoll",
        "_socket",
        "_unsent",
        "act_at_ns",
        "answered",
        "backoff_ns",
        "begun_ns",
        "calls_left",
        "client",
        "destination",
        "host",
        "leaving",
        "open",
        "opening_took_ns",
        "quiet",
        "ready",
        "session",
        "unread",
        "waiting",
    )

    def __init__(
        self,
        destination: Destination,
        epoll: select.epoll,
        by_fd: "dict[int, Connection]",
        calls: int | None = None,
        *,
        quiet: bool = False,
    ) -> None:
        self.client = Client()
        """Whose it is."""
        self.destination = destination
        """Where it leads; it is changed only while it is idle."""
        self.leaving = False
        """It takes no further calls, and after its last one it is opened to another address."""
        self.quiet = quiet
        """It carries no calls."""
        self._calls = calls
        self.calls_left = calls or _UNLIMITED
        """How many may be started on it until it is opened anew."""
        self.begun_ns = 0
        """When its client began to open it anew after so many calls; 0: it did not, or it is ready."""
        self.opening_took_ns = 0
        """How long that took; 0 after its first answer."""
        self._epoll = epoll
        self._by_fd = by_fd
        """Of each socket whose connection it is; shared by all."""
        self._attempts = Attempts(destination.address, 0)
        self._socket: socket.socket | None = None
        self._connected = False
        self._unsent: bytes | memoryview = b""
        self.session = ClientSession(str(destination.address))
        self.ready = False
        self.open = 0
        """Calls in flight on it."""
        self.waiting: deque[tuple[int, Request, bool]] = deque()
        """Its client's calls that wait for a free stream: the intended send, the request, whether it is sent again."""
        self.unread = 0
        """Replies to pass over until one is parsed."""
        self.host: str | None = None
        """Who answers here: the first reply's host. A connection never changes it, whatever is in between."""
        self.answered = 0
        """Measured calls answered OK since it was opened, or since the last slice."""
        self.backoff_ns = 0
        self.act_at_ns = 0
        """While not ready: when to connect, or when to give up connecting."""

    @property
    def address(self) -> Address:
        """Where it leads, as it was asked for."""
        return self.destination.address

    @property
    def done(self) -> bool:
        """It takes no further calls, and is closed after its last one."""
        return self.leaving or not self.calls_left

    @property
    def takes_calls(self) -> bool:
        """Further calls may be dealt to it."""
        return self.ready and not self.done and not self.session.going_away

    @property
    def idle(self) -> bool:
        """No socket: waits to connect."""
        return self._socket is None

    def connect(self, now_ns: int) -> None:
        """Begins to connect with a fresh session; there are CONNECT_TIMEOUT_NS for it. Raises OSError."""
        self.leaving = False
        self.calls_left = self._calls or _UNLIMITED
        self._connected = False
        self._unsent = b""
        self.session = ClientSession(str(self.address))
        self._attempts = Attempts(self.address, now_ns + CONNECT_TIMEOUT_NS)
        self._attempts.found(self.destination.endpoints)
        self._try_next(now_ns)

    def count_anew(self) -> None:
        """Counts no answer, and has the next reply parsed for who gave it."""
        self.host, self.answered, self.unread = None, 0, 0

    def hurry(self, now_ns: int) -> None:
        """Leaves an address that has had its time for the next one, where there is one. Raises OSError."""
        if (
            self._socket is not None
            and not self._connected
            and self._attempts.left
            and now_ns > self._attempts.until_ns
        ):
            self._attempts.failed(TIMED_OUT)
            self._try_next(now_ns)

    def advance(self) -> None:
        """Takes the next step towards `ready` after the socket woke. Raises OSError when that failed."""
        assert self._socket is not None
        if not self._connected:
            if code := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._attempts.failed(os.strerror(code))
                self._try_next(clock())
                return
            self._connected = True
            self._epoll.modify(self._socket.fileno(), select.EPOLLIN)
            self.flush()
            return
        data = self.receive()
        if data is None:
            return
        self.session.receive_data(data)
        self.flush()
        if self.session.closed or not data:
            raise ConnectionError("closed the connection at once, or does not speak HTTP/2 without TLS")
        self.ready = True

    def receive(self) -> bytes | None:
        """Bytes from the peer; b"" when it is gone, however that came about; None if there are none now."""
        assert self._socket is not None
        try:
            return self._socket.recv(RECEIVE_BYTES)
        except _NOT_NOW:
            return None
        except OSError:
            return b""

    def flush(self) -> None:
        """Sends what the session has to send; what the kernel does not take goes when the socket wakes again."""
        assert self._socket is not None
        was_blocked = bool(self._unsent)
        while data := self._unsent or self.session.data_to_send():
            try:
                sent = self._socket.send(data)
            except _NOT_NOW:
                self._unsent = data
                break
            except OSError:
                # Answers may still lie in the receive buffer; the end follows them.
                sent = len(data)
            self._unsent = memoryview(data)[sent:] if sent < len(data) else b""
        if was_blocked != bool(self._unsent):
            interest = select.EPOLLIN | select.EPOLLOUT if self._unsent else select.EPOLLIN
            self._epoll.modify(self._socket.fileno(), interest)

    def close(self) -> None:
        """Closes the socket."""
        assert self._socket is not None
        self._by_fd.pop(self._socket.fileno(), None)
        self._socket.close()
        self._socket = None
        self.ready = False

    def _try_next(self, now_ns: int) -> None:
        """Begins to connect to the next address that does not fail at once. Raises OSError after the last one."""
        if self._socket is not None:
            self.close()
        while (endpoint := self._attempts.next(now_ns)) is not None:
            try:
                self._begin(endpoint)
            except OSError as error:
                self._attempts.failed(error)
                continue
            return
        raise OSError(errno.EHOSTUNREACH, self._attempts.why)

    def _begin(self, endpoint: Endpoint) -> None:
        begun = socket.socket(endpoint.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            begun.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = begun.connect_ex(endpoint.sockaddr)
            if code not in (0, errno.EINPROGRESS):
                raise OSError(code, os.strerror(code))
            self._epoll.register(begun.fileno(), select.EPOLLIN | select.EPOLLOUT)
        except OSError:
            begun.close()
            raise
        self._socket = begun
        self._by_fd[begun.fileno()] = self
