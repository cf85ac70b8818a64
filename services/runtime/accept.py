"""Accepting connections until the service drains. What becomes of them is the model's."""

import errno
import select
import socket
import time
from collections.abc import Iterator

from services.runtime.service import Service

# accept(2): the machine or the process is short of something; connections wait in the backlog until it is not.
ACCEPT_CAPACITY_ERRNOS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
# accept(2): the connection died before it was accepted.
ACCEPT_LOST_ERRNOS = frozenset(
    (errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.EHOSTUNREACH, errno.ENETUNREACH)
)
_CAPACITY_PAUSE_S = 0.05


def accept_ready(listener: socket.socket) -> Iterator[socket.socket]:
    """The connections that wait at a non-blocking `listener`, each non-blocking."""
    while True:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in ACCEPT_LOST_ERRNOS:
                continue
            if error.errno in ACCEPT_CAPACITY_ERRNOS:
                time.sleep(_CAPACITY_PAUSE_S)  # the listener stays readable: without a pause the loop would spin
                return
            raise
        connection.setblocking(False)
        yield connection


def accept_until_drained(service: Service) -> Iterator[socket.socket]:
    """Blocking connections, one after the other, until the service is asked to stop; then the listener is closed."""
    listener = service.listen()
    listener.setblocking(False)
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(service.drain, select.POLLIN)
    while not service.drain.requested:
        poll.poll()
        if service.drain.requested:
            break
        for connection in accept_ready(listener):
            connection.setblocking(True)
            yield connection
    listener.close()
