"""Connections that do nothing, and what they cost the server's memory.

A connection counts after HTTP/2's opening (RFC 9113, section 3.4) and the answer to a PING. The server has then created
everything that it stores for a connection. Must not know any limit.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tools.address import Address
from tools.bench.goals import Idle
from tools.bench.servers import Server
from tools.control import ControlClient
from tools.local import LocalError

TIMEOUT_S = 10.0

# Frame headers: length, type, flags, stream (RFC 9113, section 4.1).
_SETTINGS, _PING, _ACK = 0x4, 0x6, 0x1
_OPENING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, _SETTINGS, 0, 0, 0, 0, 0))
_SETTINGS_ACK = bytes((0, 0, 0, _SETTINGS, _ACK, 0, 0, 0, 0))
_PING_FRAME = bytes((0, 0, 8, _PING, 0, 0, 0, 0, 0)) + bytes(8)


def measure(server: Server, connections: int) -> Idle:
    """Holds that many idle connections for a moment. Needs as many open files. Raises LocalError."""
    assert server.control is not None
    with ControlClient(server.control) as control:
        # The first snapshot creates objects that remain.
        control.snapshot()
        before = control.snapshot()
        with idle_connections(server.address, connections):
            after = control.snapshot()
    if after.connections - before.connections != connections:
        raise LocalError(f"{server.process.name} has {after.connections} of {connections} connections")
    return Idle(server.process.name, connections, before.rss_bytes, after.rss_bytes)


@contextmanager
def idle_connections(address: str, number: int) -> Iterator[None]:
    """That many connections, open and idle, until the block ends. Raises LocalError."""
    at = Address.parse(address)
    with ExitStack() as opened:
        try:
            for _ in range(number):
                _open(opened.enter_context(socket.create_connection((at.host, at.port), TIMEOUT_S)))
        except OSError as error:
            raise LocalError(f"an idle connection to {address}: {error.strerror or error}") from error
        yield


def _open(connection: socket.socket) -> None:
    connection.sendall(_OPENING)
    _await_frame(connection, _SETTINGS, 0)
    connection.sendall(_SETTINGS_ACK + _PING_FRAME)
    _await_frame(connection, _PING, _ACK)


def _await_frame(connection: socket.socket, kind: int, flags: int) -> None:
    while True:
        header = _read(connection, 9)
        _read(connection, int.from_bytes(header[:3], "big"))
        if (header[3], header[4]) == (kind, flags):
            return


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        received = connection.recv(size - len(data))
        if not received:
            raise ConnectionAbortedError("closed by the server")
        data += received
    return data
