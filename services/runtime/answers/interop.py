"""grpc.testing.TestService, with which gRPC implementations test each other; registered by `--interop` alone.

A call that takes one message (EmptyCall, UnaryCall, StreamingOutputCall) is run as a call of the workload is: by the
model's workers, with its queue and its timers. What a handler here does not know of is answered by the thread that
reads, as health is: streams of requests, metadata and compression. The thread that reads never waits, so it rejects an
interval.

Source: grpc/grpc, doc/interop-test-descriptions.md.
"""

from collections.abc import Sequence
from functools import partial
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from sweetspot.interop import testing_pb2
from sweetspot.v1 import workload_pb2

from services.runtime.answers.responders import Responder
from services.wire import (
    CallReceived,
    Code,
    RequestEnded,
    RequestMessage,
    RpcError,
    ServerCall,
    ServerEvent,
    ServerSession,
    Shape,
)
from services.wire.metadata import Metadata
from services.wire.status import parse_code
from services.workload.run import Run

PAGE = b"This is a gRPC service.\n"
"""What a plain GET or POST gets, so that a tester of HTTP/2 alone has something to ask for."""

MAX_RESPONSE_BYTES = 4_000_000
"""Of all responses that one request asks for."""
MAX_RESPONSES = 64
MAX_INTERVAL_US = 60_000_000
MAX_STREAM_BYTES = 64 * 1024 * 1024
"""Of all responses on one stream: a peer need not read what piles up. Of all that is counted, so that it fits int32."""

_ECHOED_AT_ONCE = "x-grpc-test-echo-initial"
_ECHOED_AT_THE_END = "x-grpc-test-echo-trailing-bin"

_Request = TypeVar("_Request", bound=Message)
_OneOrMany = testing_pb2.SimpleRequest | testing_pb2.StreamingOutputCallRequest


class InteropRun(Run):
    """One call as a plan: a pause before each response of a stream, no step at all before a single one."""

    __slots__ = ("_sizes_bytes",)

    _sizes_bytes: Sequence[int]

    def _read(self, request: bytes) -> workload_pb2.RunRequest:
        asked = _responses(_asked(request, streams=self.streams))
        self._sizes_bytes = [one.size for one in asked]
        pauses = [workload_pb2.Sleep(duration_us=one.interval_us) for one in asked if self.streams]
        return workload_pb2.RunRequest(steps=[workload_pb2.Step(sleep=pause) for pause in pauses])

    def reply(self) -> bytes:
        """The next response, serialised: that of the step just taken, or the only one of a call that has none."""
        return _response(self._sizes_bytes[max(self._index - 1, 0)])


def _answer_one(session: ServerSession, event: ServerEvent) -> bool:
    """Answers a call with one message only if it asks for what a handler cannot do. Else the model runs the call."""
    call = event.call
    if not isinstance(event, CallReceived):
        return False
    asked = _asked(call.request, streams=call.shape.server_streams)
    if isinstance(asked, testing_pb2.SimpleRequest):
        compress = asked.response_compressed.value
        special = asked.HasField("response_compressed") or asked.HasField("expect_compressed")
        _check_compressed(asked, call.compressed)
    else:
        compress = any(one.compressed.value for one in asked.response_parameters)
        special = any(one.HasField("compressed") for one in asked.response_parameters)
    if not special and not _echo(call, _ECHOED_AT_ONCE) and not _echo(call, _ECHOED_AT_THE_END):
        return False
    responses = _responses(asked)
    session.send_headers(call, _echo(call, _ECHOED_AT_ONCE), gzip=compress and call.head.accepts_gzip)
    _send(session, call, responses)
    session.finish(call, metadata=_echo(call, _ECHOED_AT_THE_END))
    return True


def _answer_upload(session: ServerSession, event: ServerEvent) -> bool:
    """StreamingInputCall: adds up what comes, in `call.context`."""
    call = event.call
    size_bytes = call.context if isinstance(call.context, int) else 0
    if isinstance(event, RequestMessage):
        asked = _parse(testing_pb2.StreamingInputCallRequest(), event.message)
        _check_compressed(asked, event.compressed)
        call.context = _within_stream(size_bytes + len(asked.payload.body))
        session.consumed(call, event.message)
    elif isinstance(event, RequestEnded):
        counted = testing_pb2.StreamingInputCallResponse(aggregated_payload_size=size_bytes)
        session.reply(call, counted.SerializeToString())
    elif not isinstance(event, CallReceived):
        session.finish(call)
    return True


def _answer_chat(session: ServerSession, event: ServerEvent) -> bool:
    """FullDuplexCall: answers each request at once; `call.context` has the number of answers."""
    call = event.call
    total_bytes = call.context if isinstance(call.context, int) else 0
    if isinstance(event, CallReceived):
        session.send_headers(call, _echo(call, _ECHOED_AT_ONCE), gzip=call.head.accepts_gzip)
    elif isinstance(event, RequestMessage):
        responses = _responses(_parse(testing_pb2.StreamingOutputCallRequest(), event.message))
        call.context = _within_stream(total_bytes + sum(one.size for one in responses))
        _send(session, call, responses)
        session.consumed(call, event.message)
    else:
        session.finish(call, metadata=_echo(call, _ECHOED_AT_THE_END))
    return True


