"""A loop's connection to the backend: it connects, reads and writes without waiting. Knows not who waits for what."""

import os
import socket
import time
from functools import partial

from services.runtime.channel import Channel
from services.runtime.config import Address
from services.runtime.connecting import CONNECT_TIMEOUT_S, TIMED_OUT
from services.runtime.demultiplexer import READABLE, WRITABLE
from services.runtime.loop import Loop
from services.runtime.writer import Writer

RECEIVE_BYTES = 64 * 1024


class BackendConnection:
    """Connects at once; calls started before it is connected are sent when it is."""

    def __init__(self, loop: Loop, backend: Address) -> None:
        self.channel = Channel(backend)
        self._loop = loop
        self._flushing = False
        self._sock = socket.socket(socket.AF_INET6 if ":" in backend.host else socket.AF_INET)
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._writer = Writer(self._sock, loop)
        self._connected = False
        try:
            # EINPROGRESS: EPOLLOUT tells the outcome (connect(2)). A name is looked up first, and that blocks the loop.
            self._sock.connect_ex((backend.host, backend.port))
            loop.register(self._sock.fileno(), self, WRITABLE)
            due_ns = time.monotonic_ns() + round(CONNECT_TIMEOUT_S * 1e9)
            self._connecting = loop.call_at(due_ns, partial(self._close, TIMED_OUT))
        except OSError as error:
            self._sock.close()
            why = str(error.strerror)
            loop.soon(lambda: self.channel.lost(why))

    def ready(self, events: int) -> None:
        if not self._connected:
            self._loop.cancel(self._connecting)
            errno = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if errno:
                self._close(os.strerror(errno))
                return
            self._connected = True
            self._loop.modify(self._sock.fileno(), READABLE)
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
        if not self._connected or self._sock.fileno() < 0:
            return
        try:
            self._writer.write(self.channel.data_to_send)
        except OSError as error:
            self._close(error.strerror or str(error))
            return

    def _close(self, why: str) -> None:
        if self._sock.fileno() >= 0:
            self._loop.unregister(self._sock.fileno())
            self._sock.close()
        self.channel.lost(why)
