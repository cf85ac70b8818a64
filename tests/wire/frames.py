"""HTTP/2 frames by hand (RFC 9113, section 4.1), so that a test can send what no library would. Knows no session."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, _, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8

NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 0x0, 0x1, 0x7, 0x8, 0xB

GRPC_REQUEST = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":authority", b"test"),
    (b":path", b"/test/Unary"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
)


@dataclass(frozen=True, slots=True)
class Frame:
    kind: int
    flags: int
    stream_id: int
    payload: bytes

    @property
    def error_code(self) -> int:
        """Of RST_STREAM and GOAWAY."""
        return int.from_bytes(self.payload[-4:] if self.kind == RST_STREAM else self.payload[4:8], "big")


def frame(kind: int, flags: int = 0, stream_id: int = 0, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream_id) + payload


def parse(data: bytes) -> list[Frame]:
    frames = []
    while data:
        length, (kind, flags, stream_id) = int.from_bytes(data[:3], "big"), struct.unpack(">BBI", data[3:9])
        frames.append(Frame(kind, flags, stream_id, data[9 : 9 + length]))
        data = data[9 + length :]
    return frames


def hpack(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Each field as a literal without indexing and without Huffman codes (RFC 7541, section 6.2.2), names below 127."""
    return b"".join(b"\0" + bytes((len(name),)) + name + _length(len(value)) + value for name, value in fields)


def _length(size: int) -> bytes:
    if size < 127:
        return bytes((size,))
    size, octets = size - 127, [127]
    while size >= 128:
        octets.append(size % 128 + 128)
        size //= 128
    return bytes((*octets, size))


def headers(stream_id: int, fields: Iterable[tuple[bytes, bytes]] = GRPC_REQUEST, *, end_stream: bool = False) -> bytes:
    return frame(HEADERS, END_HEADERS | (END_STREAM if end_stream else 0), stream_id, hpack(fields))


def data(stream_id: int, payload: bytes, *, end_stream: bool = False) -> bytes:
    return frame(DATA, END_STREAM if end_stream else 0, stream_id, payload)


def padded_data(stream_id: int, payload: bytes, padding: int) -> bytes:
    return frame(DATA, PADDED, stream_id, bytes((padding,)) + payload + bytes(padding))


def rst_stream(stream_id: int, error_code: int = CANCEL) -> bytes:
    return frame(RST_STREAM, 0, stream_id, error_code.to_bytes(4, "big"))


def window_update(stream_id: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream_id, increment.to_bytes(4, "big"))


def message(body: bytes, *, flag: int = 0) -> bytes:
    """A gRPC message with its prefix."""
    return struct.pack(">BI", flag, len(body)) + body


def request_to(path: bytes, *more: tuple[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """The request's fields with another path, and `more` in place of what they name."""
    replaced = {b":path": path, **dict(more)}
    kept = tuple((name, replaced.pop(name, value)) for name, value in GRPC_REQUEST)
    return (*kept, *replaced.items())
