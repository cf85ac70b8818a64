"""Bytes of requests in, messages out: what each call has received, and how much of it its connection holds.

Knows no reply and no other call.
"""

from services.wire.backlog import Backlog
from services.wire.call import CallReceived, RequestEnded, RequestMessage, ServerCall, ServerEvent
from services.wire.limits import Limits
from services.wire.memory import FREE_BYTES, ConnectionMemory
from services.wire.messages import PREFIX, PREFIX_BYTES, MessageReader
from services.wire.request_room import RequestRoom
from services.wire.status import Code, RpcError


class RequestReader:
    """Of one connection. Methods add to `events` what happens, and raise RpcError with the status of a bad request."""

    __slots__ = ("_max_message_bytes", "_memory", "_room")

    def __init__(self, limits: Limits, memory: ConnectionMemory, room: RequestRoom) -> None:
        self._max_message_bytes = limits.max_message_bytes
        self._memory = memory
        self._room = room

    def one_message(self, call: ServerCall, data: bytes, ended: bool, now_ns: int, events: list[ServerEvent]) -> None:
        """For a method that takes one message: the call is received once that is complete."""
        reader = call._reader
        if reader is None:
            size = len(data)
            # Nearly every unary request is one uncompressed message in one frame that ends the stream.
            whole = ended and PREFIX_BYTES <= size <= self._max_message_bytes
            if whole and PREFIX.unpack_from(data) == (0, size - PREFIX_BYTES):
                memory = self._memory
                memory.held_bytes += size
                if memory.held_bytes > FREE_BYTES:
                    memory.check(size)
                call._held_bytes = size
                call.request = data[PREFIX_BYTES:]
                call.received_ns = now_ns
                call._request_ended = call._delivered = True
                events.append(CallReceived(call))
                return
            reader = call._reader = MessageReader(self._max_message_bytes, gzip=call.head.gzip)
        for message, compressed in self._feed(call, reader, data):
            if call._has_request:
                raise RpcError(Code.UNIMPLEMENTED, "more than one message for a method that takes one")
            call.request, call.compressed = message, compressed
            call._has_request = True
        if ended:
            reader.end()
            if not call._has_request:
                raise RpcError(Code.UNIMPLEMENTED, "no message for a method that takes one")
            call.received_ns = now_ns
            call._request_ended = call._delivered = True
            call._reader = None
            self._room.complete(call)
            events.append(CallReceived(call))

    def messages_of_stream(
        self, call: ServerCall, backlog: Backlog, data: bytes, ended: bool, events: list[ServerEvent]
    ) -> None:
        """For a method that takes a stream of them."""
        reader = call._reader
        if reader is None:
            reader = call._reader = MessageReader(self._max_message_bytes, gzip=call.head.gzip)
        backlog.received(len(data))
        messages = self._feed(call, reader, data)
        if reader.buffered_bytes:
            self._room.give_unless_full(call, backlog.completed(len(messages)))
        else:
            self._room.give(call.stream_id, backlog.completed(len(messages)))
            self._room.complete(call)
        events.extend(RequestMessage(call, message, compressed) for message, compressed in messages)
        if ended:
            reader.end()
            call._request_ended = True
            events.append(RequestEnded(call))

    def _feed(self, call: ServerCall, reader: MessageReader, data: bytes) -> list[tuple[bytes, bool]]:
        """The messages that `data` completes; these and what is left over count as held. Raises RpcError."""
        had_bytes = reader.buffered_bytes
        memory = self._memory
        messages = reader.feed(data, memory.room_bytes)
        memory.hold(call, reader.buffered_bytes - had_bytes + sum(len(message) for message, _ in messages))
        if memory.held_bytes > FREE_BYTES:
            memory.check(0)
        return messages
