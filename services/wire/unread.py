"""Replies that the peer has not read: how many bytes they are, and who waits until they are fewer. Knows no request."""

from collections import deque
from collections.abc import Callable

from ngh2 import Connection

from services.wire.call import ServerCall
from services.wire.memory import ConnectionMemory

ROOM_BYTES = 64 * 1024
"""Replies of one call that may wait for the peer before those who stream wait too."""

Continuation = Callable[[], object]


class UnreadReplies:
    """Those of one connection. Belongs to its session, which reads all but calls `count` to change a number."""

    __slots__ = ("_http2", "_memory", "given_bytes", "queued_bytes", "waiting")

    def __init__(self, http2: Connection, memory: ConnectionMemory) -> None:
        self._http2 = http2
        self._memory = memory
        self.queued_bytes = 0
        """Replies that the peer has made no room for, as counted last."""
        self.given_bytes = 0
        """The bytes that the writer received last, if they are many: they are written once it asks for more."""
        self.waiting: dict[int, deque[Continuation]] = {}
        """By stream: what to call once few of its replies wait."""

    def count(self, queued_bytes: int, given_bytes: int) -> None:
        """Has the connection hold so many."""
        memory = self._memory
        memory.held_bytes += queued_bytes - self.queued_bytes + given_bytes - self.given_bytes
        self.queued_bytes, self.given_bytes = queued_bytes, given_bytes
        memory.report_change()

    def when_room(self, call: ServerCall, then: Continuation) -> None:
        """Calls `then` now where few replies of the call wait, else in a later `notify` or `end`, in this order."""
        waiting = self.waiting.get(call.stream_id)
        if waiting is not None:
            waiting.append(then)
        elif self._has_room(call.stream_id):
            then()
        else:
            self.waiting[call.stream_id] = deque((then,))

    def notify(self) -> None:
        """Calls those for whom there is room now."""
        for stream_id, waiting in tuple(self.waiting.items()):
            while waiting and self._has_room(stream_id):
                waiting.popleft()()
            if not waiting:
                self.waiting.pop(stream_id, None)

    def end(self, call: ServerCall) -> None:
        """The call is over: calls all that wait for it. One may come here again, so each is removed, then called."""
        waiting = self.waiting.pop(call.stream_id, None)
        while waiting:
            waiting.popleft()()

    def _has_room(self, stream_id: int) -> bool:
        return self._http2.queued_body_size(stream_id) < ROOM_BYTES
