"""How a connection ends: in two steps, so that what was sent last is not lost.

Closing a socket while bytes from the peer are still unread sends RST (tcp(7)), and a peer that sees RST may throw
away replies it has not read yet. So the write side is shut down first; the peer reads to the end and closes.
"""

import socket
import time

LINGER_S = 1.0
"""Time that a peer gets to close its side, whatever it sends; after that it is cut off."""

WRITE_STALL_S = 20
"""Time in which a peer has to read what `data_to_send` gives at once, at most some 256 KiB; then it is cut off.

For a connection that ends, and for one that a thread writes to: the thread waits. Any other has `listen.STALL_S`.
"""

_DISCARD_BYTES = 64 * 1024


def linger(sock: socket.socket) -> None:
    """Ends a blocking connection: shuts the write side down, then reads until the peer closes or its time is over."""
    until_s = time.monotonic() + LINGER_S
    try:
        sock.shutdown(socket.SHUT_WR)
        # The time is for all reads together: a peer that sends a byte now and then must not get it for each.
        while (left_s := until_s - time.monotonic()) > 0:
            sock.settimeout(left_s)
            if not sock.recv(_DISCARD_BYTES):
                return
    except OSError:  # the peer was first, or took too long
        return
