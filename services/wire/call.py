"""A call as the server sees it, and what can happen to one. Plain data: what is done about it is in `server.py`."""

import enum
from dataclasses import dataclass

from services.wire.backlog import Backlog
from services.wire.messages import MessageReader
from services.wire.request import RequestHead


class Shape(enum.Enum):
    """How many messages a method takes and gives: (client streams, server streams)."""

    UNARY = (False, False)
    CLIENT_STREAMING = (True, False)
    SERVER_STREAMING = (False, True)
    BIDIRECTIONAL = (True, True)

    def __init__(self, client_streams: bool, server_streams: bool) -> None:
        self.client_streams = client_streams
        self.server_streams = server_streams


class ServerCall:
    """One call. `request` is the whole request where the method takes one message, else b""."""

    __slots__ = (
        "_backlog",
        "_delivered",
        "_has_request",
        "_headers_sent",
        "_held_bytes",
        "_reader",
        "_reply",
        "_request_ended",
        "_sent_bytes",
        "cancelled",
        "compressed",
        "context",
        "head",
        "received_ns",
        "request",
        "retry_after_ms",
        "shape",
        "stream_id",
    )

    def __init__(self, stream_id: int, head: RequestHead, shape: Shape, received_ns: int) -> None:
        self.stream_id = stream_id
        self.head = head
        self.shape = shape
        self.request = b""
        self.compressed = False
        """`request` came compressed."""
        self.received_ns = received_ns
        """Session clock when the request was complete (where it is one message), else when it began."""
        self.cancelled = False
        """The peer no longer waits: stop, then `finish`. Also set from another thread than the handler's."""
        self.retry_after_ms: int | None = None
        """With a rejection: when the caller may retry (gRFC A6, server pushback)."""
        self.context: object = None
        """For the code that runs the call; the session does not look at it."""
        self._reader: MessageReader | None = None
        self._backlog: Backlog | None = None
        self._reply: bytes | None = None  # the only message of its response; it is sent with status OK
        self._held_bytes = 0  # of its requests
        self._sent_bytes = 0  # of a response that is a stream
        self._request_ended = False
        self._has_request = False
        self._delivered = False
        self._headers_sent = False

    @property
    def deadline_ns(self) -> int | None:
        """Session clock when the caller gives up; None where it waits for ever."""
        timeout_ns = self.head.timeout_ns
        return None if timeout_ns is None else self.received_ns + timeout_ns


@dataclass(slots=True)  # not frozen: that takes 0.1 us of each call
class CallReceived:
    """Run this call: its one request message is complete, or its stream of them begins."""

    call: ServerCall


@dataclass(frozen=True, slots=True)
class RequestMessage:
    """The next message of a call that takes a stream of them; call `consumed` when it is processed."""

    call: ServerCall
    message: bytes
    compressed: bool = False


@dataclass(frozen=True, slots=True)
class RequestEnded:
    """No further message will come on this call."""

    call: ServerCall


@dataclass(frozen=True, slots=True)
class CallCancelled:
    """The caller has given up on a call that was received. It still has to be finished."""

    call: ServerCall


ServerEvent = CallReceived | RequestMessage | RequestEnded | CallCancelled
