"""A loop's end of a pair of sockets between two processes of one service: tuples in, tuples out. Knows no call.

What is sent in one round of a loop goes as one pickle after its length: of 10 messages each costs 0.8 us, both ends
together, where with a pickle each it was 1.9. A pickle is bounded by bytes, so that one process never builds, and the
other never reads, more than that in one round of its loop. Both ends run the same code, and the pair was made by one
of them and handed to the other, so no other process can write to it: what pickle warns of does not apply.
"""

import pickle
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from services.network.receive import RECEIVE_BYTES
from services.runtime.processes.mailbox import Mailbox
from services.runtime.readiness.demultiplexer import WRITABLE
from services.runtime.readiness.loop import Loop
from services.runtime.readiness.writer import Writer

BATCH_BYTES = 64 * 1024
"""Of the messages of one pickle; a larger one goes alone."""
FULL_BYTES = 256 * 1024
"""With so many unsent, a link is full."""
MESSAGE_BYTES = 100
"""What a message has beside its payload, roughly."""

_LENGTH = struct.Struct("!I")

Message = tuple[Any, ...]
End = TypeVar("End")


def open_link(make: Callable[..., End], mailbox: Mailbox, **callbacks: Callable[..., None]) -> End:
    """Connects to the process that takes from `mailbox`, or to the next one. Raises OSError.

    `make` makes this loop's end of the link from a socket and the callbacks; `start` it. The other end waits in the
    mailbox.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        mailbox.send(theirs)
    return make(ours, **callbacks)


class Mail:
    """What is to be sent over a link, and what has arrived of it."""

    def __init__(self) -> None:
        self._to_send: deque[tuple[int, Message]] = deque()
        self._arrived = bytearray()
        self.size_bytes = 0
        """Of what is to be sent."""

    def put(self, message: Message, payload_bytes: int) -> bool:
        """Whether it is the first to wait for the next `take`."""
        size_bytes = MESSAGE_BYTES + payload_bytes
        self._to_send.append((size_bytes, message))
        self.size_bytes += size_bytes
        return len(self._to_send) == 1

    def take(self) -> bytes:
        """The next batch to be sent; b"" when there is none."""
        if not self._to_send:
            return b""
        batch: list[Message] = []
        batch_bytes = 0
        while self._to_send and (not batch or batch_bytes + self._to_send[0][0] <= BATCH_BYTES):
            size_bytes, message = self._to_send.popleft()
            batch_bytes += size_bytes
            batch.append(message)
        self.size_bytes -= batch_bytes
        pickled = pickle.dumps(batch, pickle.HIGHEST_PROTOCOL)
        return _LENGTH.pack(len(pickled)) + pickled

    def arrive(self, data: bytes) -> list[Message]:
        """The messages that are whole with `data`."""
        self._arrived += data
        messages: list[Message] = []
        arrived, at = self._arrived, 0
        while len(arrived) >= at + _LENGTH.size:
            (size,) = _LENGTH.unpack_from(arrived, at)
            if len(arrived) < at + _LENGTH.size + size:
                break
            at += _LENGTH.size
            messages += pickle.loads(memoryview(arrived)[at : at + size])
            at += size
        del arrived[:at]
        return messages


class Link:
    """Guarantees: messages arrive whole and in order, or not at all; `lost` is called once, when the other is gone.

    What is sent and not yet taken by the kernel waits here. The sender asks `is_full`; or the link reads nothing while
    it is full, where each message that it reads makes others to send. Only one end of a pair may do so.
    """

    def __init__(
        self,
        sock: socket.socket,
        loop: Loop,
        *,
        received: Callable[[list[Message]], None],
        lost: Callable[[], None],
        reads_while_full: bool = True,
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._loop = loop
        self._received = received
        self._lost = lost
        self._reads_while_full = reads_while_full
        self._writer = Writer(sock, loop)
        self._mail = Mail()

    def start(self) -> None:
        """Begins to receive."""
        self._loop.register(self._sock, self)

    @property
    def is_full(self) -> bool:
        """FULL_BYTES wait to be sent."""
        return self._mail.size_bytes + self._writer.unsent_bytes >= FULL_BYTES

    def send(self, *message: object, payload_bytes: int = 0) -> None:
        """Sends at the end of this round of the loop; nothing once the link is lost.

        `payload_bytes` is the size of what is large in the message.
        """
        if self._sock.fileno() < 0:
            return
        if self._mail.put(message, payload_bytes):
            self._loop.soon(self._flush)

    def ready(self, events: int) -> None:
        if events & ~WRITABLE:
            try:
                data = self._sock.recv(RECEIVE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._lose()
                return
            self._received(self._mail.arrive(data))
        self._flush()

    def _flush(self) -> None:
        if self._sock.fileno() < 0:
            return
        try:
            self._writer.write(self._mail.take)
        except OSError:
            self._lose()
            return
        if not self._reads_while_full:
            self._writer.read(wanted=not self.is_full)

    def _lose(self) -> None:
        if self._sock.fileno() >= 0:
            self._loop.unregister(self._sock)
            self._sock.close()
            self._lost()
