"""A loop of completions on io_uring, and a connected descriptor on it. Knows times and callbacks, nothing of gRPC."""

import errno
import socket
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from services.runtime.counters.lag import unwatched
from services.runtime.proactor.ring import MORE, OnCompletion, Ring
from services.runtime.readiness.demultiplexer import READABLE
from services.runtime.readiness.loop import EventHandler, EventSource

_NO_END = (-errno.ENOBUFS, -errno.ECANCELED)
"""A receive was over for want of a buffer, or was not wanted; the peer may send more."""


class Proactor:
    """The dispatcher of completions: `proactor.dispatch(proactor.completions())` is one round.

    Belongs to the thread that makes it. Raises NotHereError.
    """

    def __init__(self) -> None:
        self.ring = Ring()
        self._watches: dict[int, PollWatch] = {}
        self._soon: list[Callable[[], None]] = []
        self.on_iteration: Callable[[int], None] = unwatched

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> int:
        """Calls `callback` once, at CLOCK_MONOTONIC `due_ns` or soon after, unless it is cancelled before."""
        return self.ring.timeout(due_ns, lambda *_: callback())

    def cancel(self, timer: int) -> None:
        """Takes a `call_at` back; nothing where its time has come already."""
        self.ring.cancel(timer)

    def soon(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once this round's completions are dispatched."""
        self._soon.append(callback)

    def register(self, source: EventSource, handler: EventHandler) -> None:
        """Calls `handler` whenever `source` becomes readable, which it is then to read all from."""
        fd = source.fileno()
        watch = self._watches[fd] = PollWatch(self.ring, fd, handler)
        watch.begin()

    def pause(self, source: EventSource, duration_s: float) -> None:
        """Watches `source` again after that time, in which its handler is not called."""
        fd = source.fileno()
        paused = self._watches[fd]
        paused.end()

        def resume() -> None:
            if self._watches.get(fd) is paused:  # else it was unregistered in that time
                self.register(source, paused.handler)

        self.call_at(time.monotonic_ns() + round(duration_s * 1e9), resume)

    def unregister(self, source: EventSource) -> None:
        """Before `source` is closed."""
        self._watches.pop(source.fileno()).end()

    def completions(self) -> Iterable[tuple[OnCompletion, int, int]]:
        """Submits what is asked for, and waits for a completion."""
        # What `soon` was given before the first round: no completion would wake the loop for it.
        return () if self._soon else self.ring.wait()

    def dispatch(self, completions: Iterable[tuple[OnCompletion, int, int]]) -> None:
        """Calls the handlers of what has completed, then the callbacks of `soon`.

        When it has returned, the loop holds no callback of this round while it waits for the next one.
        """
        began_ns = time.monotonic_ns()
        for on_completion, result, flags in completions:
            on_completion(result, flags)
        while self._soon:
            due, self._soon = self._soon, []
            for callback in due:
                callback()
        self.on_iteration(time.monotonic_ns() - began_ns)


class PollWatch:
    """Calls a handler whenever a descriptor becomes readable, and at once if it is."""

    def __init__(self, ring: Ring, fd: int, handler: EventHandler) -> None:
        self.handler = handler
        self._ring = ring
        self._fd = fd
        self._is_over = False

    def begin(self) -> None:
        """From now on the handler is called."""
        self._request = self._ring.poll(self._fd, self._polled)

    def end(self) -> None:
        """From now on the handler is not called."""
        if not self._is_over:
            self._is_over = True
            self._ring.give_up(self._request)

    def _polled(self, result: int, flags: int) -> None:
        if self._is_over:
            return
        if not flags & MORE:
            self._request = self._ring.poll(self._fd, self._polled)
        self.handler.ready(READABLE)


class StreamOwner(Protocol):
    """Whose bytes a stream carries."""

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer; b"" means, once, that there will be no more."""

    def data_to_send(self) -> bytes:
        """The next bytes for the peer; b"" where there are none, and then the stream is asked to `flush` again."""

    def stream_closed(self) -> None:
        """The descriptor is given back."""


class SocketStream:
    """A connected descriptor: one receive is submitted while `read` is wanted, and one send while there is something.

    It is closed once the receive is over and no send and no shutdown is left. A shutdown waits for a thread of the
    kernel, which looks the descriptor up only then: by that time another connection could have its number.
    """

    __slots__ = (
        "_fd",
        "_flushing",
        "_owner",
        "_proactor",
        "_receive",
        "_receiving",
        "_ring",
        "_sending",
        "_shutting",
        "_wanted",
    )

    def __init__(self, fd: int, proactor: Proactor, owner: StreamOwner) -> None:
        self._fd = fd
        self._proactor = proactor
        self._ring = proactor.ring
        self._owner = owner
        self._flushing = False
        self._sending = 0
        self._shutting = 0
        self._receiving = True
        """The peer may send; also while nothing is wanted of it."""
        self._wanted = False
        self._receive: int | None = None

    def flush_soon(self) -> None:
        """Asks for one `flush` at the end of this round."""
        if not self._flushing:
            self._flushing = True
            self._proactor.soon(self.flush)

    def flush(self) -> None:
        """Submits the next bytes, or has the send that is on its way do so when it completes."""
        self._flushing = False
        if self._receiving and not self._sending and (data := self._owner.data_to_send()):
            self._sending = len(data)
            self._ring.send(self._fd, data, self._sent)

    @property
    def unsent_bytes(self) -> int:
        """Bytes of the owner's that the kernel has, and the peer's socket not yet."""
        return self._sending

    def read(self, *, wanted: bool) -> None:
        """Receives, or stops to receive. What has completed by then is given to the owner all the same."""
        if wanted == self._wanted:
            return
        self._wanted = wanted
        if not wanted and self._receive is not None:
            self._ring.give_up(self._receive)
        elif wanted and self._receive is None and self._receiving:
            self._receive = self._ring.receive(self._fd, self._received)

    def shutdown(self, how: int) -> None:
        """As shutdown(2). SHUT_RDWR ends what is submitted, and so the stream."""
        if how == socket.SHUT_RDWR:
            self.read(wanted=True)  # else nothing is submitted that could end
        if self._receiving or self._sending:
            self._shutting += 1
            self._ring.shutdown(self._fd, how, self._shut)

    def _received(self, result: int, flags: int) -> None:
        if result > 0:
            self._flushing = True  # one send for all that these bytes bring
            self._owner.data_received(self._ring.received(result, flags))
            self.flush()
        elif result not in _NO_END:
            self._receiving, self._receive = False, None
            self._owner.data_received(b"")
            self.shutdown(socket.SHUT_RDWR)  # else a peer that does not read could hold the last send for ever
            self._close_if_over()
            return
        if not flags & MORE:
            self._receive = self._ring.receive(self._fd, self._received) if self._wanted else None

    def _sent(self, result: int, flags: int) -> None:
        failed = result != self._sending
        self._sending = 0
        if failed:
            self.shutdown(socket.SHUT_RDWR)
        else:
            self.flush()
        self._close_if_over()

    def _shut(self, result: int, flags: int) -> None:
        self._shutting -= 1
        self._close_if_over()

    def _close_if_over(self) -> None:
        if not (self._receiving or self._sending or self._shutting):
            self._ring.close(self._fd)
            self._owner.stream_closed()
            del self._owner  # each has the other: a cycle would hold the connection until the collector runs


def ignore(result: int, flags: int) -> None:
    """For a request whose completion changes nothing."""
