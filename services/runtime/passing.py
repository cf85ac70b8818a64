"""Connections passed from the process that accepts them to the one that serves them (unix(7), SCM_RIGHTS).

Which one that is to be is the model's.
"""

import fcntl
import socket
import sys
import termios

from services.runtime.acceptor import Connections
from services.runtime.loop import Loop


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
        """The next connection; None after the end. Raises BlockingIOError where nothing waits."""
        while True:
            said, fds, _, _ = socket.recv_fds(self._back, 1, 1)
            if not said:
                return None
            for fd in fds:  # none where this process has no free descriptor: the kernel has closed the connection
                sock = socket.socket(fileno=fd)
                sock.setblocking(False)
                return sock

    def unread(self) -> int:
        """Connections that were sent and not yet received (FIONREAD, unix(7): a byte for each)."""
        return int.from_bytes(fcntl.ioctl(self._back, termios.FIONREAD, bytes(4)), sys.byteorder)

    def end(self) -> None:
        """No more will be sent."""
        self._front.shutdown(socket.SHUT_WR)


class Receiver:
    """Takes the connections that the dispatcher passes to a loop; after the last of them, all drain."""

    def __init__(self, mailbox: Mailbox, loop: Loop, connections: Connections) -> None:
        self._mailbox = mailbox
        self._loop = loop
        self._connections = connections
        loop.register(mailbox.fileno(), self)

    def ready(self, events: int) -> None:
        try:
            while (sock := self._mailbox.receive()) is not None:
                self._connections.add(sock)
        except BlockingIOError:
            return
        self._loop.unregister(self._mailbox.fileno())
        self._connections.drain()
