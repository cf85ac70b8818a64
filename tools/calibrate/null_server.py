"""`python -m tools.calibrate.null_server`: answers each call with the same frames, as cheaply as Python can.

Prints `listening on HOST:PORT`, and serves until it is ended. It looks at two bytes of a frame: its type, and whether
it ends the stream. Must not be used for anything but loopback: it checks nothing, and obeys no window.
"""

import select
import socket

from tools.calibrate.frames import (
    ACK,
    DATA,
    END_STREAM,
    HEADER_BYTES,
    HEADERS,
    HELLO,
    PING,
    PREFACE,
    SETTINGS,
    SETTINGS_ACK,
    frame,
    reply,
)

READ_BYTES = 1 << 18


class Answers:
    """What one connection has asked, frame by frame."""

    def __init__(self) -> None:
        self._unread = b""

    def __call__(self, data: bytes) -> bytes:
        """The frames that answer those which `data` completes."""
        data = self._unread + data
        at = 0
        found = []
        while len(data) - at >= HEADER_BYTES:
            end = at + HEADER_BYTES + int.from_bytes(data[at : at + 3], "big")
            if end > len(data):
                break
            kind, flags = data[at + 3], data[at + 4]
            if kind in (DATA, HEADERS):
                if flags & END_STREAM:
                    found.append(reply(data[at + 5 : at + HEADER_BYTES]))
            elif kind == SETTINGS and not flags & ACK:
                found.append(SETTINGS_ACK)
            elif kind == PING and not flags & ACK:
                found.append(frame(PING, ACK, data[at + HEADER_BYTES : end]))
            at = end
        self._unread = data[at:]
        return b"".join(found)


def serve(accepted: socket.socket, answers: Answers) -> bool:
    """Answers what has come. False where the client has gone."""
    try:
        data = accepted.recv(READ_BYTES)
        if data:
            accepted.sendall(answers(data))
    except ConnectionError:
        data = b""
    return bool(data)


def main() -> None:
    """Serves."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    ready = select.epoll()
    ready.register(listener, select.EPOLLIN)
    connections: dict[int, tuple[socket.socket, Answers]] = {}
    while True:
        for descriptor, _ in ready.poll():
            if descriptor == listener.fileno():
                accepted, _ = listener.accept()
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                accepted.recv(len(PREFACE), socket.MSG_WAITALL)
                accepted.sendall(HELLO)
                connections[accepted.fileno()] = accepted, Answers()
                ready.register(accepted, select.EPOLLIN)
            elif not serve(*connections[descriptor]):
                # What is closed is registered no more (epoll(7), question 6).
                connections.pop(descriptor)[0].close()


if __name__ == "__main__":
    main()
