"""How long the backend may take to accept a connection, and how a thread waits for that. Knows no session."""

import errno
import os
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from services.runtime.config import Address

CONNECT_TIMEOUT_S = 5.0
CANCEL_CHECK_S = 0.02
"""So often a thread that waits looks whether anyone still waits for it."""
TIMED_OUT = "timed out while connecting"


def connect(backend: Address, check: Callable[[], None]) -> socket.socket:
    """A connection to the first of the backend's addresses that takes one; non-blocking.

    Calls `check` while it waits, but not while the name is looked up. Raises OSError, and what `check` does.
    """
    why = OSError(f"{backend.host} has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(backend.host, backend.port, type=socket.SOCK_STREAM):
        try:
            return _connected(socket.socket(family, kind, protocol), address, check)
        except OSError as error:
            why = error
    raise why


def _connected(sock: socket.socket, address: Any, check: Callable[[], None]) -> socket.socket:
    try:
        sock.setblocking(False)
        code = sock.connect_ex(address)
        if code == errno.EINPROGRESS:
            _wait_until_writable(sock, check)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
    except BaseException:
        sock.close()
        raise
    return sock


def _wait_until_writable(sock: socket.socket, check: Callable[[], None]) -> None:
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    until_s = time.monotonic() + CONNECT_TIMEOUT_S
    while not poll.poll(CANCEL_CHECK_S * 1000):
        check()
        if time.monotonic() >= until_s:
            raise TimeoutError(TIMED_OUT)
