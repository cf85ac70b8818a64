"""Servers that break the rules, and what our client makes of them: a status, and never an exception."""

import gzip

import pytest

from services.wire import CallEnded, ClientCall, ClientEvent, Code, RpcError
from services.wire.status import RESET_CODE
from tests.wire import frames
from tests.wire.ends import RawServer
from tests.wire.frames import message

OK = [(b":status", b"200"), (b"content-type", b"application/grpc")]
REPLY = message(b"reply")


def answered(*answer: bytes, path: str = "/test/Unary", streaming: bool = False, open_end: bool = False) -> ClientCall:
    """A call that got the frames of `answer` on its stream. It must end, and once."""
    server = RawServer()
    call = server.client.start(path, None if open_end else b"", streaming=streaming)
    server.pump()
    events: list[ClientEvent] = []
    for piece in answer:
        events += server.client.receive_data(piece)
    while server.client.data_to_send():
        pass
    events += server.client.receive_data(b"")
    assert [event.call for event in events if isinstance(event, CallEnded)] == [call]
    return call


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (b"400", Code.INTERNAL),
        (b"401", Code.UNAUTHENTICATED),
        (b"403", Code.PERMISSION_DENIED),
        (b"404", Code.UNIMPLEMENTED),
        (b"429", Code.UNAVAILABLE),
        (b"502", Code.UNAVAILABLE),
        (b"503", Code.UNAVAILABLE),
        (b"504", Code.UNAVAILABLE),
        (b"418", Code.UNKNOWN),
        (b"500", Code.UNKNOWN),
    ],
)
@pytest.mark.parametrize("end", [False, True])
def test_an_http_status_becomes_a_status(status: bytes, code: Code, end: bool) -> None:
    assert answered(frames.headers(1, [(b":status", status)], end_stream=end)).code is code


@pytest.mark.parametrize(
    ("trailers", "code", "text"),
    [
        ([(b"grpc-status", b"0")], Code.OK, ""),
        ([(b"key", b"value"), (b"grpc-status", b"0")], Code.OK, ""),
        ([(b"grpc-status", b"5"), (b"grpc-message", b"a%20b")], Code.NOT_FOUND, "a b"),
        ([(b"grpc-status", b"5"), (b"grpc-message", b"%%%\xff")], Code.NOT_FOUND, "%%%\ufffd"),
        ([(b"grpc-status", b"99")], Code.UNKNOWN, ""),
        ([(b"grpc-status", b"")], Code.UNKNOWN, ""),
        ([(b"grpc-status", b"ok")], Code.UNKNOWN, ""),
        ([(b"grpc-message", b"why")], Code.UNKNOWN, "no grpc-status"),
        ([], Code.UNKNOWN, "no grpc-status"),
    ],
)
def test_trailers_of_any_kind_become_a_status(trailers: list[tuple[bytes, bytes]], code: Code, text: str) -> None:
    call = answered(frames.headers(1, OK), frames.data(1, REPLY), frames.headers(1, trailers, end_stream=True))
    assert (call.code, call.message) == (code, text)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", Code.UNIMPLEMENTED),
        (REPLY + REPLY, Code.UNIMPLEMENTED),
        (REPLY[:-1], Code.INTERNAL),
        (REPLY + b"\0", Code.INTERNAL),
        (message(b"", flag=7), Code.INTERNAL),
        (message(gzip.compress(b"x", mtime=0), flag=1), Code.INTERNAL),
        (b"\0\xff\xff\xff\xff", Code.RESOURCE_EXHAUSTED),
    ],
)
@pytest.mark.parametrize("split", [False, True])
def test_a_body_that_breaks_the_rules_is_no_reply(body: bytes, code: Code, split: bool) -> None:
    parts = [body[at : at + 1] for at in range(len(body))] if split else [body]
    call = answered(
        frames.headers(1, OK),
        *(frames.data(1, part) for part in parts),
        frames.headers(1, [(b"grpc-status", b"0")], end_stream=True),
    )
    assert call.code is code


