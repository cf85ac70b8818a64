"""A loop's connection to the backend: it connects, reads and writes without waiting. Knows not who waits for what."""

import errno
import os
import socket

from services.network.address import Address
from services.network.attempts import TIMED_OUT
from services.network.names import Endpoint
from services.network.receive import RECEIVE_BYTES
from services.runtime.backend.channel import Channel
from services.runtime.backend.connector import Connector, NameLookups
from services.runtime.readiness.demultiplexer import READABLE, WRITABLE
from services.runtime.readiness.loop import Loop
from services.runtime.readiness.writer import Writer


class BackendConnection:
    """Registers its socket for each address that it tries; the one that takes the connection stays registered."""

    def __init__(self, loop: Loop, backend: Address, names: NameLookups) -> None:
        self.channel = Channel(backend)
        self._loop = loop
        self._flushing = False
        self._writer: Writer | None = None
        self._connector = Connector(backend, loop, names, self)

    def connect(self) -> None:
        """Begins to connect; calls that were started before are sent when it is connected."""
        self._connector.start()

    def begin(self, endpoint: Endpoint) -> None:
        """After EPOLLOUT its result is known (connect(2))."""
        self._sock = socket.socket(endpoint.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = self._sock.connect_ex(endpoint.sockaddr)
            if code not in (0, errno.EINPROGRESS):
                raise OSError(code, os.strerror(code))
            self._loop.register(self._sock, self, WRITABLE)
        except OSError:
            self._sock.close()
            raise

    def give_up(self) -> None:
        self._refused(TIMED_OUT)

    def unconnected(self, why: str) -> None:
        self.channel.lost(why)

    def ready(self, events: int) -> None:
        if self._writer is None:
            if code := self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._refused(os.strerror(code))
                return
            self._connector.connected()
            self._writer = Writer(self._sock, self._loop)
            self._loop.modify(self._sock, READABLE)
        elif events & ~WRITABLE:
            try:
                data = self._sock.recv(RECEIVE_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                self._close(error.strerror or str(error))
                return
            self.channel.receive_data(data)
            if self.channel.closed:
                self._close("connection closed")
                return
        self.flush()

    def flush_soon(self) -> None:
        """Asks for one `flush` at the end of this round."""
        if not self._flushing:
            self._flushing = True
            self._loop.soon(self.flush)

    def flush(self) -> None:
        """Writes as much as the socket takes; the rest when it is writable."""
        self._flushing = False
        if self._writer is None or self._sock.fileno() < 0:
            return
        try:
            self._writer.write(self.channel.data_to_send)
        except OSError as error:
            self._close(error.strerror or str(error))

    def _refused(self, why: str) -> None:
        self._forget()
        self._connector.refused(why)

    def _close(self, why: str) -> None:
        self._forget()
        self.channel.lost(why)

    def _forget(self) -> None:
        if self._sock.fileno() >= 0:
            self._loop.unregister(self._sock)
            self._sock.close()
