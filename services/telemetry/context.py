"""Who a span is, in its own process and in others, and what goes with it. Must not know what a span measures.

Sources: W3C Trace Context, level 1 (www.w3.org/TR/trace-context-1): section 3.2, traceparent; section 3.3, tracestate.
W3C Baggage (www.w3.org/TR/baggage), section 3.

What comes from the wire is bounded. A malformed `tracestate` or `baggage` is dropped, and its span stays traced.
"""

import os
import re
from dataclasses import dataclass
from functools import lru_cache

Headers = tuple[tuple[str, str], ...]
"""Of a call's metadata what is trace context, as it came or as it is to be sent. () where the call is not traced."""

NAMES = ("traceparent", "tracestate", "baggage")

_SAMPLED = 0x01

# A version newer than 00 may append fields after another dash; 00 may not (section 3.2.4).
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)

# Section 3.3.1.3. Of the key this is level 2's form, which takes all of level 1's.
_STATE = re.compile(r"([a-z0-9][a-z0-9_*/@-]{0,255})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")
_MAX_STATES = 32
_MAX_TRACESTATE = 512
"""Characters. As many are to be passed on at least; beyond that long entries go first (section 3.3.1.5)."""
_LONG_STATE = 128

_OCTETS = r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*"
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PROPERTY = rf"\s*;\s*{_TOKEN}(\s*=\s*{_OCTETS})?"
_BAGGAGE = re.compile(rf"{_TOKEN}\s*=\s*{_OCTETS}({_PROPERTY})*", re.ASCII)
_MAX_MEMBERS, _MAX_BAGGAGE = 64, 8192
"""W3C Baggage, section 3.2.3: what has to be passed on."""


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The ids of one sampled span, and what its trace carries from process to process."""

    trace_id: int
    """128 bits, never 0."""
    span_id: int
    """64 bits, never 0."""
    tracestate: str = ""
    """Of tracing systems, passed on as it came."""
    baggage: str = ""
    """Of applications, passed on as it came."""

    @classmethod
    def root(cls, baggage: str = "") -> "TraceContext":
        """The first span of a new trace."""
        # Not `random`: a seeded run must not repeat the trace ids of the run before.
        return cls(int.from_bytes(os.urandom(16)), new_span_id(), baggage=baggage)

    def child(self) -> "TraceContext":
        """Another span of the same trace."""
        return TraceContext(self.trace_id, new_span_id(), self.tracestate, self.baggage)

    @property
    def traceparent(self) -> str:
        """The header value that makes the receiver's span a child of this one."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01"

    @property
    def headers(self) -> Headers:
        """What is sent with a call, so that the receiver's span is a child of this one."""
        values = zip(NAMES, (self.traceparent, self.tracestate, self.baggage), strict=True)
        return tuple((name, value) for name, value in values if value)


def new_span_id() -> int:
    """64 random bits."""
    return int.from_bytes(os.urandom(8))


def read_headers(headers: Headers) -> TraceContext | None:
    """The caller's span; None when it is not sampled, or `traceparent` is missing or malformed."""
    parent = parse_traceparent(_all_of("traceparent", headers))
    if parent is None or len(headers) == 1:
        return parent
    tracestate, baggage = _all_of("tracestate", headers), _all_of("baggage", headers)
    return TraceContext(parent.trace_id, parent.span_id, parse_tracestate(tracestate), parse_baggage(baggage))


def _all_of(name: str, headers: Headers) -> str:
    """Several header fields of a name are one list (RFC 9110, section 5.3). So two of `traceparent` are malformed."""
    return ",".join(value for key, value in headers if key == name)


def parse_traceparent(value: str) -> TraceContext | None:
    """The caller's span; None when it is not sampled or the value is not a traceparent."""
    match = _TRACEPARENT.fullmatch(value)
    if match is None:
        return None
    version, trace_hex, span_hex, flags, more = match.groups()
    context = TraceContext(int(trace_hex, 16), int(span_hex, 16))
    well_formed = context.trace_id and context.span_id and not (version == "00" and more)
    return context if well_formed and int(flags, 16) & _SAMPLED else None


REMEMBERED = 32
"""Values of each kind. One caller sends the same with each call. A value has up to 16 KiB, and no budget counts it."""


@lru_cache(maxsize=REMEMBERED)
def parse_tracestate(value: str) -> str:
    """What is to be passed on of a `tracestate`; empty when it is malformed."""
    states = [state for part in value.split(",") if (state := part.strip(" \t"))]
    matches = [_STATE.fullmatch(state) for state in states]
    keys = {match[1] for match in matches if match}
    if len(keys) < len(states) or len(states) > _MAX_STATES:
        return ""
    while len(shortened := ",".join(states)) > _MAX_TRACESTATE:
        long = [at for at, state in enumerate(states) if len(state) > _LONG_STATE]
        del states[long[-1] if long else -1]
    return shortened


@lru_cache(maxsize=REMEMBERED)
def parse_baggage(value: str) -> str:
    """What is to be passed on of a `baggage`: its well-formed members, as many as W3C's limits allow."""
    if len(value) > _MAX_BAGGAGE:
        return ""
    members = (part.strip(" \t") for part in value.split(",", _MAX_MEMBERS)[:_MAX_MEMBERS])
    return ",".join(member for member in members if _BAGGAGE.fullmatch(member))
