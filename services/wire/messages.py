"""Length-prefixed messages: the bytes of a call's body to messages and back. Knows no stream and no header.

A message is a flag byte (1: compressed), its length in four bytes, big-endian, and its bytes
(PROTOCOL-HTTP2, Length-Prefixed-Message).
"""

import struct
import zlib
from collections.abc import Callable

from services.wire.status import Code, RpcError

PREFIX = struct.Struct(">BI")
PREFIX_BYTES = PREFIX.size
_GZIP_WBITS = 31  # zlib.h, inflateInit2: 15 for the largest window, 16 more for the gzip format


def encode_message_frame(message: bytes, *, gzip: bool = False) -> bytes:
    """`message` with its prefix, compressed where asked."""
    if gzip:
        packer = zlib.compressobj(wbits=_GZIP_WBITS)
        message = packer.compress(message) + packer.flush()
    return PREFIX.pack(gzip, len(message)) + message


class NoMemoryError(RpcError):
    """A call that there is no memory for at the moment."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.RESOURCE_EXHAUSTED, message)


class MessageReader:
    """Takes a body in pieces of any size and gives its messages.

    `max_bytes` bounds a message before and after decompression. Errors are RpcError: RESOURCE_EXHAUSTED
    for too large a message, raised from its prefix alone, before a byte of it is stored; INTERNAL for a body that
    breaks the format.
    """

    __slots__ = ("_buffer", "_gzip", "_max_bytes", "_needed_bytes")

    def __init__(self, max_bytes: int, *, gzip: bool) -> None:
        self._max_bytes = max_bytes
        self._gzip = gzip
        self._buffer = bytearray()
        self._needed_bytes = 0

    @property
    def buffered_bytes(self) -> int:
        """What has come of the next message."""
        return len(self._buffer)

    def feed(self, data: bytes, room_bytes: Callable[[], int] | None = None) -> list[tuple[bytes, bool]]:
        """The messages that `data` completes, in order, each with whether it came compressed.

        `room_bytes` returns how many bytes the decompressed messages may have. It is called only for a compressed
        message. NoMemoryError is raised for more bytes, before the message is whole.
        """
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed_bytes:  # else a message that comes byte by byte is copied for each
                return []
            data = bytes(self._buffer)
        messages = []
        unpacked_bytes = 0
        at, size = 0, len(data)
        while size - at >= PREFIX_BYTES:
            flag, length = PREFIX.unpack_from(data, at)
            if flag > 1:
                raise RpcError(Code.INTERNAL, f"message flag {flag} is neither 0 nor 1")
            if flag and not self._gzip:
                raise RpcError(Code.INTERNAL, "compressed message without grpc-encoding")
            if length > self._max_bytes:
                raise RpcError(Code.RESOURCE_EXHAUSTED, f"message of {length} bytes exceeds {self._max_bytes}")
            end = at + PREFIX_BYTES + length
            if end > size:
                self._needed_bytes = end - at
                break
            message = data[at + PREFIX_BYTES : end]
            if flag:
                message = self._decompress(message, None if room_bytes is None else room_bytes() - unpacked_bytes)
                unpacked_bytes += len(message)
            messages.append((message, bool(flag)))
            at = end
        else:
            self._needed_bytes = PREFIX_BYTES
        self._buffer = bytearray(data[at:])
        return messages

    def end(self) -> None:
        """The body has ended; raises RpcError INTERNAL where that cuts a message short."""
        if self._buffer:
            raise RpcError(Code.INTERNAL, "body ends within a message")

    def _decompress(self, message: bytes, room_bytes: int | None) -> bytes:
        unpacker = zlib.decompressobj(wbits=_GZIP_WBITS)
        most_bytes = self._max_bytes if room_bytes is None else max(min(self._max_bytes, room_bytes), 0)
        try:
            plain = unpacker.decompress(message, most_bytes + 1)
        except zlib.error as error:
            raise RpcError(Code.INTERNAL, f"message is not gzip: {error}") from error
        if most_bytes < self._max_bytes and len(plain) > most_bytes:
            raise NoMemoryError(
                f"no memory: the decompressed message is larger than the {most_bytes} bytes that are free"
            )
        if len(plain) > self._max_bytes:
            raise RpcError(Code.RESOURCE_EXHAUSTED, f"message exceeds {self._max_bytes} bytes when decompressed")
        if not unpacker.eof:
            raise RpcError(Code.INTERNAL, "gzip message is cut short")
        return plain
