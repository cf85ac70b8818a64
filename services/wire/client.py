"""The client's end of one connection: calls in, bytes out; bytes in, replies out.

Like `server.py` it knows no socket, thread, handler or log. It looks at no clock: a deadline is sent
to the server as grpc-timeout, and the code that waits for the reply calls `cancel` when it has passed.
"""

import contextlib
import ssl
from dataclasses import dataclass

from ngh2 import (
    Configuration,
    Connection,
    DataReceived,
    Event,
    GoAwayReceived,
    NGH2Error,
    ResponseReceived,
    Role,
    SettingsReceived,
    StreamClosed,
    StreamReset,
    TrailersReceived,
)
from ngh2.enums import ErrorCode, Setting

from services.wire.limits import Limits
from services.wire.messages import PREFIX_BYTES, MessageReader, encode_message_frame
from services.wire.metadata import Field, Metadata, decode_metadata, encode_metadata, format_timeout
from services.wire.status import HTTP_STATUS, RESET_CODE, Code, RpcError, decode_message, parse_code
from services.wire.tls import TlsStream

_HTTP_OK = ((b":status", b"200"),)
_OK = ((b"grpc-status", b"0"),)
_SEND_BYTES = 256 * 1024
_STREAMS_BEFORE_SETTINGS = 100  # what RFC 9113, section 6.5.2 recommends as the least to allow


class ClientCall:
    """One call. It has ended once `code` is set; then the rest is what the server sent."""

    __slots__ = (
        "_gzip",
        "_reader",
        "code",
        "compressed",
        "context",
        "message",
        "path",
        "reply",
        "stream_id",
        "streaming",
        "trailer_fields",
        "unprocessed",
    )

    def __init__(self, stream_id: int, path: str, streaming: bool, context: object) -> None:
        self.stream_id = stream_id
        self.path = path
        self.streaming = streaming
        self.context = context
        self.code: Code | None = None
        self.message = ""
        self.reply: bytes | None = None
        """The one reply message; stays None where replies are streamed."""
        self.compressed = False
        """`reply` came compressed."""
        self.trailer_fields: tuple[Field, ...] = ()
        self.unprocessed = False
        """The server reported that it did nothing for this call: to send it again is safe."""
        self._reader: MessageReader | None = None
        self._gzip = False

    @property
    def trailers(self) -> tuple[tuple[str, str | bytes], ...]:
        """Metadata that came with the status."""
        return decode_metadata(self.trailer_fields)


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """The next reply of a call whose replies are streamed."""

    call: ClientCall
    message: bytes
    compressed: bool = False


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call's status is known. Comes once for every started call that was not cancelled here."""

    call: ClientCall


ClientEvent = MessageReceived | CallEnded


