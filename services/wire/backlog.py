"""How much room a streamed request has taken that its handler has not given back. Knows no stream and no frame.

Flow control must hold a fast sender back, yet a message larger than the window has to get through. So room is given
back at once while no message waits for the handler, and message by message while some wait. One stream thus holds at
most its window and one message.
"""


class Backlog:
    """Bytes of one stream received and not given back. Methods return the bytes to give back now."""

    __slots__ = ("_held_bytes", "_waiting")

    def __init__(self) -> None:
        self._held_bytes = 0
        self._waiting = 0

    def received(self, size_bytes: int) -> None:
        """So much came; `completed` or `dropped` follows."""
        self._held_bytes += size_bytes

    def completed(self, messages: int) -> int:
        """What came completed so many messages."""
        self._waiting += messages
        return 0 if self._waiting else self.dropped()

    def consumed(self) -> int:
        """The handler is done with one message."""
        if not self._waiting:
            return 0
        # Sizes on the wire are not those of the messages where gzip is used, so each has an equal share.
        share_bytes = self._held_bytes // self._waiting
        self._held_bytes -= share_bytes
        self._waiting -= 1
        return share_bytes

    def dropped(self) -> int:
        """The handler no longer reads what waits."""
        held_bytes, self._held_bytes, self._waiting = self._held_bytes, 0, 0
        return held_bytes
