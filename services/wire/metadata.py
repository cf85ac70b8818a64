"""Call metadata and the timeout header, between Python values and header fields. Knows no connection."""

import binascii
import contextlib
import re
from collections.abc import Iterable, Sequence

Metadata = Sequence[tuple[str, str | bytes]]
Field = tuple[bytes, bytes]

_NAME = re.compile(rb"[0-9a-z_.-]+")
# Names that are the protocol's own and so are no metadata (PROTOCOL-HTTP2, Custom-Metadata: "grpc-" is reserved).
_RESERVED = frozenset((b"content-type", b"te", b"user-agent"))


def encode_metadata(metadata: Metadata) -> list[Field]:
    """Header fields for `metadata`; the value of a `-bin` name is bytes, sent as base64 without padding.

    Raises ValueError for a name or value that HTTP/2 cannot carry, and for a name that gRPC reserves.
    """
    fields = []
    for name, value in metadata:
        key = name.lower().encode("ascii", "replace")
        if not _NAME.fullmatch(key):
            raise ValueError(f"metadata name {name!r} may contain only letters, digits, '_', '-' and '.'")
        if key.startswith(b"grpc-") or key in _RESERVED:
            raise ValueError(f"metadata name {name!r} is reserved")
        if isinstance(value, bytes):
            if not key.endswith(b"-bin"):
                raise ValueError(f"metadata {name!r} has bytes, so its name must end in -bin")
            fields.append((key, binascii.b2a_base64(value, newline=False).rstrip(b"=")))
        else:
            if key.endswith(b"-bin"):
                raise ValueError(f"metadata {name!r} ends in -bin, so its value must be bytes")
            if not (value.isascii() and value.isprintable()):
                raise ValueError(f"metadata {name!r} has a value that is not printable ASCII")
            fields.append((key, value.strip().encode("ascii")))
    return fields


def decode_metadata(fields: Iterable[Field]) -> tuple[tuple[str, str | bytes], ...]:
    """The metadata in header `fields`, in order, without what the protocol itself uses.

    `-bin` values are accepted padded and unpadded, and comma-joined ones are split; a value that is
    not valid base64 is left out, since invalid metadata must not fail a call.
    """
    metadata: list[tuple[str, str | bytes]] = []
    for name, value in fields:
        if name.startswith((b"grpc-", b":")) or name in _RESERVED:
            continue
        key = name.decode("ascii", "replace")
        if not name.endswith(b"-bin"):
            metadata.append((key, value.decode("ascii", "replace")))
            continue
        for part in value.split(b","):
            unpadded = part.strip().rstrip(b"=")
            with contextlib.suppress(binascii.Error):
                padding = b"=" * (-len(unpadded) % 4)
                metadata.append((key, binascii.a2b_base64(unpadded + padding, strict_mode=True)))
    return tuple(metadata)


_UNIT_NS = {
    ord("H"): 3_600_000_000_000,
    ord("M"): 60_000_000_000,
    ord("S"): 1_000_000_000,
    ord("m"): 1_000_000,
    ord("u"): 1_000,
    ord("n"): 1,
}


def parse_timeout(value: bytes) -> int:
    """Nanoseconds of a `grpc-timeout` value: 1 to 8 digits and a unit. Raises ValueError."""
    digits, unit = value[:-1], value[-1:]
    if not (1 <= len(digits) <= 8 and digits.isdigit() and unit and unit[0] in _UNIT_NS):
        raise ValueError(f"malformed grpc-timeout {value.decode('ascii', 'replace')!r}")
    return int(digits) * _UNIT_NS[unit[0]]


def format_timeout(timeout_ns: int) -> bytes:
    """The finest `grpc-timeout` of at most 8 digits that is not shorter than `timeout_ns`; never below 1 n."""
    timeout_ns = max(timeout_ns, 1)
    for unit, unit_ns in reversed(_UNIT_NS.items()):
        amount = -(-timeout_ns // unit_ns)
        if amount < 100_000_000:
            return b"%d%c" % (amount, unit)
    return b"99999999H"
