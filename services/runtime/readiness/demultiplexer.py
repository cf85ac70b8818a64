"""Ways to wait for many descriptors at once, all used as select.epoll is. They differ in what the kernel stores.

epoll   The kernel stores the set: a wait costs what is ready (epoll(7)).
poll    The process hands the whole set over at each wait: a wait costs what is watched (poll(2)).
select  So it does here, as bitmaps of FD_SETSIZE bits: a descriptor at or above that cannot be watched (select(2)).
"""

import errno
import select
from collections.abc import Callable
from typing import Protocol

READABLE, WRITABLE = select.EPOLLIN, select.EPOLLOUT  # the bits of POLLIN and POLLOUT (sys/epoll.h, asm/poll.h)
FD_SETSIZE = 1024
"""glibc's; CPython does not report it."""


class Demultiplexer(Protocol):
    """Descriptors to watch, and what of them is ready."""

    def register(self, fd: int, eventmask: int) -> None: ...
    def modify(self, fd: int, eventmask: int) -> None: ...
    def unregister(self, fd: int) -> None: ...

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        """Waits at most so many seconds, for ever with None; each ready descriptor and its events."""


class Poll:
    """poll(2)."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self.register = self._poll.register
        self.modify = self._poll.modify
        self.unregister = self._poll.unregister

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        return self._poll.poll(None if timeout is None else timeout * 1000)


class Select:
    """select(2)."""

    def __init__(self) -> None:
        self._readable: set[int] = set()
        self._writable: set[int] = set()

    def register(self, fd: int, eventmask: int) -> None:
        """Raises OSError for what select cannot watch."""
        if fd >= FD_SETSIZE:
            raise OSError(errno.EMFILE, f"select cannot watch descriptor {fd}; its limit is {FD_SETSIZE - 1}")
        self.modify(fd, eventmask)

    def modify(self, fd: int, eventmask: int) -> None:
        self.unregister(fd)
        if eventmask & READABLE:
            self._readable.add(fd)
        if eventmask & WRITABLE:
            self._writable.add(fd)

    def unregister(self, fd: int) -> None:
        self._readable.discard(fd)
        self._writable.discard(fd)

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        readable, writable, _ = select.select(self._readable, self._writable, (), timeout)
        ready = dict.fromkeys(readable, READABLE)
        for fd in writable:
            ready[fd] = ready.get(fd, 0) | WRITABLE
        return list(ready.items())


DEMULTIPLEXERS: dict[str, Callable[[], Demultiplexer]] = {"epoll": select.epoll, "poll": Poll, "select": Select}