def _refusing(responder: Responder) -> Responder:
    """A call that raises RpcError ends with that status, and what still comes on it is passed over."""

    def refusing(session: ServerSession, event: ServerEvent) -> bool:
        call = event.call
        if isinstance(call.context, RpcError):
            return True
        try:
            return responder(session, event)
        except RpcError as error:
            call.context = error
            session.finish(call, error.code, error.message, _echo(call, _ECHOED_AT_THE_END))
            return True

    return refusing


def _when_read(responder: Responder) -> Responder:
    """Each message is answered once the peer has read most of the answers before it."""

    def answer(session: ServerSession, event: ServerEvent) -> bool:
        if isinstance(event, RequestMessage | RequestEnded):
            session.when_room(event.call, partial(responder, session, event))
            return True
        return responder(session, event)

    return answer


_SERVICE = b"/grpc.testing.TestService/"
SHAPES = {
    _SERVICE + b"EmptyCall": Shape.UNARY,
    _SERVICE + b"UnaryCall": Shape.UNARY,
    _SERVICE + b"StreamingOutputCall": Shape.SERVER_STREAMING,
    _SERVICE + b"StreamingInputCall": Shape.CLIENT_STREAMING,
    _SERVICE + b"FullDuplexCall": Shape.BIDIRECTIONAL,
}
_BY_SHAPE: dict[Shape, Responder] = {
    Shape.UNARY: _answer_one,
    Shape.SERVER_STREAMING: _answer_one,
    Shape.CLIENT_STREAMING: _answer_upload,
    Shape.BIDIRECTIONAL: _answer_chat,
}
RESPONDERS = {path: _when_read(_refusing(_BY_SHAPE[shape])) for path, shape in SHAPES.items()}


def _asked(request: bytes, *, streams: bool) -> _OneOrMany:
    """What a call with one message asks for. An Empty is a SimpleRequest that asks for nothing."""
    if streams:
        return _parse(testing_pb2.StreamingOutputCallRequest(), request)
    return _parse(testing_pb2.SimpleRequest(), request)


def _parse(into: _Request, message: bytes) -> _Request:
    try:
        into.ParseFromString(message)
    except DecodeError as error:
        raise RpcError(Code.INTERNAL, f"request is not a {into.DESCRIPTOR.full_name}") from error
    return into


def _responses(asked: _OneOrMany) -> Sequence[testing_pb2.ResponseParameters]:
    """The responses that a request asks for. Raises RpcError: the status asked for instead, or INVALID_ARGUMENT."""
    if asked.response_status.code:
        raise RpcError(parse_code(b"%d" % asked.response_status.code), asked.response_status.message)
    if isinstance(asked, testing_pb2.SimpleRequest):
        responses = [testing_pb2.ResponseParameters(size=asked.response_size, compressed=asked.response_compressed)]
    else:
        responses = list(asked.response_parameters)
    if len(responses) > MAX_RESPONSES:
        raise RpcError(Code.INVALID_ARGUMENT, f"{len(responses)} responses are above {MAX_RESPONSES}")
    if any(one.size < 0 or not 0 <= one.interval_us <= MAX_INTERVAL_US for one in responses):
        raise RpcError(
            Code.INVALID_ARGUMENT, f"a size is below 0, or an interval_us is not within 0 to {MAX_INTERVAL_US}"
        )
    if sum(one.size for one in responses) > MAX_RESPONSE_BYTES:
        raise RpcError(Code.INVALID_ARGUMENT, f"responses of more than {MAX_RESPONSE_BYTES} bytes")
    return responses


def _send(session: ServerSession, call: ServerCall, responses: Sequence[testing_pb2.ResponseParameters]) -> None:
    if any(one.interval_us for one in responses):
        raise RpcError(Code.INVALID_ARGUMENT, "interval_us must be 0 in this method")
    for one in responses:
        session.send_message(call, _response(one.size), gzip=one.compressed.value and call.head.accepts_gzip)


def _response(size_bytes: int) -> bytes:
    """Serialised. The two kinds of response differ only in their names, and one without a payload is an Empty too."""
    if not size_bytes:
        return b""
    return testing_pb2.SimpleResponse(payload=testing_pb2.Payload(body=bytes(size_bytes))).SerializeToString()


def _check_compressed(
    asked: testing_pb2.SimpleRequest | testing_pb2.StreamingInputCallRequest, compressed: bool
) -> None:
    if asked.HasField("expect_compressed") and asked.expect_compressed.value != compressed:
        was = "compressed" if compressed else "not compressed"
        raise RpcError(Code.INVALID_ARGUMENT, f"the request was {was}, against expect_compressed")


def _echo(call: ServerCall, name: str) -> Metadata:
    """The caller's own metadata of that name, to be sent back; not what could not be sent."""
    return [
        (key, value)
        for key, value in call.head.metadata
        if key == name and (isinstance(value, bytes) or (value.isascii() and value.isprintable()))
    ]


def _within_stream(size_bytes: int) -> int:
    if size_bytes > MAX_STREAM_BYTES:
        raise RpcError(Code.RESOURCE_EXHAUSTED, f"more than {MAX_STREAM_BYTES} bytes on one stream")
    return size_bytes
