"""Both ends of a connection in memory, and each end against a peer made by hand. No network, no clock."""

import contextlib
from collections.abc import Iterable
from typing import Any

import ngh2

from services.wire import (
    CallReceived,
    ClientEvent,
    ClientSession,
    Limits,
    RequestEnded,
    RequestMessage,
    ServerCall,
    ServerEvent,
    ServerSession,
    Shape,
)
from tests.wire import frames
from tests.wire.frames import Frame

SHAPES = {
    b"/test/Unary": Shape.UNARY,
    b"/test/Upload": Shape.CLIENT_STREAMING,
    b"/test/Download": Shape.SERVER_STREAMING,
    b"/test/Chat": Shape.BIDIRECTIONAL,
}


DEFAULT = Limits()


class Clock:
    """Nanoseconds that a test advances."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def advance(self, seconds: float) -> None:
        self.now_ns += int(seconds * 1e9)


def pieces(data: bytes, size: int | None) -> list[bytes]:
    return [data] if size is None else [data[at : at + size] for at in range(0, len(data), size)]


class ConnectionPair:
    """Our client and our server. `chop` cuts what they send to each other into pieces of so many bytes."""

    def __init__(
        self, limits: Limits = DEFAULT, *, chop: int | None = None, client: Any = None, server: Any = None
    ) -> None:
        self.client: ClientSession = client or ClientSession("test", limits)
        self.server: ServerSession = server or ServerSession(SHAPES, limits)
        self._chop = chop

    def to_server(self) -> list[ServerEvent]:
        """Passes on all that the client has to send."""
        events = []
        while sent := self.client.data_to_send():
            for piece in pieces(sent, self._chop):
                events += self.server.receive_data(piece)
        return events

    def to_client(self) -> list[ClientEvent]:
        """Passes on all that the server has to send."""
        events = []
        while sent := self.server.data_to_send():
            for piece in pieces(sent, self._chop):
                events += self.client.receive_data(piece)
        return events

    def exchange(self) -> tuple[list[ServerEvent], list[ClientEvent]]:
        """Passes on until both have nothing more to send."""
        at_server: list[ServerEvent] = []
        at_client: list[ClientEvent] = []
        while True:
            before = self.server.data_to_send(), self.client.data_to_send()
            if before == (b"", b""):
                return at_server, at_client
            for piece in pieces(before[0], self._chop) if before[0] else ():
                at_client += self.client.receive_data(piece)
            for piece in pieces(before[1], self._chop) if before[1] else ():
                at_server += self.server.receive_data(piece)

    def receive_call(self) -> ServerCall:
        """The one call that arrives with the bytes on their way."""
        (call,) = (event.call for event in self.exchange()[0] if isinstance(event, CallReceived))
        return call


class RawClient:
    """A server session's peer that sends whatever a test wants, and reads with libnghttp2."""

    def __init__(
        self,
        limits: Limits = DEFAULT,
        *,
        clock: Clock | None = None,
        acknowledge: bool = True,
        server: ServerSession | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.server = server or ServerSession(SHAPES, limits, clock_ns=self.clock)
        self._reader = ngh2.Connection(ngh2.Role.CLIENT, ngh2.Configuration(peer_max_concurrent_streams=100_000))
        self._reader.initiate_connection({})
        self.heard: list[ngh2.Event] = []
        self.events: list[ServerEvent] = []
        """All that the session has reported."""
        self.send(self._reader.data_to_send())
        self.hear()
        if acknowledge:
            self.send(self._reader.data_to_send())
        self.heard.clear()

    def send(self, *data: bytes) -> list[ServerEvent]:
        events = self.server.receive_data(b"".join(data))
        self.events += events
        return events

    def request(self, fields: Iterable[tuple[bytes, bytes]], body: bytes | None = None, *, end: bool = True) -> int:
        """Sends a request with a fitting encoder; `heard` will have the answer."""
        stream_id = self._reader.send_request(list(fields), end_stream=end and body is None)
        if body is not None:
            self._reader.send_data(stream_id, body, end_stream=end)
        return stream_id

    def flush(self) -> list[ServerEvent]:
        return self.send(self._reader.data_to_send())

    def hear(self) -> list[Frame]:
        """All that the server has to send."""
        answer = b""
        while sent := self.server.data_to_send():
            answer += sent
        with contextlib.suppress(ngh2.ConnectionStateError):  # the server has closed the connection
            self._reader.receive_data(answer)
        self.heard += self._reader.events()
        return frames.parse(answer)

    def hear_nothing(self) -> None:
        """The connection is over, and libnghttp2 sends no last frame."""
        assert self.server.data_to_send() == b""

    def headers_of(self, stream_id: int) -> dict[bytes, bytes]:
        """All header and trailer fields that came on a stream."""
        self.hear()
        fields: dict[bytes, bytes] = {}
        for event in self.heard:
            if isinstance(event, ngh2.ResponseReceived | ngh2.TrailersReceived) and event.stream_id == stream_id:
                fields.update(event.headers)
        return fields


class RawServer:
    """A client session's peer that sends whatever a test wants."""

    def __init__(self) -> None:
        self.client = ClientSession("test")
        self.http2 = ngh2.Connection(ngh2.Role.SERVER, ngh2.Configuration())
        self.http2.initiate_connection({})
        self.pump()

    def pump(self) -> list[ClientEvent]:
        events: list[ClientEvent] = []
        while True:
            said, heard = self.client.data_to_send(), self.http2.data_to_send()
            if not said and not heard:
                return events
            if said:
                self.http2.receive_data(said)
                self.http2.events()
            if heard:
                events += self.client.receive_data(heard)


def calls_in(events: Iterable[ServerEvent]) -> list[ServerCall]:
    return [event.call for event in events if isinstance(event, CallReceived)]


def messages_in(events: Iterable[ServerEvent]) -> list[bytes]:
    return [event.message for event in events if isinstance(event, RequestMessage)]


def ended_in(events: Iterable[ServerEvent]) -> bool:
    return any(isinstance(event, RequestEnded) for event in events)
