"""How a connection ends: in two steps, so that what was sent last is not lost.

Closing a socket while bytes from the peer are still unread sends RST (tcp(7)), and a peer that sees RST may throw
away replies it has not read yet. So the write side is shut down first; the peer reads to the end and closes.
"""

import socket

LINGER_S = 1.0
"""Time that a peer gets to close its side; after that it is cut off."""

_DISCARD_BYTES = 64 * 1024


def linger(sock: socket.socket) -> None:
    """Ends a blocking connection: shuts the write side down, then reads until the peer closes or says nothing."""
    try:
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(LINGER_S)
        while sock.recv(_DISCARD_BYTES):
            pass
    except OSError:  # the peer was first, or took too long
        return
