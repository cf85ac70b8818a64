"""The server's end of one connection: bytes in, calls out; answers in, bytes out.

Rule 1: everything that a connection means is decided here: which calls there are, which of them may
still be answered, what the peer is told.
Rule 2: this file does not know sockets, threads, handlers or logs, and looks at no clock but the one
it is given. Whoever feeds it decides who waits, who runs a call and who writes. It takes no lock: one
thread at a time.
"""

import enum
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ngh2 import (
    Configuration,
    Connection,
    DataReceived,
    Event,
    NGH2Error,
    PingAcknowledged,
    PingReceived,
    RequestReceived,
    Role,
    SettingsReceived,
    StreamClosed,
    StreamReset,
    TrailersReceived,
)
from ngh2.enums import ErrorCode, Setting

from services.wire.limits import Abuse, Ledger, Limits
from services.wire.messages import MessageReader, encode_message_frame
from services.wire.metadata import Field, Metadata, encode_metadata
from services.wire.request import ACCEPT_ENCODING, CONTENT_TYPE, RequestHead, read_request, trailers_only
from services.wire.status import Code, RpcError, encode_message
from services.wire.tls import TlsStream

_HEADERS = ((b":status", b"200"), CONTENT_TYPE, ACCEPT_ENCODING)
_HEADERS_GZIP = (*_HEADERS, (b"grpc-encoding", b"gzip"))
_OK_TRAILERS = ((b"grpc-status", b"0"),)
_SEND_BYTES = 256 * 1024
_DRAIN_PING = b"draining"


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
        "_delivered",
        "_has_request",
        "_headers_sent",
        "_reader",
        "_request_ended",
        "cancelled",
        "context",
        "head",
        "received_ns",
        "request",
        "shape",
        "stream_id",
    )

    def __init__(self, stream_id: int, head: RequestHead, shape: Shape, received_ns: int) -> None:
        self.stream_id = stream_id
        self.head = head
        self.shape = shape
        self.request = b""
        self.received_ns = received_ns
        """Session clock when the request was complete (where it is one message), else when it began."""
        self.cancelled = False
        """The peer no longer waits: stop, then `finish`. Also set from another thread than the handler's."""
        self.context: object = None
        """For whoever runs the call; the session does not look at it."""
        self._reader: MessageReader | None = None
        self._request_ended = False
        self._has_request = False
        self._delivered = False
        self._headers_sent = False

    @property
    def deadline_ns(self) -> int | None:
        """Session clock when the caller gives up; None where it waits for ever."""
        timeout_ns = self.head.timeout_ns
        return None if timeout_ns is None else self.received_ns + timeout_ns


@dataclass(frozen=True, slots=True)
class CallReceived:
    """Run this call: its one request message is complete, or its stream of them begins."""

    call: ServerCall


@dataclass(frozen=True, slots=True)
class RequestMessage:
    """The next message of a call that takes a stream of them; tell `consumed` when it is dealt with."""

    call: ServerCall
    message: bytes


@dataclass(frozen=True, slots=True)
class RequestEnded:
    """No further message will come on this call."""

    call: ServerCall


@dataclass(frozen=True, slots=True)
class CallCancelled:
    """The caller has given up on a call that was received. It still has to be finished."""

    call: ServerCall


ServerEvent = CallReceived | RequestMessage | RequestEnded | CallCancelled


