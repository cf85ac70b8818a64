"""The addresses that a name stands for, looked up at once or beside a loop.

getaddrinfo(3) blocks for a name: 5 s and more for each name server that does not answer (resolv.conf(5)). An address
literal is only read: that takes no time, and no thread.
"""

import errno
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from services.network.address import Address

PostCallback = Callable[[Callable[[], None]], object]
"""Has a loop's own thread call something soon; safe from any thread."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address, as socket(2) and connect(2) take it."""

    family: socket.AddressFamily
    sockaddr: tuple[Any, ...]

    @property
    def host(self) -> str:
        """The address as a literal; a link-local one with its scope (RFC 4007, section 11)."""
        scope = self.sockaddr[3] if self.family == socket.AF_INET6 else 0
        return f"{self.sockaddr[0]}%{scope}" if scope else str(self.sockaddr[0])

    @property
    def port(self) -> int:
        """The port."""
        return int(self.sockaddr[1])

    def __str__(self) -> str:
        return str(Address(self.host, self.port))


LookupResult = list[Endpoint] | OSError
"""What came of a look-up."""


def look_up(at: Address) -> list[Endpoint]:
    """Each address once, in the order in which to try them (RFC 6724). Raises OSError.

    Blocks where the host is a name.
    """
    try:
        found = socket.getaddrinfo(at.host, at.port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError(errno.EINVAL, "not a host name") from None
    return list(dict.fromkeys(Endpoint(family, sockaddr) for family, _, _, _, sockaddr in found))


def look_up_beside(at: Address, post: PostCallback, then: Callable[[LookupResult], None]) -> None:
    """Calls `then` with what came of it: at once where the host is a literal, else through `post`, from a thread.

    A process that forks has no such thread: it serves no calls, so it looks nothing up.
    """
    if is_literal(at.host):
        then(_looked_up(at))
        return

    def work() -> None:
        found = _looked_up(at)
        with suppress(RuntimeError):  # the loop has ended before the look-up
            post(lambda: then(found))

    try:
        threading.Thread(target=work, name="look-up", daemon=True).start()
    except RuntimeError:  # pthread_create(3): EAGAIN
        then(OSError(errno.EAGAIN, "no thread could be started to look the name up"))


def is_literal(host: str) -> bool:
    """Whether it is an IP address, and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _looked_up(at: Address) -> LookupResult:
    try:
        return look_up(at)
    except OSError as error:
        return error
