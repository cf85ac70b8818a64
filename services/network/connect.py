"""A connection for a thread that may block. Knows no session."""

import errno
import os
import socket
import time
from collections.abc import Callable

from services.network.address import Address
from services.network.attempts import TIMED_OUT, Attempts
from services.network.names import Endpoint, look_up

CHECK_S = 0.02
"""So often a thread that waits calls `check`."""


def connect(at: Address, timeout_s: float, check: Callable[[], None] = lambda: None) -> socket.socket:
    """A connection to the first of the addresses that takes one. Its timeout is CHECK_S.

    Calls `check` while it waits, but not while the name is looked up. Raises OSError, and what `check` does.
    """
    attempts = Attempts(at, time.monotonic_ns() + round(timeout_s * 1e9))
    attempts.found(look_up(at))
    while (endpoint := attempts.next(time.monotonic_ns())) is not None:
        try:
            return _connected(endpoint, attempts.until_ns, check)
        except OSError as error:
            attempts.failed(error)
    raise OSError(errno.EHOSTUNREACH, attempts.why)


def _connected(endpoint: Endpoint, until_ns: int, check: Callable[[], None]) -> socket.socket:
    sock = socket.socket(endpoint.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        code = sock.connect_ex(endpoint.sockaddr)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        sock.settimeout(CHECK_S)
        while not _is_writable(sock):
            check()
            if time.monotonic_ns() >= until_ns:
                raise TimeoutError(errno.ETIMEDOUT, TIMED_OUT)
    except BaseException:
        sock.close()
        raise
    return sock


def _is_writable(sock: socket.socket) -> bool:
    """Waits CHECK_S at most. Raises OSError if the connection failed.

    By the socket's own wait, as poll(2) would stop all green threads: only sockets are patched.
    """
    try:
        sock.send(b"")
    except TimeoutError as error:
        if error.errno == errno.ETIMEDOUT:  # the kernel's, which gave up; a wait that is over has no errno
            raise
        return False
    return True
