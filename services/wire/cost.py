"""`python -m services.wire.cost`: what the server's end of the wire costs for each call, in memory, as JSON.

A client and a server first exchange CALLS small calls, and the bytes of the client are recorded. Then a new session
reads the same bytes, one call at a time, answers, and writes. So only the server's end is measured, without any I/O.
"""

import json
import time

from services.wire import CallReceived, ClientSession, ServerSession, Shape

CALLS = 1000
BATCHES = 9
PATH = "/sweetspot.v1.Workload/Run"
REQUEST, REPLY = bytes(24), bytes(64)
"""As large as those of a call with two steps."""


def exchanged() -> list[bytes]:
    """What a client sends for CALLS calls, one after the other."""
    client, server = ClientSession("in.memory"), _server()
    sent = []
    for _ in range(CALLS):
        client.start(PATH, REQUEST)
        while data := client.data_to_send():
            sent.append(data)
            if answer := _answer(server, data):  # without a byte it would be the end of the connection
                client.receive_data(answer)
    return sent


def wire_ns(sent: list[bytes]) -> float:
    """CPU time of a new session for each call in `sent`. Nanoseconds."""
    server = _server()
    began_ns = time.thread_time_ns()
    for data in sent:
        _answer(server, data)
    return (time.thread_time_ns() - began_ns) / CALLS


def _server() -> ServerSession:
    return ServerSession({PATH.encode(): Shape.UNARY})


def _answer(server: ServerSession, data: bytes) -> bytes:
    for event in server.receive_data(data):
        if isinstance(event, CallReceived):
            server.reply(event.call, REPLY)
    return b"".join(iter(server.data_to_send, b""))


if __name__ == "__main__":
    recorded = exchanged()
    print(json.dumps({"wire_ns": min(wire_ns(recorded) for _ in range(BATCHES))}))
