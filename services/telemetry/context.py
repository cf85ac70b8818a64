"""Who a span is, in its own process and in others: W3C Trace Context, level 1. Must not know what a span measures.

Source: www.w3.org/TR/trace-context-1, section 3.2 (traceparent Header).
"""

import os
import re
from dataclasses import dataclass

_SAMPLED = 0x01

# A version newer than 00 may append fields after another dash; 00 may not (section 3.2.4).
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The ids of one sampled span."""

    trace_id: int
    """128 bits, never 0."""
    span_id: int
    """64 bits, never 0."""

    @classmethod
    def root(cls) -> "TraceContext":
        """The first span of a new trace."""
        # Not `random`: a seeded run must not repeat the trace ids of the run before.
        return cls(int.from_bytes(os.urandom(16)), new_span_id())

    def child(self) -> "TraceContext":
        """Another span of the same trace."""
        return TraceContext(self.trace_id, new_span_id())

    @property
    def traceparent(self) -> str:
        """The header value that makes the receiver's span a child of this one."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01"


def new_span_id() -> int:
    """64 random bits."""
    return int.from_bytes(os.urandom(8))


def parse_traceparent(value: str) -> TraceContext | None:
    """The caller's span; None when it is not sampled or the value is not a traceparent."""
    match = _TRACEPARENT.fullmatch(value)
    if match is None:
        return None
    version, trace_hex, span_hex, flags, more = match.groups()
    context = TraceContext(int(trace_hex, 16), int(span_hex, 16))
    well_formed = context.trace_id and context.span_id and not (version == "00" and more)
    return context if well_formed and int(flags, 16) & _SAMPLED else None
