"""A client of the null server that encodes and decodes nothing: it counts bytes. It shows what the driver adds.

Must not know what its figures are compared with.
"""

import select
import socket
from array import array
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic_ns as clock

from tools.address import Address
from tools.calibrate.frames import HELLO, PREFACE, SETTINGS_ACK, reply, request

READ_BYTES = 1 << 18
REPLY_BYTES = len(reply(bytes(4)))
HANDSHAKE_BYTES = len(HELLO + SETTINGS_ACK)
TIMEOUT_S = 10.0


class NullClient:
    """A closed loop over connections that stay open."""

    def __init__(self, sockets: "dict[int, socket.socket]", streams: int) -> None:
        self._sockets = sockets
        self._streams = streams
        self._next = dict.fromkeys(sockets, 1)
        self._ready = select.epoll()
        for descriptor in sockets:
            self._ready.register(descriptor, select.EPOLLIN)

    def slice(self, warmup_s: float, duration_s: float) -> "array[int]":
        """Calls for so long, then waits for the last answers. Returns latencies of what was sent after the warm-up.

        Nanoseconds. The server answers each connection in order, so that no number of a stream is read.
        Raises OSError.
        """
        begin_ns = clock()
        from_ns = begin_ns + round(warmup_s * 1e9)
        until_ns = from_ns + round(duration_s * 1e9)
        latencies = array("Q")
        sent = {descriptor: deque[int]() for descriptor in self._sockets}
        unread = dict.fromkeys(self._sockets, 0)
        for descriptor in self._sockets:
            self._send(descriptor, self._streams, sent[descriptor])
        while any(sent.values()):
            events = self._ready.poll(TIMEOUT_S)
            if not events:
                raise TimeoutError("the null server does not answer")
            for descriptor, _ in events:
                read = _read(self._sockets[descriptor], READ_BYTES)
                whole, unread[descriptor] = divmod(unread[descriptor] + read, REPLY_BYTES)
                now_ns, times = clock(), sent[descriptor]
                for _ in range(whole):
                    if (sent_ns := times.popleft()) >= from_ns and now_ns <= until_ns:
                        latencies.append(now_ns - sent_ns)
                if now_ns < until_ns:
                    self._send(descriptor, whole, times)
        return latencies

    def _send(self, descriptor: int, calls: int, times: "deque[int]") -> None:
        if not calls:
            return
        first = self._next[descriptor]
        self._next[descriptor] = last = first + 2 * calls
        times.extend([clock()] * calls)
        self._sockets[descriptor].sendall(b"".join(map(request, range(first, last, 2))))


@contextmanager
def null_client(address: str, connections: int, streams: int) -> Iterator[NullClient]:
    """Connections that are open for as long as the block lasts. Raises OSError."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(_connect(Address.parse(address))) for _ in range(connections)]
        yield NullClient({each.fileno(): each for each in sockets}, streams)


def _connect(to: Address) -> socket.socket:
    made = socket.create_connection((to.host, to.port), TIMEOUT_S)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.sendall(PREFACE + HELLO + SETTINGS_ACK)
    left = HANDSHAKE_BYTES
    while left:
        left -= _read(made, left)
    return made


def _read(from_: socket.socket, most: int) -> int:
    """How many bytes have come. Raises ConnectionError."""
    number = len(from_.recv(most))
    if not number:
        raise ConnectionError("the null server has closed a connection")
    return number
