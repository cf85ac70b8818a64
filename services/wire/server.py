"""The server's end of one connection: bytes in, calls out; answers in, bytes out.

Rule 1: everything that a connection means is decided here: which calls there are, which of them may still be answered,
what is sent to the peer. Rule 2: this file does not know sockets, threads, handlers or logs, and looks at no clock but
the one it is given. The model that feeds it decides who waits, who runs a call and who writes. It takes no lock: one
thread at a time.
"""

import contextlib
import ssl
import time
from collections.abc import Callable, Hashable, Mapping

from ngh2 import (
    DataReceived,
    Event,
    NGH2Error,
    PingAcknowledged,
    PingReceived,
    RequestReceived,
    SettingsAcknowledged,
    SettingsReceived,
    StreamClosed,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from ngh2.enums import ErrorCode

from services.wire.backlog import Backlog
from services.wire.call import (
    CallCancelled,
    CallReceived,
    ServerCall,
    ServerEvent,
    Shape,
)
from services.wire.http2 import open_http2
from services.wire.limits import PING_BYTES, UPDATE_EARNED_BYTES, Abuse, AbuseBudget, Limits
from services.wire.memory import ConnectionMemory, ServiceMemory, UnsharedMemory
from services.wire.messages import NoMemoryError, encode_message_frame
from services.wire.metadata import Field, Metadata, encode_metadata
from services.wire.plain_page import PlainPage
from services.wire.request import read_request
from services.wire.request_reader import RequestReader
from services.wire.request_room import RequestRoom
from services.wire.response import HEADERS, HEADERS_GZIP, trailers, trailers_only
from services.wire.stalls import Stalls
from services.wire.status import OK, RESOURCE_EXHAUSTED, Code, RpcError
from services.wire.tls import TlsStream
from services.wire.unread import UnreadReplies

_SEND_BYTES = 256 * 1024
LARGE_BYTES = 16 * 1024
"""Larger replies are counted when they are sent, others when bytes are given; larger pieces until they are written."""
_DRAIN_PING = b"draining"
_NO_MEMORY = "no memory: too many replies wait to be read"
_OPENING, _ROOM, _END = "opening", "room", "end"
"""What a connection as a whole waits for."""


class ServerSession:
    """One connection of a gRPC server over HTTP/2 (PROTOCOL-HTTP2, RFC 9113), without I/O.

    Every received call must be ended by exactly one `reply` or `finish`, cancelled or not: a handler
    counts as running until then, and no more of them run than `limits.max_concurrent_streams`.
    """

    __slots__ = (
        "_abuse",
        "_calls",
        "_clock_ns",
        "_closing",
        "_drain_ping_due",
        "_early",
        "_failed",
        "_http2",
        "_is_open",
        "_limits",
        "_memory",
        "_old_at_ns",
        "_on_calls",
        "_on_refusal",
        "_page",
        "_peer_gone",
        "_pings_earned_bytes",
        "_reader",
        "_reported_calls",
        "_reset_by_peer",
        "_room",
        "_room_updates",
        "_shapes",
        "_stalls",
        "_tls",
        "_unread",
        "_unreported",
        "_updates_earned_bytes",
    )

    def __init__(
        self,
        shapes: Mapping[bytes, Shape],
        limits: Limits = Limits(),  # noqa: B008 - frozen
        *,
        tls: ssl.SSLContext | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        on_calls: Callable[[int], None] | None = None,
        on_refusal: Callable[[int], None] | None = None,
        memory: ServiceMemory | None = None,
        page: bytes | None = None,
        max_age_ns: int | None = None,
    ) -> None:
        """`on_calls` receives each change of `calls_in_flight`. `on_refusal` receives the number of calls that are
        rejected for lack of room. The session rejects them (REFUSED_STREAM, or for lack of memory), or the code that
        finishes them with RESOURCE_EXHAUSTED does. All sessions of a service share `memory`.

        After `max_age_ns` the session drains, once its peer sends something or is checked.

        Plain HTTP gets `page`, whatever it asks for. Without a page it is rejected (405, 415).
        """
        self._on_calls = on_calls
        self._on_refusal = on_refusal
        self._reported_calls = 0
        self._shapes = shapes
        self._limits = limits
        self._clock_ns = clock_ns
        self._old_at_ns = None if max_age_ns is None else clock_ns() + max_age_ns
        self._abuse = AbuseBudget(limits, clock_ns)
        self._tls = None if tls is None else TlsStream(tls, server_side=True)
        self._memory = ConnectionMemory(memory or UnsharedMemory())
        self._calls: dict[int, ServerCall] = {}
        self._early: list[int] = []  # streams answered before their request ended: to be reset once that is sent
        self._reset_by_peer = 0  # the last such stream: its close is not our reset
        self._unreported: list[ServerEvent] = []  # cancellations noticed outside of receive_data
        self._pings_earned_bytes = 0  # sent since the last PING, less its acknowledgement
        self._updates_earned_bytes = 0  # sent, less what WINDOW_UPDATEs have used up
        self._is_open = False  # the peer has acknowledged our SETTINGS
        self._stalls = Stalls()
        self._room_updates = 0
        self._closing = False
        self._drain_ping_due = False
        self._failed = False
        self._peer_gone = False
        http2 = self._http2 = open_http2(limits)
        self._page = None if page is None else PlainPage(http2, page)
        self._room = RequestRoom(http2, self._memory, limits.connection_window_bytes)
        self._reader = RequestReader(limits, self._memory, self._room)
        self._unread = UnreadReplies(http2, self._memory)

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
        """What `data` makes happen; b"" means that the peer has closed. Never raises for what a peer sent."""
        events: list[ServerEvent] = []
        if not data:
            self._peer_gone = True
        elif not self._failed:
            try:
                self._receive(data, events)
            except (NGH2Error, ssl.SSLError):
                self._failed = True
        if self._failed or self._peer_gone:
            self._cancel_all()
        if self._unreported:
            events += self._unreported
            self._unreported = []
        self._report_calls()
        return events

    def check_peer(self) -> list[ServerEvent] | None:
        """Ends what waits for a peer that has been silent for too long. None where nothing has ended.

        To be called every `limits.check_s`, and not while bytes that came are still to be given to the session.
        """
        if self._failed or self._peer_gone:
            return None
        if self._old_at_ns is not None and not self._closing and self._clock_ns() >= self._old_at_ns:
            self.drain()
            return []
        if self._is_open and not (self._calls or self._closing or self._unread.queued_bytes):
            self._stalls.clear()
            return None
        checks = self._stalls.check(self._waits_for_peer())
        opening_checks = round(self._limits.opening_s / self._limits.check_s)
        stall_checks = round(self._limits.stall_s / self._limits.check_s)
        if max(checks.get(_OPENING, 0), checks.get(_END, 0)) >= opening_checks:
            return self._end_silent(ErrorCode.SETTINGS_TIMEOUT)
        late = [call for call, count in checks.items() if isinstance(call, ServerCall) and count >= stall_checks]
        if not late and checks.get(_ROOM, 0) >= stall_checks:
            return self._end_silent(ErrorCode.ENHANCE_YOUR_CALM)
        events: list[ServerEvent] = []
        for call in late:
            self._end_late(call, events)
        self._report_calls()
        return events if late else None

    def data_to_send(self) -> bytes:
        """The next bytes for the peer, at most some 256 KiB; b"" when there are none. Ask again once written."""
        tls, unread = self._tls, self._unread
        if unread.given_bytes:
            self._count_unread(unread.queued_bytes, 0)
        try:
            if tls is None:
                data = self._plain_to_send()
            else:
                data = tls.encrypt(self._plain_to_send() if tls.established else b"")
        except (NGH2Error, ssl.SSLError):
            self._failed = True
            self._cancel_all()
            data = b"" if tls is None else tls.encrypt(b"")
        if len(data) > LARGE_BYTES:
            self._count_unread(unread.queued_bytes, len(data))
        return data

    def reply(self, call: ServerCall, message: bytes) -> None:
        """Ends `call` with one message and status OK."""
        self.send_message(call, message)
        self.finish(call)

    def send_headers(self, call: ServerCall, metadata: Metadata = (), *, gzip: bool = False) -> None:
        """Begins the response; called by `send_message` where it was not before. `gzip` allows compressed messages.

        Raises ValueError for metadata that cannot be sent.
        """
        headers = HEADERS_GZIP if gzip else HEADERS
        if metadata:
            headers = (*headers, *encode_metadata(metadata))
        call._headers_sent = True
        if not call.cancelled:
            try:
                self._http2.send_response(call.stream_id, headers)
            except NGH2Error:  # the stream has ended since; `receive_data` has yet to report it
                return

    def send_message(self, call: ServerCall, message: bytes, *, gzip: bool = False) -> None:
        """Sends one message of the response; nothing once the call is cancelled. The only one goes with the status.

        If there is no memory for it, the call is cancelled, and ends with RESOURCE_EXHAUSTED. So a handler that streams
        waits for `when_room` first.
        """
        if not (call.shape.server_streams or call._headers_sent or gzip):
            call._reply = message
            return
        if len(message) > LARGE_BYTES and not call.cancelled and not self._has_memory_for(call, len(message)):
            self._report_refusal()
            self._answer(call, RESOURCE_EXHAUSTED, _NO_MEMORY, [])
            self._cancel(call, self._unreported)
            return
        if not call._headers_sent:
            self.send_headers(call, gzip=gzip)
        if not call.cancelled:
            frame = encode_message_frame(message, gzip=gzip)
            call._sent_bytes += len(frame)
            try:
                self._http2.send_data(call.stream_id, frame)
            except NGH2Error:  # as above
                return

    def finish(self, call: ServerCall, code: Code = OK, message: str = "", metadata: Metadata = ()) -> None:
        """Ends `call` with a status; for a cancelled call only notes that its handler has ended.

        Raises ValueError for metadata that cannot be sent; the call is then still to be finished.
        """
        fields = encode_metadata(metadata) if metadata else []
        if call.retry_after_ms is not None:
            fields.append((b"grpc-retry-pushback-ms", b"%d" % call.retry_after_ms))
        if self._calls.pop(call.stream_id, None) is not None:
            size_bytes = len(call._reply or b"")
            is_sent = code is OK and not call.cancelled
            if size_bytes > LARGE_BYTES and is_sent and not self._has_memory_for(call, size_bytes):
                code, message = RESOURCE_EXHAUSTED, _NO_MEMORY
            self._memory.let_go(call)
            if self._room.within:
                self._room.complete(call)
            if self._on_calls is not None:
                self._reported_calls -= 1
                self._on_calls(-1)
            if code is RESOURCE_EXHAUSTED:
                self._report_refusal()
            if not call.cancelled:
                self._answer(call, code, message, fields)
            if self._unread.waiting:
                self._unread.end(call)

    def when_room(self, call: ServerCall, then: Callable[[], object]) -> None:
        """Calls `then` once few replies of `call` wait for room from the peer, or once the call ends.

        That is now, or in a later `receive_data`, `data_to_send` or `finish`. Each `then` of one call is called once,
        in the order of `when_room`.
        """
        if call.cancelled or call.stream_id not in self._calls:
            then()
        else:
            self._unread.when_room(call, then)

    def consumed(self, call: ServerCall, message: bytes) -> None:
        """The handler is done with the next `message`: lets a peer that streams continue (flow control)."""
        if call._backlog is not None:
            self._memory.hold(call, -min(len(message), call._held_bytes))
            self._room.give(call.stream_id, call._backlog.consumed())
            if self._room.withheld_bytes:
                self._room.give_withheld()

    def drain(self) -> None:
        """Asks the peer to open no more streams; calls in flight continue. `closed` follows the last of them.

        Two GOAWAYs with a PING between, so that calls on their way are still taken (RFC 9113, section 6.8).
        """
        if not (self._closing or self._failed or self._peer_gone):
            self._closing = True
            with contextlib.suppress(NGH2Error):  # already ending for what the peer did
                self._http2.send_shutdown_notice()
                self._drain_ping_due = True

    def _report_refusal(self) -> None:
        if self._on_refusal is not None:
            self._on_refusal(1)

    def _report_calls(self) -> None:
        if self._on_calls is not None and (change := len(self._calls) - self._reported_calls):
            self._reported_calls += change
            self._on_calls(change)

    def _waits_for_peer(self) -> dict[Hashable, object]:
        """What waits for the peer, each with a value that changes when the peer does something for it."""
        waits: dict[Hashable, object] = {}
        if not self._is_open:
            waits[_OPENING] = None
        if self._unread.queued_bytes:
            waits[_ROOM] = self._room_updates
        elif self._closing and not self._calls:
            waits[_END] = None
        if not self._room.waits_for_calls:
            for call in self._calls.values():
                if not (call._delivered or call.cancelled) or call in self._room.within:
                    waits[call] = call._held_bytes
        for stream_id in self._unread.waiting:
            call = self._calls[stream_id]
            waits[call] = call._held_bytes, call._sent_bytes - self._http2.queued_body_size(stream_id)
        return waits

    def _end_silent(self, code: ErrorCode) -> list[ServerEvent]:
        """Ends the connection."""
        self._failed = True
        self._http2.terminate_connection(code)
        self._cancel_all()
        self._report_calls()
        events, self._unreported = self._unreported, []
        return events

    def _end_late(self, call: ServerCall, events: list[ServerEvent]) -> None:
        """Ends a call whose request does not arrive, or whose replies are not read."""
        if self._http2.queued_body_size(call.stream_id):
            self._http2.reset_stream(call.stream_id, ErrorCode.CANCEL)
        else:
            why = f"request not complete: nothing came for {self._limits.stall_s:g} s"
            self._answer(call, Code.DEADLINE_EXCEEDED, why, [])
        self._cancel(call, events)

    def _receive(self, data: bytes, events: list[ServerEvent]) -> None:
        if self._tls is not None:
            data = self._tls.decrypt(data)
        self._http2.receive_data(data)
        now_ns = self._clock_ns()
        if self._old_at_ns is not None and now_ns >= self._old_at_ns:
            self.drain()
        for event in self._http2.events():
            # `type` takes 0.25 us less than isinstance for the three events of a call.
            if type(event) is RequestReceived:
                self._open(event.stream_id, event.headers, event.end_stream, now_ns, events)
            elif type(event) is DataReceived:
                self._data(event.stream_id, event.data, event.end_stream, now_ns, events)
            elif type(event) is StreamClosed:
                if event.error_code:
                    self._stream_gone(event.stream_id, events)
                    if event.stream_id != self._reset_by_peer:
                        self._count(Abuse.RESETS_SENT)
            elif type(event) is TrailersReceived:
                self._data(event.stream_id, b"", True, now_ns, events)
            else:
                self._control(event, events)
            if self._failed:
                return

    def _open(
        self, stream_id: int, fields: tuple[Field, ...], ended: bool, now_ns: int, events: list[ServerEvent]
    ) -> None:
        if len(self._calls) >= self._limits.max_concurrent_streams:
            self._http2.reset_stream(stream_id, ErrorCode.REFUSED_STREAM)
            self._report_refusal()
            return
        head = read_request(fields)
        if head.plain_http and self._page is not None:
            self._page.ask(stream_id)
            if ended:
                self._page.end_request(stream_id)
            return
        shape = self._shapes.get(head.path)
        if head.size_bytes > self._limits.max_header_list_bytes:
            why = f"headers of {head.size_bytes} bytes exceed {self._limits.max_header_list_bytes}"
            self._refuse(stream_id, trailers_only(Code.RESOURCE_EXHAUSTED, why), ended)
            return
        if head.refusal is not None or shape is None:
            unknown = f"unknown method {head.path.decode('ascii', 'replace')}"
            self._refuse(stream_id, head.refusal or trailers_only(Code.UNIMPLEMENTED, unknown), ended)
            return
        call = self._calls[stream_id] = ServerCall(stream_id, head, shape, now_ns)
        if shape.client_streams:
            call._delivered = True
            call._backlog = Backlog()
            events.append(CallReceived(call))
        if ended:
            self._data(stream_id, b"", True, now_ns, events)

    def _data(self, stream_id: int, data: bytes, ended: bool, now_ns: int, events: list[ServerEvent]) -> None:
        if not data and not ended and self._count(Abuse.EMPTY_FRAMES):
            return
        call = self._calls.get(stream_id)
        if call is None or call.cancelled or call._request_ended:
            self._room.give(stream_id, len(data))
            if ended and self._page is not None:
                self._page.end_request(stream_id)
            return
        if data and call._backlog is None:
            if ended:
                self._http2.acknowledge_received_data(len(data), stream_id)
            else:
                self._room.give_unless_full(call, len(data))
        try:
            if call._backlog is not None:
                self._reader.messages_of_stream(call, call._backlog, data, ended, events)
            else:
                self._reader.one_message(call, data, ended, now_ns, events)
        except RpcError as error:
            if isinstance(error, NoMemoryError):
                self._report_refusal()
            call._request_ended = ended
            call._reader = None
            self._answer(call, error.code, error.message, [])
            self._cancel(call, events)

    def _control(self, event: Event, events: list[ServerEvent]) -> None:
        if isinstance(event, StreamReset):
            self._reset_by_peer = event.stream_id
            self._stream_gone(event.stream_id, events)
            self._count(Abuse.RESETS_RECEIVED)
        elif isinstance(event, PingReceived):
            self._pings_earned_bytes -= PING_BYTES
            if self._pings_earned_bytes >= 0:
                self._pings_earned_bytes = -PING_BYTES
            else:
                self._count(Abuse.PINGS)
        elif isinstance(event, SettingsReceived):
            self._room_updates += 1  # it may have changed the windows of all streams
            self._count(Abuse.SETTINGS)
        elif isinstance(event, SettingsAcknowledged):
            self._is_open = True
        elif isinstance(event, WindowUpdated):
            self._room_updates += 1
            if self._updates_earned_bytes >= UPDATE_EARNED_BYTES:
                self._updates_earned_bytes -= UPDATE_EARNED_BYTES
            else:
                self._count(Abuse.WINDOW_UPDATES)
        elif isinstance(event, PingAcknowledged):
            if self._closing and event.opaque_data == _DRAIN_PING:
                self._http2.send_goaway()
            self._count(Abuse.PING_ACKNOWLEDGEMENTS)

    def _stream_gone(self, stream_id: int, events: list[ServerEvent]) -> None:
        if self._page is not None:
            self._page.drop(stream_id)
        call = self._calls.get(stream_id)
        if call is not None and not call.cancelled:
            self._cancel(call, events)

    def _cancel(self, call: ServerCall, events: list[ServerEvent]) -> None:
        """The peer has given `call` up. A handler that has it is notified, and counts until it finishes the call.

        A call that no handler has is removed.
        """
        call.cancelled = True
        call._reader = None
        if call._backlog is not None:
            self._room.give(call.stream_id, call._backlog.dropped())
        if call._delivered:
            events.append(CallCancelled(call))
        else:
            del self._calls[call.stream_id]
            self._memory.let_go(call)
        if self._room.within:
            self._room.complete(call)
        self._unread.end(call)

    def _cancel_all(self) -> None:
        for call in tuple(self._calls.values()):
            if not call.cancelled:
                self._cancel(call, self._unreported)
        self._count_unread(0, self._unread.given_bytes)

    def _answer(self, call: ServerCall, code: Code, message: str, metadata: list[Field]) -> None:
        stream_id, http2 = call.stream_id, self._http2
        if call._backlog is not None:
            self._room.give(stream_id, call._backlog.dropped())
        if code is not OK and not call._headers_sent:
            self._refuse(stream_id, (*trailers_only(code, message), *metadata), call._request_ended)
            return
        try:
            if not call._headers_sent:
                http2.send_response(stream_id, HEADERS)
                if call._reply is not None:
                    http2.send_data(stream_id, encode_message_frame(call._reply))
            http2.send_trailers(stream_id, trailers(code, message, metadata))
        except NGH2Error:  # the stream has ended since; `receive_data` has yet to report it
            return
        if not call._request_ended:
            self._early.append(call.stream_id)

    def _refuse(self, stream_id: int, response: tuple[Field, ...], request_ended: bool) -> None:
        try:
            self._http2.send_response(stream_id, response, end_stream=True)
        except NGH2Error:  # as above
            return
        if not request_ended:
            self._early.append(stream_id)

    def _count(self, kind: Abuse) -> bool:
        """True, and the connection ends, when the peer has now done this too often."""
        if not self._abuse.exceeded_by(kind):
            return False
        self._failed = True
        self._http2.terminate_connection(ErrorCode.ENHANCE_YOUR_CALM)
        return True

    def _plain_to_send(self) -> bytes:
        data = self._http2.data_to_send(_SEND_BYTES)
        queued_bytes = self._http2.queued_body_size()
        if queued_bytes != self._unread.queued_bytes:
            self._count_unread(queued_bytes, 0)
            data = data or self._http2.data_to_send(_SEND_BYTES)  # room that this gave back
        if self._unread.waiting:
            self._unread.notify()
            data = data or self._http2.data_to_send(_SEND_BYTES)
        if self._failed:
            return data
        if not self._http2.want_read:  # the only sign that libnghttp2 has given the peer up
            self._failed = True
            self._cancel_all()
            return data
        if (self._early or self._drain_ping_due) and len(data) < _SEND_BYTES:  # else something may still be waiting
            data += self._follow_up()
        self._updates_earned_bytes += len(data)  # all of it: a failed session no longer counts what the peer does
        self._pings_earned_bytes += len(data)
        return data

    def _has_memory_for(self, call: ServerCall, size_bytes: int) -> bool:
        """Whether a reply may be queued, in the place of the call's request."""
        self._count_unread(self._http2.queued_body_size(), self._unread.given_bytes)
        memory = self._memory
        return size_bytes <= memory.room_bytes() + call._held_bytes

    def _count_unread(self, queued_bytes: int, given_bytes: int) -> None:
        """Counts replies that the peer has not read. A closed connection has none: the session's end frees them."""
        if self._peer_gone:
            queued_bytes = given_bytes = 0
        self._unread.count(queued_bytes, given_bytes)
        if self._room.withheld_bytes:
            self._room.give_withheld()

    def _follow_up(self) -> bytes:
        """What must be sent only after what `data_to_send` just gave."""
        if self._drain_ping_due:
            # libnghttp2 sends a queued PING before a GOAWAY. The answer to this one must mean that the GOAWAY was read.
            self._drain_ping_due = False
            self._http2.ping(_DRAIN_PING)
        self._reset_early()
        return self._http2.data_to_send(_SEND_BYTES)

    def _reset_early(self) -> None:
        """Asks peers that still send to an answered call to stop (PROTOCOL-HTTP2: RST_STREAM NO_ERROR)."""
        waiting = [stream_id for stream_id in self._early if self._http2.queued_body_size(stream_id)]
        for stream_id in self._early:
            if stream_id not in waiting:
                self._http2.reset_stream(stream_id, ErrorCode.NO_ERROR)
        self._early = waiting
