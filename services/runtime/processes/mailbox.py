"""Connections passed from the process that accepts them to the one that serves them (unix(7), SCM_RIGHTS).

Which one that is to be is the model's.
"""

import fcntl
import os
import socket
import sys
import termios
from collections.abc import Callable
from typing import Protocol

from services.runtime.readiness.loop import EventSource
from services.runtime.shortage import PAUSE_S, Shortage


class Pausing(Protocol):
    """What is asked of a loop."""

    def pause(self, source: EventSource, duration_s: float) -> None: ...
    def unregister(self, source: EventSource) -> None: ...


class Mailbox:
    """To one process of several. It outlives that process: what waits in it is for the next one."""

    def __init__(self) -> None:
        self._front, self._back = socket.socketpair()
        self._back.setblocking(False)

    def fileno(self) -> int:
        return self._back.fileno()

    def send(self, connection: socket.socket) -> None:
        """Passes a connection on; the sender may close its own."""
        socket.send_fds(self._front, [b"c"], [connection.fileno()])

    def receive(self) -> socket.socket | None:
        """The next connection; None after the end. Raises BlockingIOError where nothing waits, or another OSError.

        By one thread of a process, the only one that opens descriptors: where none is free for a connection the kernel
        receives the message, closes the connection and sets MSG_CTRUNC (unix(7)). So one is taken and given back first.
        """
        os.close(os.dup(self._back.fileno()))
        received, fds, _, _ = socket.recv_fds(self._back, 1, 1)
        if not received:
            return None
        sock = socket.socket(fileno=fds[0])
        sock.setblocking(False)
        return sock

    def unread(self) -> int:
        """Connections that were sent and not yet received (FIONREAD, unix(7): a byte for each)."""
        return int.from_bytes(fcntl.ioctl(self._back, termios.FIONREAD, bytes(4)), sys.byteorder)

    def end(self) -> None:
        """No more will be sent."""
        self._front.shutdown(socket.SHUT_WR)


class Receiver:
    """Takes connections out of a mailbox that is registered with `loop`. Pauses if no descriptor is free for one."""

    def __init__(
        self,
        mailbox: Mailbox,
        loop: Pausing,
        shortage: Shortage,
        take: Callable[[socket.socket], object],
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """`ended` is called after the last one."""
        self._mailbox = mailbox
        self._loop = loop
        self._shortage = shortage
        self._take = take
        self._ended = ended

    def ready(self, events: int) -> None:
        while True:
            try:
                sock = self._mailbox.receive()
            except BlockingIOError:
                return
            except OSError as error:
                self._shortage.of_descriptors(error)
                self._loop.pause(self._mailbox, PAUSE_S)
                return
            if sock is None:
                break
            self._take(sock)
        self._loop.unregister(self._mailbox)
        self._ended()
