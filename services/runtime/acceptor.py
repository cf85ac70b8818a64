"""The connections of one loop: how they come (accepted, or handed over), and how they all end when it drains."""

import logging
import socket

from services.runtime.accept import accept_ready
from services.runtime.calls import Calls
from services.runtime.draining import OpenConnections
from services.runtime.loop import Loop
from services.runtime.nonblocking import Connection
from services.runtime.pausable import Pausable
from services.runtime.service import Service
from services.runtime.shortage import Shortage

_logger = logging.getLogger(__name__)


class Connections(OpenConnections[Connection]):
    """Those of a loop that waits for readiness."""

    def __init__(self, service: Service, loop: Loop, calls: Calls) -> None:
        super().__init__(service, loop)
        self._watching = loop
        self._calls = calls
        self._refused = False

    def add(self, sock: socket.socket) -> None:
        """Takes over a connected, non-blocking socket; closes one that the loop cannot watch, and logs that once."""
        try:
            connection = Connection(sock, self._service, self._watching, self._calls, self.closed)
        except OSError as error:
            if not self._refused:
                self._refused = True
                _logger.warning("connections are rejected: %s", error.strerror)
            sock.close()
            return
        self.hold(connection)


class Acceptor:
    """Accepts what waits at a listener, which it owns."""

    def __init__(self, listener: socket.socket, loop: Loop, connections: Connections, shortage: Shortage) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._watch = Pausable(loop, listener.fileno(), self)
        self._connections = connections
        self._shortage = shortage

    def ready(self, events: int) -> None:
        for sock in accept_ready(self._listener, self._shortage, self._watch.pause):
            self._connections.add(sock)

    def close(self) -> None:
        """Accepts no more."""
        self._watch.end()
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