class ClientSession:
    """One connection of a gRPC client over HTTP/2 (PROTOCOL-HTTP2, RFC 9113), without I/O.

    Replies are bounded by `limits.max_message_bytes`; of the other limits only the windows are used.
    """

    __slots__ = (
        "_allowed_streams",
        "_calls",
        "_closing",
        "_common",
        "_failed",
        "_fields",
        "_http2",
        "_kind",
        "_limits",
        "_peer_gone",
        "_pseudo",
        "_tls",
        "_why",
    )

    def __init__(
        self,
        authority: str,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        *,
        tls: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
    ) -> None:
        self._limits = limits
        self._calls: dict[int, ClientCall] = {}
        self._closing = False
        self._kind: tuple[str, int | None, bool] | None = None
        self._fields: tuple[Field, ...] = ()
        self._failed = False
        self._peer_gone = False
        self._why = "connection closed by the server"
        self._allowed_streams = _STREAMS_BEFORE_SETTINGS
        self._tls = None if tls is None else TlsStream(tls, server_side=False, server_hostname=server_hostname)
        self._pseudo = (
            (b":method", b"POST"),
            (b":scheme", b"http" if tls is None else b"https"),
            (b":authority", authority.encode("ascii")),
        )
        self._common = (
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
            (b"user-agent", b"sweetspot"),
            (b"grpc-accept-encoding", b"identity,gzip"),
        )
        self._http2 = Connection(Role.CLIENT, Configuration(auto_window_update=True))
        self._http2.initiate_connection(
            {Setting.ENABLE_PUSH: 0, Setting.INITIAL_WINDOW_SIZE: limits.stream_window_bytes}
        )
        self._http2.set_local_window_size(limits.connection_window_bytes)

    @property
    def can_start(self) -> bool:
        """Another call may be started: the connection is alive, not draining, and below the peer's stream limit."""
        if self._closing or self._failed or self._peer_gone:
            return False
        return len(self._calls) < self._allowed_streams and self._http2.can_send_request

    @property
    def going_away(self) -> bool:
        """The server has announced that further calls must go elsewhere; those in flight still end here."""
        return self._closing

    @property
    def calls_in_flight(self) -> int:
        """Calls started and not ended."""
        return len(self._calls)

    @property
    def closed(self) -> bool:
        """Nothing more will come: close the socket."""
        return self._failed or self._peer_gone or (self._closing and not self._calls)

    def start(
        self,
        path: str,
        request: bytes | None = None,
        *,
        timeout_ns: int | None = None,
        metadata: Metadata = (),
        gzip: bool = False,
        streaming: bool = False,
        context: object = None,
    ) -> ClientCall:
        """Starts a call; with `request` that is its one message, else `send_message` and `end_requests` follow.

        Without `streaming` exactly one reply is expected. Past the peer's stream limit (see
        `can_start`) the call waits in the session. Raises RpcError UNAVAILABLE once the connection takes no calls.
        """
        if self._closing or self._failed or self._peer_gone:
            raise RpcError(Code.UNAVAILABLE, "connection is closed or draining")
        # A client mostly repeats one kind of call: encoding its header fields anew each time costs 1.3 us.
        kind = (path, timeout_ns, gzip)
        if kind != self._kind:
            self._kind, self._fields = kind, self._encode_fields(path, timeout_ns, gzip)
        fields = (*self._fields, *encode_metadata(metadata)) if metadata else self._fields
        try:
            stream_id = self._http2.send_request(fields)
            if request is not None:
                self._http2.send_data(stream_id, encode_message_frame(request, gzip=gzip), end_stream=True)
        except NGH2Error as error:
            raise RpcError(Code.UNAVAILABLE, f"connection accepts no more calls: {error}") from error
        call = self._calls[stream_id] = ClientCall(stream_id, path, streaming, context)
        call._gzip = gzip
        return call

    def _encode_fields(self, path: str, timeout_ns: int | None, gzip: bool) -> tuple[Field, ...]:
        fields = [*self._pseudo, (b":path", path.encode("ascii")), *self._common]
        if timeout_ns is not None:
            fields.append((b"grpc-timeout", format_timeout(timeout_ns)))
        if gzip:
            fields.append((b"grpc-encoding", b"gzip"))
        return tuple(fields)

    def send_message(self, call: ClientCall, message: bytes, *, gzip: bool = True) -> None:
        """Sends one more request message, compressed if both it and the call are; nothing once the call has ended."""
        if call.stream_id in self._calls:
            with contextlib.suppress(NGH2Error):  # the stream has ended; `receive_data` has yet to report it
                self._http2.send_data(call.stream_id, encode_message_frame(message, gzip=gzip and call._gzip))

    def end_requests(self, call: ClientCall) -> None:
        """No further request message follows."""
        if call.stream_id in self._calls:
            with contextlib.suppress(NGH2Error):
                self._http2.end_stream(call.stream_id)

    def cancel(self, call: ClientCall) -> None:
        """Gives the call up (RST_STREAM CANCEL). No event follows."""
        if self._calls.pop(call.stream_id, None) is not None:
            call.code, call.message = Code.CANCELLED, "cancelled by the caller"
            with contextlib.suppress(NGH2Error):
                self._http2.reset_stream(call.stream_id, ErrorCode.CANCEL)

    def go_away(self) -> None:
        """Informs the server that no call follows (GOAWAY; RFC 9113, section 6.8). Those in flight still end."""
        with contextlib.suppress(NGH2Error):
            self._http2.send_goaway()

    def receive_data(self, data: bytes) -> list[ClientEvent]:
        """What `data` makes happen; b"" means that the peer has closed. Never raises for what a peer sent."""
        events: list[ClientEvent] = []
        if not data:
            self._peer_gone = True
        elif not self._failed:
            try:
                if self._tls is not None:
                    data = self._tls.decrypt(data)
                self._http2.receive_data(data)
            except (NGH2Error, ssl.SSLError) as error:
                self._failed, self._why = True, str(error)
            self._events(events)  # replies that came whole before an error still count
        if self._failed or self._peer_gone:
            self._end_all(events)
        return events

    def data_to_send(self) -> bytes:
        """The next bytes for the peer, at most some 256 KiB; b"" when there are none. Ask again once written."""
        tls = self._tls
        try:
            if tls is None:
                return self._plain_to_send()
            return tls.encrypt(self._plain_to_send() if tls.established else b"")
        except (NGH2Error, ssl.SSLError) as error:
            if not self._failed:
                self._failed, self._why = True, str(error)
            return b"" if tls is None else tls.encrypt(b"")

    def _plain_to_send(self) -> bytes:
        data = self._http2.data_to_send(_SEND_BYTES)
        if not self._http2.want_read:  # the only sign that libnghttp2 has given the peer up
            self._failed = True
        return data

    def _events(self, events: list[ClientEvent]) -> None:
        calls = self._calls
        for event in self._http2.events():
            if isinstance(event, DataReceived):
                if event.stream_id in calls:
                    self._data(calls[event.stream_id], event.data, event.end_stream, events)
            elif isinstance(event, TrailersReceived):
                if event.stream_id in calls:
                    self._end(calls.pop(event.stream_id), event.headers, events)
            elif isinstance(event, ResponseReceived):
                if event.stream_id in calls:
                    self._response(calls[event.stream_id], event.headers, event.end_stream, events)
            else:
                self._control(event, events)

    def _control(self, event: Event, events: list[ClientEvent]) -> None:
        if isinstance(event, StreamClosed) or isinstance(event, StreamReset):  # noqa: SIM101 - a union costs more
            if event.stream_id in self._calls:
                self._reset(self._calls.pop(event.stream_id), event.error_code, events)
        elif isinstance(event, GoAwayReceived):
            self._going_away(event, events)
        elif isinstance(event, SettingsReceived):
            self._allowed_streams = event.settings.get(Setting.MAX_CONCURRENT_STREAMS, self._allowed_streams)

    def _reset(self, call: ClientCall, error_code: int, events: list[ClientEvent]) -> None:
        call.code = RESET_CODE.get(error_code, Code.UNKNOWN)
        call.message = f"stream reset by the server (code {error_code:#x})"
        call.unprocessed = error_code == ErrorCode.REFUSED_STREAM
        events.append(CallEnded(call))

    def _going_away(self, event: GoAwayReceived, events: list[ClientEvent]) -> None:
        self._closing = True
        self._why = f"server is going away (code {event.error_code:#x})"
        for stream_id in [stream_id for stream_id in self._calls if stream_id > event.last_stream_id]:
            call = self._calls.pop(stream_id)
            call.code, call.message, call.unprocessed = Code.UNAVAILABLE, self._why, True
            events.append(CallEnded(call))

    def _response(self, call: ClientCall, fields: tuple[Field, ...], ended: bool, events: list[ClientEvent]) -> None:
        if fields[:1] != _HTTP_OK:
            status = dict(fields).get(b":status", b"")
            if status != b"200":
                code = HTTP_STATUS.get(status, Code.UNKNOWN)
                self._abort(call, code, f"HTTP status {status.decode('ascii', 'replace')}", events)
                return
        if ended:
            del self._calls[call.stream_id]
            self._end(call, fields, events)
        elif (b"grpc-encoding", b"gzip") in fields:
            call._reader = MessageReader(self._limits.max_message_bytes, gzip=True)

    def _data(self, call: ClientCall, data: bytes, ended: bool, events: list[ClientEvent]) -> None:
        size = len(data) - PREFIX_BYTES
        if call._reader is None:
            # Nearly every reply is one uncompressed message in one frame.
            whole = 0 <= size <= self._limits.max_message_bytes and data[:5] == b"\0" + size.to_bytes(4, "big")
            if whole and call.reply is None and not call.streaming and not ended:
                call.reply = data[5:]
                return
            call._reader = MessageReader(self._limits.max_message_bytes, gzip=False)
        try:
            messages = call._reader.feed(data)
        except RpcError as error:
            self._abort(call, error.code, error.message, events)
            return
        for message, compressed in messages:
            if call.streaming:
                events.append(MessageReceived(call, message, compressed))
            elif call.reply is None:
                call.reply, call.compressed = message, compressed
            else:
                self._abort(call, Code.UNIMPLEMENTED, "more than one reply to a unary call", events)
                return
        if ended:
            self._abort(call, Code.INTERNAL, "server ended the stream without a status", events)

    def _end(self, call: ClientCall, fields: tuple[Field, ...], events: list[ClientEvent]) -> None:
        call.trailer_fields = fields
        if fields[:1] == _OK:
            call.code = Code.OK
        else:
            by_name = dict(fields)
            status = by_name.get(b"grpc-status")
            call.code = Code.UNKNOWN if status is None else parse_code(status)
            call.message = "no grpc-status" if status is None else decode_message(by_name.get(b"grpc-message", b""))
        if call.code is Code.OK and call._reader is not None:
            try:
                call._reader.end()
            except RpcError as error:
                call.code, call.message = error.code, error.message
        if call.code is Code.OK and call.reply is None and not call.streaming:
            call.code, call.message = Code.UNIMPLEMENTED, "no reply to a unary call"
        events.append(CallEnded(call))

    def _abort(self, call: ClientCall, code: Code, message: str, events: list[ClientEvent]) -> None:
        self.cancel(call)
        call.code, call.message = code, message
        events.append(CallEnded(call))

    def _end_all(self, events: list[ClientEvent]) -> None:
        for call in self._calls.values():
            call.code, call.message = Code.UNAVAILABLE, self._why
            events.append(CallEnded(call))
        self._calls.clear()
