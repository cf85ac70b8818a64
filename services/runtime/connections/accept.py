"""Accepts connections until the service drains. The model decides who serves them."""

import errno
import select
import socket
import time
from collections.abc import Callable, Iterator

from services.runtime.service import Service
from services.runtime.shortage import PAUSE_S, Shortage

# accept(2): the connection died before it was accepted.
ACCEPT_LOST_ERRNOS = frozenset(
    (errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.EHOSTUNREACH, errno.ENETUNREACH)
)


def accept_ready(
    listener: socket.socket, shortage: Shortage, pause: Callable[[], None] | None = None
) -> Iterator[socket.socket]:
    """The connections that wait at a non-blocking `listener`, each non-blocking.

    A shortage ends it, and it is to be tried again after PAUSE_S. `pause` arranges that; without it, the thread waits.
    """
    while True:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in ACCEPT_LOST_ERRNOS:
                continue
            shortage.of_descriptors(error)
            if pause is None:
                time.sleep(PAUSE_S)
            else:
                pause()
            return
        connection.setblocking(False)
        yield connection


def accept_until_drained(
    service: Service, listener: socket.socket, check_peers: Callable[[], None] | None = None
) -> Iterator[socket.socket]:
    """Blocking connections, one after the other, until the service is asked to stop; then the listener is closed.

    `check_peers` is called every `limits.check_s`.

    Several threads and processes may share a listener. EPOLLEXCLUSIVE (epoll_ctl(2)): a connection wakes one of those
    that wait for it. With poll(2) it would wake all, and all but one in vain: the thundering herd.
    """
    listener.setblocking(False)
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)
    epoll.register(service.drain, select.EPOLLIN)
    check_s = service.limits.check_s
    checked_s = time.monotonic()
    while not service.drain.requested:
        epoll.poll(None if check_peers is None else check_s)
        if check_peers is not None and time.monotonic() - checked_s >= check_s:
            checked_s = time.monotonic()
            check_peers()
        try:
            for connection in accept_ready(listener, service.shortage):
                connection.setblocking(True)
                yield connection
        except OSError:
            if not service.drain.requested:  # then one that shares the listener was first to close it
                raise
    epoll.close()
    listener.close()


def stop_listening(listener: socket.socket) -> None:
    """Closes a listener at once in all processes that share it, also in those that are too busy to do it themselves.

    That is what Linux does when a listening socket is shut down (net/ipv4/af_inet.c, `inet_shutdown`).
    """
    listener.shutdown(socket.SHUT_RD)
    listener.close()