class ServerSession:
    """One connection of a gRPC server over HTTP/2 (PROTOCOL-HTTP2, RFC 9113), without I/O.

    Every received call must be ended by exactly one `reply` or `finish`, cancelled or not: a handler
    counts as running until then, and no more of them run than `limits.max_concurrent_streams`.
    """

    __slots__ = (
        "_calls",
        "_clock_ns",
        "_closing",
        "_early",
        "_failed",
        "_http2",
        "_ledger",
        "_limits",
        "_peer_gone",
        "_shapes",
        "_tls",
    )

    def __init__(
        self,
        shapes: Mapping[bytes, Shape],
        limits: Limits = Limits(),  # noqa: B008 - frozen
        *,
        tls: ssl.SSLContext | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._shapes = shapes
        self._limits = limits
        self._clock_ns = clock_ns
        self._ledger = Ledger(limits, clock_ns)
        self._tls = None if tls is None else TlsStream(tls, server_side=True)
        self._calls: dict[int, ServerCall] = {}
        self._early: list[int] = []  # streams answered before their request ended: to be reset once that is sent
        self._closing = False
        self._failed = False
        self._peer_gone = False
        self._http2 = Connection(
            Role.SERVER,
            Configuration(
                auto_window_update=False,
                max_inbound_header_list_size=limits.max_header_list_bytes,
                max_send_header_block_length=limits.max_header_list_bytes,
            ),
        )
        self._http2.initiate_connection(
            {
                Setting.MAX_CONCURRENT_STREAMS: limits.max_concurrent_streams,
                Setting.INITIAL_WINDOW_SIZE: limits.stream_window_bytes,
                Setting.MAX_HEADER_LIST_SIZE: limits.max_header_list_bytes,
            }
        )
        self._http2.set_local_window_size(limits.connection_window_bytes)

    @property
    def calls_in_flight(self) -> int:
        """Calls begun and not finished, those still being received included."""
        return len(self._calls)

    @property
    def closed(self) -> bool:
        """Nothing more is to come or to go: once `data_to_send` is empty, close the socket."""
        if self._failed or self._peer_gone:
            return True
        return self._closing and not self._calls and not self._http2.want_read

    def receive_data(self, data: bytes) -> list[ServerEvent]:
        """What `data` makes happen; b"" says that the peer has closed. Never raises for what a peer sent."""
        if not data:
            self._peer_gone = True
            return self._cancel_all()
        if self._failed:
            return []
        try:
            if self._tls is not None:
                data = self._tls.decrypt(data)
            self._http2.receive_data(data)
        except (NGH2Error, ssl.SSLError):
            self._failed = True
            return self._cancel_all()
        now_ns = self._clock_ns()
        events: list[ServerEvent] = []
        for event in self._http2.events():
            if isinstance(event, RequestReceived):
                self._open(event.stream_id, event.headers, event.end_stream, now_ns, events)
            elif isinstance(event, DataReceived):
                self._data(event.stream_id, event.data, event.end_stream, now_ns, events)
            elif isinstance(event, StreamClosed):
                self._stream_closed(event, events)
            elif isinstance(event, TrailersReceived):
                self._data(event.stream_id, b"", True, now_ns, events)
            elif isinstance(event, StreamReset):
                self._stream_gone(event.stream_id, Abuse.RESETS_RECEIVED, events)
            else:
                self._control(event)
            if self._failed:
                return events + self._cancel_all()
        return events

    def data_to_send(self) -> bytes:
        """The next bytes for the peer, at most some 256 KiB; b"" when there are none. Ask again once written."""
        try:
            if self._tls is None:
                return self._plain_to_send()
            data = self._tls.encrypt(b"")
            if self._tls.established and (plain := self._plain_to_send()):
                data += self._tls.encrypt(plain)
            return data
        except (NGH2Error, ssl.SSLError):
            self._failed = True
            return b""

    def reply(self, call: ServerCall, message: bytes) -> None:
        """Ends `call` with one message and status OK."""
        if call.cancelled or call._headers_sent:
            self.send_message(call, message)
            self.finish(call)
            return
        stream_id, http2 = call.stream_id, self._http2
        del self._calls[stream_id]
        http2.send_response(stream_id, _HEADERS)
        http2.send_data(stream_id, encode_message_frame(message))
        http2.send_trailers(stream_id, _OK_TRAILERS)
        if not call._request_ended:
            self._early.append(stream_id)

    def send_headers(self, call: ServerCall, metadata: Metadata = (), *, gzip: bool = False) -> None:
        """Begins the response; called by `send_message` where it was not before. `gzip` allows compressed messages."""
        if not call.cancelled:
            headers = _HEADERS_GZIP if gzip else _HEADERS
            self._http2.send_response(call.stream_id, (*headers, *encode_metadata(metadata)) if metadata else headers)
        call._headers_sent = True

    def send_message(self, call: ServerCall, message: bytes, *, gzip: bool = False) -> None:
        """Sends one message of a streamed response; nothing once the call is cancelled."""
        if not call._headers_sent:
            self.send_headers(call, gzip=gzip)
        if not call.cancelled:
            self._http2.send_data(call.stream_id, encode_message_frame(message, gzip=gzip))

    def finish(self, call: ServerCall, code: Code = Code.OK, message: str = "", metadata: Metadata = ()) -> None:
        """Ends `call` with a status; for a cancelled call only says that its handler has ended."""
        if self._calls.pop(call.stream_id, None) is None or call.cancelled:
            return
        if code is Code.OK and not call._headers_sent:
            self.send_headers(call)
        if call._headers_sent:
            trailers = [(b"grpc-status", b"%d" % code)]
            if message:
                trailers.append((b"grpc-message", encode_message(message)))
            self._http2.send_trailers(call.stream_id, (*trailers, *encode_metadata(metadata)))
        else:
            fields = (*trailers_only(code, message), *encode_metadata(metadata))
            self._http2.send_response(call.stream_id, fields, end_stream=True)
        if not call._request_ended:
            self._early.append(call.stream_id)

    def consumed(self, call: ServerCall, message: bytes) -> None:
        """Room for another `message` of this size: lets a peer that streams go on (flow control)."""
        if not call.cancelled and call.stream_id in self._calls:
            self._http2.acknowledge_received_data(len(message), call.stream_id)

    def drain(self) -> None:
        """Tells the peer to open no more streams; calls in flight go on. `closed` follows the last of them.

        Two GOAWAYs with a PING between, so that calls on their way are still taken (RFC 9113, section 6.8).
        """
        if not (self._closing or self._failed or self._peer_gone):
            self._closing = True
            self._http2.send_shutdown_notice()
            self._http2.ping(_DRAIN_PING)

    def _open(
        self, stream_id: int, fields: tuple[Field, ...], ended: bool, now_ns: int, events: list[ServerEvent]
    ) -> None:
        head = read_request(fields)
        shape = self._shapes.get(head.path)
        if len(self._calls) >= self._limits.max_concurrent_streams:
            self._http2.reset_stream(stream_id, ErrorCode.REFUSED_STREAM)
            self._count(Abuse.RESETS_SENT)
            return
        if head.refusal is not None or shape is None:
            unknown = f"unknown method {head.path.decode('ascii', 'replace')}"
            refusal = head.refusal or trailers_only(Code.UNIMPLEMENTED, unknown)
            self._http2.send_response(stream_id, refusal, end_stream=True)
            if not ended:
                self._early.append(stream_id)
            return
        call = self._calls[stream_id] = ServerCall(stream_id, head, shape, now_ns)
        if shape.client_streams:
            call._delivered = True
            events.append(CallReceived(call))
        if ended:
            self._data(stream_id, b"", True, now_ns, events)

    def _data(self, stream_id: int, data: bytes, ended: bool, now_ns: int, events: list[ServerEvent]) -> None:
        call = self._calls.get(stream_id)
        if data:
            # What a unary call buffers is bounded by the message size, so room for it is given at once.
            if call is None or not call.shape.client_streams:
                self._http2.acknowledge_received_data(len(data), stream_id)
        elif not ended and self._count(Abuse.EMPTY_FRAMES):
            return
        if call is None or call.cancelled or call._request_ended:
            return
        try:
            if call.shape.client_streams:
                self._stream_messages(call, data, ended, events)
            else:
                self._one_message(call, data, ended, now_ns, events)
        except RpcError as error:
            call._request_ended = ended
            if call._delivered:
                events.append(CallCancelled(call))
            self.finish(call, error.code, error.message)
            call.cancelled = True

    def _one_message(self, call: ServerCall, data: bytes, ended: bool, now_ns: int, events: list[ServerEvent]) -> None:
        reader = call._reader
        if reader is None:
            size = len(data)
            # Nearly every unary request is one uncompressed message in one frame that ends the stream.
            if (
                ended
                and 5 <= size <= self._limits.max_message_bytes
                and data[:5] == b"\0" + (size - 5).to_bytes(4, "big")
            ):
                call.request = data[5:]
                call.received_ns = now_ns
                call._request_ended = call._delivered = True
                events.append(CallReceived(call))
                return
            reader = call._reader = MessageReader(self._limits.max_message_bytes, gzip=call.head.gzip)
        for message in reader.feed(data):
            if call._has_request:
                raise RpcError(Code.UNIMPLEMENTED, "more than one message for a method that takes one")
            call.request = message
            call._has_request = True
        if ended:
            reader.end()
            if not call._has_request:
                raise RpcError(Code.UNIMPLEMENTED, "no message for a method that takes one")
            call.received_ns = now_ns
            call._request_ended = call._delivered = True
            call._reader = None
            events.append(CallReceived(call))

    def _stream_messages(self, call: ServerCall, data: bytes, ended: bool, events: list[ServerEvent]) -> None:
        reader = call._reader
        if reader is None:
            reader = call._reader = MessageReader(self._limits.max_message_bytes, gzip=call.head.gzip)
        messages = reader.feed(data)
        # Prefixes and halves of messages are given room at once, whole messages when they are consumed.
        room_bytes = len(data) - sum(map(len, messages))
        if room_bytes > 0:
            self._http2.acknowledge_received_data(room_bytes, call.stream_id)
        events.extend(RequestMessage(call, message) for message in messages)
        if ended:
            reader.end()
            call._request_ended = True
            events.append(RequestEnded(call))

    def _control(self, event: Event) -> None:
        if isinstance(event, PingReceived):
            self._count(Abuse.PINGS)
        elif isinstance(event, SettingsReceived):
            self._count(Abuse.SETTINGS)
        elif isinstance(event, PingAcknowledged) and event.opaque_data == _DRAIN_PING:
            self._http2.send_goaway()

    def _stream_closed(self, event: StreamClosed, events: list[ServerEvent]) -> None:
        if event.error_code and event.stream_id in self._calls:
            self._stream_gone(event.stream_id, Abuse.RESETS_SENT, events)
        elif event.local_error is not None:
            self._count(Abuse.RESETS_SENT)

    def _stream_gone(self, stream_id: int, kind: Abuse, events: list[ServerEvent]) -> None:
        call = self._calls.get(stream_id)
        if call is not None and not call.cancelled:
            call.cancelled = True
            if call._delivered:
                events.append(CallCancelled(call))
            else:
                del self._calls[stream_id]
        self._count(kind)

    def _count(self, kind: Abuse) -> bool:
        """True, and the connection ends, when the peer has now done this too often."""
        if not self._ledger.exceeded_by(kind):
            return False
        self._http2.terminate_connection(ErrorCode.ENHANCE_YOUR_CALM)
        self._failed = True
        return True

    def _cancel_all(self) -> list[ServerEvent]:
        running = [call for call in self._calls.values() if call._delivered and not call.cancelled]
        self._calls = {stream_id: call for stream_id, call in self._calls.items() if call._delivered}
        for call in running:
            call.cancelled = True
        return [CallCancelled(call) for call in running]

    def _plain_to_send(self) -> bytes:
        data = self._http2.data_to_send(_SEND_BYTES)
        return data + self._reset_early() if self._early else data

    def _reset_early(self) -> bytes:
        """Tells peers that still send to an answered call to stop (PROTOCOL-HTTP2: RST_STREAM NO_ERROR)."""
        sent = [stream_id for stream_id in self._early if not self._http2.queued_body_size(stream_id)]
        self._early = [stream_id for stream_id in self._early if stream_id not in sent]
        for stream_id in sent:
            self._http2.reset_stream(stream_id, ErrorCode.NO_ERROR)
        return self._http2.data_to_send(_SEND_BYTES)
