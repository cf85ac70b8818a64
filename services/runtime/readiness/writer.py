"""How a loop's connection writes: what the socket takes now, and the rest when the loop reports that it takes more."""

import socket
from collections.abc import Callable

from services.runtime.readiness.demultiplexer import READABLE, WRITABLE
from services.runtime.readiness.loop import Loop

TURN_BYTES = 256 * 1024
"""A write stops after so many bytes. A peer that reads as fast as the loop writes must not hold the loop."""


class Writer:
    """Writes what a session has to send, and watches the socket: the loop reports when it takes the rest.

    Guarantee: no byte is copied between the session and the kernel, however small the pieces are that the kernel takes.
    """

    __slots__ = ("_loop", "_reads", "_sock", "_unsent", "has_more")

    def __init__(self, sock: socket.socket, loop: Loop) -> None:
        self._sock = sock
        self._loop = loop
        self._unsent = _NOTHING
        self._reads = True
        self.has_more = False
        """Something may be left to write: `write` is to be called again when the socket is writable."""

    @property
    def unsent_bytes(self) -> int:
        """Bytes that the session gave and the kernel has not taken."""
        return len(self._unsent)

    def write(self, data_to_send: Callable[[], bytes]) -> None:
        """Writes TURN_BYTES, or a little more. Raises OSError when the connection is gone."""
        had_more, self.has_more = self.has_more, True
        written = 0
        try:
            while written < TURN_BYTES:
                data = self._unsent or data_to_send()
                if not data:
                    self.has_more = False
                    break
                size = self._sock.send(data)
                written += size
                if size < len(data):
                    self._unsent = memoryview(data)[size:]
                    break
                self._unsent = _NOTHING
        except BlockingIOError:
            self._unsent = memoryview(data)
        if had_more != self.has_more:
            self._watch()

    def read(self, *, wanted: bool) -> None:
        """Has the loop report that bytes have come, or not report it."""
        if wanted != self._reads:
            self._reads = wanted
            self._watch()

    def _watch(self) -> None:
        events = (READABLE if self._reads else 0) | (WRITABLE if self.has_more else 0)
        self._loop.modify(self._sock, events)


_NOTHING = memoryview(b"")
