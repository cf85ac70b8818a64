"""What a peer may ask of one connection, and the budget that notices when it asks for too much.

libnghttp2 bounds frames, header blocks and queued acknowledgements by itself. A second acknowledgement of our one
SETTINGS ends the connection (PROTOCOL_ERROR). It does not count the resets that a peer provokes (CVE-2025-8671,
"MadeYouReset"), and its limit on those received (CVE-2023-44487) ends in INTERNAL_ERROR. So a session counts by
itself what costs the server more than the peer, and ends the connection with ENHANCE_YOUR_CALM (RFC 9113, section
10.5).
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many at once, and so many a second for ever (a token bucket)."""

    burst: int
    per_second: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one connection; sizes in bytes."""

    max_concurrent_streams: int = 100
    """Open streams, and running handlers: a reset frees a stream, but not what runs for it."""
    max_message_bytes: int = 4 * 1024 * 1024
    """One message, decompressed; gRPC's usual default."""
    max_header_list_bytes: int = 16 * 1024
    """One decoded header list, 32 bytes a field included (RFC 9113, 6.5.2); twice what gRPC suggests as the least."""
    stream_window_bytes: int = 65_535
    """Unread request bytes that a peer may send on one stream (RFC 9113's default)."""
    connection_window_bytes: int = 1024 * 1024
    """Unread request bytes on all streams together."""
    resets_received: Allowance = Allowance(200, 33)
    resets_sent: Allowance = Allowance(200, 33)
    pings: Allowance = Allowance(200, 10)
    """Beyond one for each reply. grpc-go sends one a round trip while replies come, to estimate the bandwidth. Its own
    server also forgives pings after each reply (internal/transport/http2_server.go, `resetPingStrikes`)."""
    settings: Allowance = Allowance(50, 1)
    empty_frames: Allowance = Allowance(200, 10)
    ping_acknowledgements: Allowance = Allowance(10, 1)
    """A session sends one PING in its life, when it drains."""
    window_updates: Allowance = Allowance(1_000, 100)
    """Beyond one for each UPDATE_EARNED_BYTES that the peer was sent, as who downloads has to send many."""
    glitches: Allowance = Allowance(1_000, 33)
    """Counted by libnghttp2, not here: PRIORITY and unknown frames, streams past the limit, malformed requests."""
    opening_s: float = 20
    """For TLS, the preface and the acknowledgement of SETTINGS, together. Go allows 10 s for the preface and grpc-core
    120 s for the handshake. The same time is for the end of a connection that drains and has no calls."""
    stall_s: float = 60
    """For the next bytes of a request that is not complete, and for room for replies that wait: nginx's
    `client_body_timeout` and `send_timeout`, and their defaults. Envoy's `stream_idle_timeout` is 5 minutes."""

    @property
    def check_s(self) -> float:
        """Time between two checks of these two. So each of them may last one check longer."""
        return min(self.opening_s, self.stall_s) / 4


PING_BYTES = 17
"""A PING frame, and so its acknowledgement (RFC 9113, section 6.7)."""
UPDATE_EARNED_BYTES = 9
"""A frame's head (RFC 9113, section 4.1): so each frame sent earns one update at least. Clients send one for a quarter
or half of a window (grpc-go, libnghttp2, Netty), or one for each stream (curl). An update costs 0.3 us."""


class Abuse(enum.IntEnum):
    """What the budget counts; the names are those of the limits."""

    RESETS_RECEIVED = 0
    RESETS_SENT = 1
    PINGS = 2
    SETTINGS = 3
    EMPTY_FRAMES = 4
    PING_ACKNOWLEDGEMENTS = 5
    WINDOW_UPDATES = 6


class AbuseBudget:
    """A connection's count of frames that cost the server more than the peer, each against its allowance."""

    __slots__ = ("_allowances", "_clock_ns", "_levels", "_seen_ns")

    def __init__(self, limits: Limits, clock_ns: Callable[[], int]) -> None:
        self._allowances: tuple[Allowance, ...] = tuple(getattr(limits, kind.name.lower()) for kind in Abuse)
        self._levels = [0.0] * len(Abuse)
        self._seen_ns = [0] * len(Abuse)
        self._clock_ns = clock_ns

    def exceeded_by(self, kind: Abuse) -> bool:
        """Counts one more of `kind`; True once that is more than is allowed."""
        now_ns = self._clock_ns()
        allowance = self._allowances[kind]
        drained = (now_ns - self._seen_ns[kind]) * allowance.per_second / _NS_PER_S
        self._seen_ns[kind] = now_ns
        self._levels[kind] = max(self._levels[kind] - drained, 0.0) + 1
        return self._levels[kind] > allowance.burst
