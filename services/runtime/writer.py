"""How a loop's connection writes: what the socket takes now, and the rest when the loop says that it takes more."""

import socket
from collections.abc import Callable

from services.runtime.demultiplexer import READABLE, WRITABLE
from services.runtime.loop import Loop


class Writer:
    """Writes what a session has to say, as much as the socket takes; has the loop tell when it takes the rest."""

    __slots__ = ("_loop", "_sock", "unsent")

    def __init__(self, sock: socket.socket, loop: Loop) -> None:
        self._sock = sock
        self._loop = loop
        self.unsent = b""

    def write(self, data_to_send: Callable[[], bytes]) -> None:
        """Raises OSError when the connection is gone."""
        had_unsent = bool(self.unsent)
        try:
            while data := self.unsent or data_to_send():
                self.unsent = data
                self.unsent = data[self._sock.send(data) :]
                if self.unsent:
                    break
        except BlockingIOError:
            pass
        if had_unsent != bool(self.unsent):
            self._loop.modify(self._sock.fileno(), READABLE | (WRITABLE if self.unsent else 0))
