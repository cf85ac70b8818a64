"""One connection of the driver: a socket, the session on it, and the calls that wait for a stream of it.

Knows how to connect without blocking and how to move bytes. Must not know why a call is made, when it
is due or what its answer is worth, which is the loop's; nor where to lead or when to try again, which is the fleet's.
"""

import errno
import os
import select
import socket
from collections import deque
from dataclasses import dataclass

from services.driver.options import Target
from services.wire import ClientSession

RECEIVE_BYTES = 1 << 18

# What a socket says that can do nothing right now; every other OSError ends the connection.
_NOT_NOW = (BlockingIOError, InterruptedError)


@dataclass(frozen=True, slots=True)
class Address:
    """A target whose name has been looked up."""

    target: Target
    family: socket.AddressFamily
    sockaddr: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]

    @classmethod
    def all_of(cls, target: Target) -> "list[Address]":
        """Looks the name up; each address once, in the order in which to try them (getaddrinfo(3)). Raises OSError."""
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        return [cls(target, family, sockaddr) for family, _, _, _, sockaddr in dict.fromkeys(found)]

    def __str__(self) -> str:
        return str(self.sockaddr[0])


class Connection:
    """Connects, greets, then is `ready` until it is lost; may `connect` again after that.

    It counts as ready once the peer's first bytes have come: a TCP handshake alone only proves room in a
    backlog, and a thousand of them would overflow it.
    """

    __slots__ = (
        "_connected",
        "_epoll",
        "_socket",
        "_unsent",
        "act_at_ns",
        "address",
        "answered",
        "backoff_ns",
        "host",
        "leaving",
        "open",
        "ready",
        "session",
        "unread",
        "waiting",
    )

    def __init__(self, address: Address, epoll: select.epoll) -> None:
        self.address = address
        """Where it leads; whoever changes it does so while it is idle."""
        self.leaving = False
        """It takes no further calls, and after its last one it is opened to another address."""
        self._epoll = epoll
        self._socket: socket.socket | None = None
        self._connected = False
        self._unsent = b""
        self.session = ClientSession(str(address.target))
        self.ready = False
        self.open = 0
        """Calls in flight on it."""
        self.waiting: deque[tuple[int, bool]] = deque()
        """Calls that wait for a free stream: the intended send, and whether it is sent again."""
        self.unread = 0
        """Replies to pass over until one is parsed."""
        self.host: str | None = None
        """Who answers here: the first reply's host. A connection never changes it, whatever is in between."""
        self.answered = 0
        """Measured calls answered OK since it was opened."""
        self.backoff_ns = 0
        self.act_at_ns = 0
        """While not ready: when to connect, or when to give up connecting."""

    @property
    def target(self) -> Target:
        """Where it leads."""
        return self.address.target

    @property
    def takes_calls(self) -> bool:
        """Further calls may be dealt to it."""
        return self.ready and not self.leaving and not self.session.going_away

    @property
    def idle(self) -> bool:
        """No socket: waits to connect."""
        return self._socket is None

    def connect(self) -> int:
        """Begins to connect with a fresh session. Returns the file descriptor. Raises OSError."""
        self.leaving = False
        self.host, self.answered = None, 0
        self._socket = socket.socket(self.address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connected = False
        self._unsent = b""
        self.session = ClientSession(str(self.target))
        self.unread = 0
        code = self._socket.connect_ex(self.address.sockaddr)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        self._epoll.register(self._socket.fileno(), select.EPOLLIN | select.EPOLLOUT)
        return self._socket.fileno()

    def advance(self) -> None:
        """Takes the next step towards `ready` after the socket woke. Raises OSError when that failed."""
        assert self._socket is not None
        if not self._connected:
            if code := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(code, os.strerror(code))
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
                # Answers may still lie in the receive buffer; whoever reads them finds the end behind them.
                sent = len(data)
            self._unsent = data[sent:]
        if was_blocked != bool(self._unsent):
            interest = select.EPOLLIN | select.EPOLLOUT if self._unsent else select.EPOLLIN
            self._epoll.modify(self._socket.fileno(), interest)

    def close(self) -> int:
        """Closes the socket. Returns the file descriptor it had."""
        assert self._socket is not None
        fd = self._socket.fileno()
        self._socket.close()
        self._socket = None
        self.ready = False
        return fd
