"""What a connection has read is dealt with in turns, so that costly requests of one peer do not stop the others.

A read brings 64 KiB. That can be 60 messages which gunzip to 1 MB each, or 1,000 calls which compute: up to a second.
So the loop handles a part of it, serves the other connections, and continues. Knows no socket and no loop.

A message is unpacked in one piece: 4 MiB take 13 ms. A call that runs in another thread or process comes back to the
loop once or twice, and would wait for such a piece each time. So while calls of other connections are in flight, a
connection pauses for as long as unpacking took. Such a call then waits for one piece, and unpacking gets half the loop.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from operator import length_hint

from services.wire import ServerEvent, ServerSession

TURN_NS = 1_000_000
"""A turn ends with the first event after this time."""
PIECE_BYTES = 1024
"""Deflate makes at most 1,032 bytes of one (zlib's technical details): some 4 ms of CPU for a piece."""


class Turns:
    """A session's input. Guarantee: its events are dealt with once each, in order."""

    __slots__ = ("_events", "_is_over", "_session", "_unpacked_ns", "_until_ns", "pending")

    def __init__(self, session: ServerSession) -> None:
        self._session = session
        self._is_over = False
        self._events: Iterator[ServerEvent | None] = iter(())
        self._unpacked_ns = self._until_ns = 0
        self.pending = False
        """The turn ended early. Until `go_on` has dealt with the rest, read nothing more."""

    def take(self, data: bytes, deal: Callable[[ServerEvent], None]) -> None:
        """Gives `data` to the session, and deals with what it makes happen; nothing may be `pending`."""
        # Nearly every read is one small piece: this saves 0.3 us of a call.
        events: Iterable[ServerEvent | None] = (
            self._session.receive_data(data) if len(data) <= PIECE_BYTES else self._in_pieces(data)
        )
        self._events = iter(events)
        self.go_on(deal)

    def pause_ns(self, calls_in_flight: int) -> int:
        """How long to wait before the next turn; 0 if asked again. `calls_in_flight` are those of all connections."""
        unpacked_ns, self._unpacked_ns = self._unpacked_ns, 0
        others = calls_in_flight > self._session.calls_in_flight
        return unpacked_ns if others and unpacked_ns > TURN_NS else 0

    @property
    def unpacked_much(self) -> bool:
        """The last turn was for unpacking, and `pause_ns` was not asked since."""
        return self._unpacked_ns > TURN_NS

    def go_on(self, deal: Callable[[ServerEvent], None]) -> None:
        """Takes the next turn."""
        self._unpacked_ns = 0
        self._until_ns = time.monotonic_ns() + TURN_NS
        for event in self._events:
            if event is not None:
                deal(event)
            if time.monotonic_ns() >= self._until_ns:
                # Not after the last event: beside other threads a single call often takes longer than a turn.
                self.pending = length_hint(self._events, 1) > 0
                return
        self.pending = False

    def check_peer(self, deal: Callable[[ServerEvent], object]) -> bool:
        """Ends what waits for a peer that has been silent for too long. True if the session then has bytes to send.

        To be called every `limits.check_s`. While a turn is `pending`, the peer is not silent.
        """
        events = None if self.pending else self._session.check_peer()
        for event in events or ():
            deal(event)
        return events is not None

    def end_turn(self) -> None:
        """The event that is being dealt with is the last one of this turn."""
        self._until_ns = 0

    def end(self, deal: Callable[[ServerEvent], None]) -> None:
        """The connection is gone: drops what the session does not have yet, and deals with all that it has."""
        self._is_over = True
        for event in self._events:
            if event is not None:
                deal(event)
        for event in self._session.receive_data(b""):
            deal(event)

    def _in_pieces(self, data: bytes) -> Iterator[ServerEvent | None]:
        for at in range(0, len(data), PIECE_BYTES):
            if self._is_over:
                return
            begun_ns = time.monotonic_ns()
            events = self._session.receive_data(data[at : at + PIECE_BYTES])
            self._unpacked_ns += time.monotonic_ns() - begun_ns
            yield from events
            yield None  # a piece whose messages are all rejected costs time too
