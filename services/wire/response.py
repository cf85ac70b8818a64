"""The header fields of a gRPC server's responses (PROTOCOL-HTTP2, Responses). Pure: no stream, no clock."""

from collections.abc import Sequence
from functools import lru_cache

from services.wire.metadata import Field
from services.wire.status import OK, Code, encode_message

CONTENT_TYPE = (b"content-type", b"application/grpc")
ACCEPT_ENCODING = (b"grpc-accept-encoding", b"identity,gzip")
HEADERS: tuple[Field, ...] = ((b":status", b"200"), CONTENT_TYPE, ACCEPT_ENCODING)
HEADERS_GZIP: tuple[Field, ...] = (*HEADERS, (b"grpc-encoding", b"gzip"))
OK_TRAILERS: tuple[Field, ...] = ((b"grpc-status", b"0"),)

REMEMBERED_MESSAGE_CHARACTERS = 256
"""Of a status. A message may quote what the peer sent."""


def trailers(code: Code, message: str, metadata: Sequence[Field]) -> tuple[Field, ...]:
    """The header fields that end a response."""
    if code is OK and not (message or metadata):
        return OK_TRAILERS
    status = (b"grpc-status", b"%d" % code)
    return (status, (b"grpc-message", encode_message(message)), *metadata) if message else (status, *metadata)


def trailers_only(code: Code, message: str) -> tuple[Field, ...]:
    """The header fields of a response that is nothing but its status (PROTOCOL-HTTP2, Trailers-Only)."""
    read = _trailers_only if len(message) <= REMEMBERED_MESSAGE_CHARACTERS else _trailers_only.__wrapped__
    return read(code, message)


# A full service sends the same status often: 0.2 us against 2.3, of about 9 that a session takes to reject a call.
@lru_cache(maxsize=64)
def _trailers_only(code: Code, message: str) -> tuple[Field, ...]:
    return (*HEADERS, (b"grpc-status", b"%d" % code), (b"grpc-message", encode_message(message)))
