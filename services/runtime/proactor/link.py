"""A proactor's end of a pair of sockets between two processes of a service; `../link.py` is a loop's. Knows no call."""

import socket
from collections.abc import Callable

from services.runtime.proactor.loop import Proactor, SocketStream
from services.runtime.processes.link import FULL_BYTES, Mail, Message


class CompletionLink:
    """Guarantees: messages arrive whole and in order, or not at all; `lost` is called once, when the other is gone.

    What is sent and not yet taken by the peer's socket waits here, as it does in a loop's link.
    """

    def __init__(
        self,
        sock: socket.socket,
        proactor: Proactor,
        *,
        received: Callable[[list[Message]], None],
        lost: Callable[[], None],
        reads_while_full: bool = True,
    ) -> None:
        self._received = received
        self._lost = lost
        self._reads_while_full = reads_while_full
        self._mail = Mail()
        self._is_lost = False
        self._stream = SocketStream(sock.detach(), proactor, self)

    def start(self) -> None:
        """Begins to receive."""
        self._stream.read(wanted=True)

    def send(self, *message: object, payload_bytes: int = 0) -> None:
        """Sends at the end of this round; nothing once the link is lost."""
        if not self._is_lost and self._mail.put(message, payload_bytes):
            self._stream.flush_soon()

    def data_received(self, data: bytes) -> None:
        if data:
            self._received(self._mail.arrive(data))
            self._hold_back(self._stream.unsent_bytes)
        else:
            self._is_lost = True
            self._lost()

    def data_to_send(self) -> bytes:
        data = self._mail.take()
        self._hold_back(len(data))
        return data

    def stream_closed(self) -> None:
        pass

    def _hold_back(self, unsent_bytes: int) -> None:
        if not self._reads_while_full:
            self._stream.read(wanted=self._mail.size_bytes + unsent_bytes < FULL_BYTES)
