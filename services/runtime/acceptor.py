"""The connections of one loop: how they come (accepted, or handed over), and how they all end when it drains."""

import socket
import time

from services.runtime.accept import accept_ready
from services.runtime.loop import Loop
from services.runtime.nonblocking import Calls, Connection
from services.runtime.service import Service


class Connections:
    """Those that are open. Once the service drains, the loop stops with the last of them."""

    def __init__(self, service: Service, loop: Loop, calls: Calls) -> None:
        self._service = service
        self._loop = loop
        self._calls = calls
        self._open: set[Connection] = set()

    def add(self, sock: socket.socket) -> None:
        """Takes over a connected, non-blocking socket."""
        connection = Connection(sock, self._service, self._loop, self._calls, self._closed)
        self._open.add(connection)
        if self._service.drain.requested:
            connection.drain()

    def drain(self) -> None:
        """Tells every client, and stops the loop with the last connection or when time is up."""
        for connection in tuple(self._open):
            connection.drain()
        if not self._open:
            self._loop.stop()
        self._loop.call_at(time.monotonic_ns() + int(self._service.config.drain_timeout_s * 1e9), self._loop.stop)

    def _closed(self, connection: Connection) -> None:
        self._open.discard(connection)
        if self._service.drain.requested and not self._open:
            self._loop.stop()


class Acceptor:
    """Accepts what waits at a listener, which it owns."""

    def __init__(self, listener: socket.socket, loop: Loop, connections: Connections) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._loop = loop
        self._connections = connections
        loop.register(listener.fileno(), self)

    def ready(self, events: int) -> None:
        for sock in accept_ready(self._listener):
            self._connections.add(sock)

    def close(self) -> None:
        """Accepts no more."""
        self._loop.unregister(self._listener.fileno())
        self._listener.close()


class Drainer:
    """Waits until the service is asked to stop; then no more is accepted, and the connections drain."""

    def __init__(self, service: Service, loop: Loop, connections: Connections, acceptor: Acceptor | None) -> None:
        self._service = service
        self._loop = loop
        self._connections = connections
        self._acceptor = acceptor
        loop.register(service.drain.fileno(), self)

    def ready(self, events: int) -> None:
        self._loop.unregister(self._service.drain.fileno())
        if self._acceptor is not None:
            self._acceptor.close()
        self._connections.drain()
