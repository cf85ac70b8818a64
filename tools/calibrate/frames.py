"""The HTTP/2 frames of a call that never changes, as bytes (RFC 9113, RFC 7541): nothing is encoded while measuring.

Fields are literals without indexing, so that no side has a table to keep. Must not know what sends them.
"""

from sweetspot.v1.workload_pb2 import RunReply, RunRequest

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
HEADER_BYTES = 9
PAYLOAD = bytes(32)
"""Of the request, and of the reply."""


def frame(kind: int, flags: int, payload: bytes, stream: bytes = bytes(4)) -> bytes:
    """One frame."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream + payload


HELLO = frame(SETTINGS, 0, b"") + frame(WINDOW_UPDATE, 0, (2**31 - 2**16).to_bytes(4, "big"))
"""What each side begins with. The window of the connection is as large as it can be: 50 million calls fit into it."""
SETTINGS_ACK = frame(SETTINGS, ACK, b"")


def request(stream: int) -> bytes:
    """A call of Run."""
    return stream.to_bytes(4, "big").join(_REQUEST)


def reply(stream: bytes) -> bytes:
    """The answer on that stream, of four bytes. All answers have the same length."""
    return stream.join(_REPLY)


def _message(content: bytes) -> bytes:
    """As gRPC frames it: not compressed, its length, and itself."""
    return b"\0" + len(content).to_bytes(4, "big") + content


def _literal(name: bytes, value: bytes) -> bytes:
    """Without indexing, with a new name (RFC 7541, section 6.2.2). Both are shorter than 127 bytes."""
    return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value


def _apart(*parts: bytes) -> tuple[bytes, ...]:
    """What is before, between and after the numbers of the stream."""
    at = HEADER_BYTES - 4
    heads, rests = [part[:at] for part in parts], [part[HEADER_BYTES:] for part in parts]
    between = [rest + head for rest, head in zip(rests, heads[1:], strict=False)]
    return heads[0], *between, rests[-1]


# 0x83 is `:method: POST`, 0x86 `:scheme: http`, 0x88 `:status: 200` (RFC 7541, appendix A).
_TYPE = _literal(b"content-type", b"application/grpc")
_REQUEST = _apart(
    frame(HEADERS, END_HEADERS, b"\x83\x86" + _literal(b":path", b"/sweetspot.v1.Workload/Run") + _TYPE),
    frame(DATA, END_STREAM, _message(RunRequest(payload=PAYLOAD).SerializeToString())),
)
_REPLY = _apart(
    frame(HEADERS, END_HEADERS, b"\x88" + _TYPE),
    frame(DATA, 0, _message(RunReply(model="null", payload=PAYLOAD).SerializeToString())),
    frame(HEADERS, END_HEADERS | END_STREAM, _literal(b"grpc-status", b"0")),
)