def test_a_stream_of_replies_that_is_cut_within_one_is_not_ok() -> None:
    call = answered(
        frames.headers(1, OK),
        frames.data(1, REPLY + REPLY[:-1]),
        frames.headers(1, [(b"grpc-status", b"0")], end_stream=True),
        streaming=True,
    )
    assert call.code is Code.INTERNAL


@pytest.mark.parametrize("open_end", [False, True])
@pytest.mark.parametrize("body", [b"", REPLY])
def test_a_stream_that_ends_without_trailers_is_not_ok(open_end: bool, body: bytes) -> None:
    call = answered(frames.headers(1, OK), frames.data(1, body, end_stream=True), open_end=open_end)
    assert (call.code, call.message) == (Code.INTERNAL, "server ended the stream without a status")


@pytest.mark.parametrize("error_code", range(16))
def test_a_reset_becomes_a_status(error_code: int) -> None:
    call = answered(frames.rst_stream(1, error_code))
    assert call.code is RESET_CODE.get(error_code, Code.UNKNOWN)
    assert call.unprocessed == (error_code == frames.REFUSED_STREAM)


def test_a_reset_after_the_status_changes_nothing() -> None:
    call = answered(
        frames.headers(1, [*OK, (b"grpc-status", b"5")], end_stream=True),
        frames.rst_stream(1, frames.NO_ERROR),
        open_end=True,
    )
    assert call.code is Code.NOT_FOUND


def test_calls_beyond_the_last_that_a_server_takes_may_be_sent_again() -> None:
    server = RawServer()
    calls = [server.client.start("/test/Unary", b"") for _ in range(3)]
    server.pump()
    goaway = frames.frame(frames.GOAWAY, 0, 0, (3).to_bytes(4, "big") + bytes(4))
    events = server.client.receive_data(goaway)
    assert [event.call for event in events] == [calls[2]]
    assert [(call.code, call.unprocessed) for call in calls] == [
        (None, False),
        (None, False),
        (Code.UNAVAILABLE, True),
    ]
    assert not server.client.can_start
    assert not server.client.closed
    with pytest.raises(RpcError, match="UNAVAILABLE"):
        server.client.start("/test/Unary", b"")


def test_a_goaway_says_why_to_the_calls_that_it_ends() -> None:
    server = RawServer()
    call = server.client.start("/test/Unary", b"")
    server.pump()
    server.client.receive_data(frames.frame(frames.GOAWAY, 0, 0, bytes(7) + b"\x0b"))
    assert call.message == "server is going away (code 0xb)"


def test_a_reply_that_came_whole_before_the_server_broke_the_rules_counts() -> None:
    server = RawServer()
    replied, waiting = server.client.start("/test/Unary", b""), server.client.start("/test/Unary", b"")
    server.pump()
    answer = (
        frames.headers(1, OK) + frames.data(1, REPLY) + frames.headers(1, [(b"grpc-status", b"0")], end_stream=True)
    )
    events = server.client.receive_data(answer + frames.window_update(0, 0))
    assert server.client.data_to_send()
    assert server.client.closed
    events += server.client.receive_data(b"")
    assert [event.call for event in events] == [replied, waiting]
    assert (replied.code, replied.reply, waiting.code) == (Code.OK, b"reply", Code.UNAVAILABLE)


@pytest.mark.parametrize("hello", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28", bytes(9)])
def test_a_server_that_does_not_speak_http2_ends_every_call(hello: bytes) -> None:
    server = RawServer()
    call = server.client.start("/test/Unary", b"")
    events = server.client.receive_data(hello + bytes(64))
    while server.client.data_to_send():
        pass
    events += server.client.receive_data(b"")
    assert [event.call for event in events] == [call]
    assert call.code is Code.UNAVAILABLE
    assert server.client.closed


def test_what_is_done_to_a_call_of_a_lost_connection_has_no_effect() -> None:
    server = RawServer()
    call = server.client.start("/test/Upload")
    server.pump()
    server.client.receive_data(frames.window_update(0, 0))
    while server.client.data_to_send():
        pass
    server.client.send_message(call, b"x")
    server.client.end_requests(call)
    server.client.cancel(call)
    assert server.client.receive_data(b"") == []
