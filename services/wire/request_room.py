"""The room that flow control gives a peer for its requests, and what of it is withheld. Knows no message and no reply.

Room for what came is given back at once, but for a message that is not complete while the connection holds all that it
may (memory.py). Then the oldest such message may continue where mostly incomplete ones are in the way. So all of them
are received, one after the other.
"""

import contextlib

from ngh2 import Connection, NGH2Error

from services.wire.call import ServerCall
from services.wire.memory import ConnectionMemory


class RequestRoom:
    """What one connection gives and withholds. Belongs to its session, which reads `within` and `withheld_bytes`."""

    __slots__ = ("_http2", "_memory", "_window_bytes", "withheld_bytes", "within")

    def __init__(self, http2: Connection, memory: ConnectionMemory, window_bytes: int) -> None:
        """window_bytes: of the connection, while nothing is withheld."""
        self._http2 = http2
        self._memory = memory
        self._window_bytes = window_bytes
        self.within: dict[ServerCall, int] = {}
        """Calls that are within a message, the oldest first, and the room withheld from each."""
        self.withheld_bytes = 0
        """All of that."""

    @property
    def waits_for_calls(self) -> bool:
        """Incomplete messages wait for calls that end, and not for the peer."""
        return self.withheld_bytes > 0 and not self._is_stuck()

    def give(self, stream_id: int, size_bytes: int) -> None:
        """Gives room back to a stream, and to the connection."""
        if size_bytes:
            with contextlib.suppress(NGH2Error):  # the stream or the connection is over
                self._http2.acknowledge_received_data(size_bytes, stream_id)

    def give_unless_full(self, call: ServerCall, size_bytes: int) -> None:
        """`give`, for a call that is within a message."""
        within = self.within
        within.setdefault(call, 0)
        if self._memory.own_room_bytes() >= 0 or (call is next(iter(within)) and self._is_stuck()):
            self.give(call.stream_id, size_bytes)
        else:
            within[call] += size_bytes
            self._withhold(size_bytes)

    def complete(self, call: ServerCall) -> None:
        """The call is within no message."""
        if size_bytes := self.within.pop(call, 0):
            self.give(call.stream_id, size_bytes)
            self._withhold(-size_bytes)
        if self.withheld_bytes:
            self.give_withheld()

    def give_withheld(self) -> None:
        """To the oldest first, as long as the connection may hold what then comes."""
        room_bytes = self._memory.own_room_bytes()
        for number, (call, size_bytes) in enumerate(tuple(self.within.items())):
            room_bytes -= size_bytes
            if room_bytes < 0 and (number or not self._is_stuck()):
                return
            if size_bytes:
                self.within[call] = 0
                self.give(call.stream_id, size_bytes)
                self._withhold(-size_bytes)

    def _is_stuck(self) -> bool:
        """Most of what the connection holds is incomplete messages: calls that end will free little room."""
        incomplete_bytes = sum(call._held_bytes for call in self.within)
        return self._memory.held_bytes - incomplete_bytes <= self._memory.most_bytes // 2

    def _withhold(self, size_bytes: int) -> None:
        """Room that is withheld from one stream is given to the connection, so that no stream blocks another.

        Twice, as libnghttp2 updates a window once half of it is given back.
        """
        self.withheld_bytes += size_bytes
        with contextlib.suppress(NGH2Error):  # the connection is over
            self._http2.set_local_window_size(self._window_bytes + 2 * self.withheld_bytes)
