"""Our own client session on a blocking socket, for tests that call a service or send it what no library would."""

import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from services.network.address import Address
from services.wire import ClientCall, ClientEvent, ClientSession, MessageReceived

RECEIVE_BYTES = 64 * 1024
PATIENCE_S = 20


class WireClient:
    """One connection; `with` closes it. `address` is HOST:PORT."""

    def __init__(self, address: str, tls: ssl.SSLContext | None = None) -> None:
        at = Address.parse(address)
        self.sock = socket.create_connection((at.host, at.port), PATIENCE_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.session = ClientSession("localhost", tls=tls, server_hostname=None if tls is None else "localhost")
        self.received: list[MessageReceived] = []
        """All replies of streams, in the order in which they came."""

    def __enter__(self) -> "WireClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def flush(self) -> None:
        """Writes the session's bytes."""
        while data := self.session.data_to_send():
            self.sock.sendall(data)

    def wait_for(self, done: Callable[[], bool]) -> None:
        """Reads until `done`."""
        until = time.monotonic() + PATIENCE_S
        self.flush()
        while not done():
            assert time.monotonic() < until, "the service said nothing more"
            self._take(self.session.receive_data(self.sock.recv(RECEIVE_BYTES)))
            self.flush()

    def call(self, path: str, request: bytes, **options: Any) -> ClientCall:
        """A call with one message, from its start to its end."""
        call = self.session.start(path, request, **options)
        self.wait_for(lambda: call.code is not None)
        return call

    def _take(self, events: list[ClientEvent]) -> None:
        self.received += [event for event in events if isinstance(event, MessageReceived)]
