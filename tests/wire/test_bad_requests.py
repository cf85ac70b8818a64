"""Requests that are not gRPC, or break its rules, and how the server answers them (PROTOCOL-HTTP2)."""

import gzip

import ngh2
import pytest

from services.wire import Code, Limits, ServerSession
from tests.wire import frames
from tests.wire.ends import RawClient, calls_in, ended_in, messages_in
from tests.wire.frames import GRPC_REQUEST, message, request_to

CONTENT_TYPES = {
    b"application/grpc": True,
    b"application/grpc+proto": True,
    b"application/grpc;charset=utf-8": True,
    b"application/grpc-web": False,
    b"application/grpcx": False,
    b"application/json": False,
    b"": False,
}


@pytest.mark.parametrize(("content_type", "taken"), CONTENT_TYPES.items())
def test_only_a_grpc_content_type_is_taken(content_type: bytes, taken: bool) -> None:
    client = RawClient()
    stream_id = client.request(request_to(b"/test/Unary", (b"content-type", content_type)), message(b""))
    calls = calls_in(client.flush())
    if taken:
        assert len(calls) == 1
    else:
        assert client.headers_of(stream_id)[b":status"] == b"415"
        assert calls == []


def test_a_request_without_content_type_is_refused() -> None:
    client = RawClient()
    stream_id = client.request(GRPC_REQUEST[:-1], message(b""))
    assert client.flush() == []
    assert client.headers_of(stream_id)[b":status"] == b"415"


@pytest.mark.parametrize("method", [b"GET", b"PUT", b"HEAD"])
def test_another_method_than_post_is_not_allowed(method: bytes) -> None:
    client = RawClient()
    stream_id = client.request(request_to(b"/test/Unary", (b":method", method)))
    assert client.flush() == []
    answer = client.headers_of(stream_id)
    assert (answer[b":status"], answer[b"allow"]) == (b"405", b"POST")


PLAIN_HTTP = {"GET": ((b":method", b"GET"), None), "POST": ((b"content-type", b"text/plain"), b"a form")}


@pytest.mark.parametrize(("field", "body"), PLAIN_HTTP.values(), ids=PLAIN_HTTP)
def test_plain_http_gets_the_page_where_there_is_one_once_it_has_asked(
    field: tuple[bytes, bytes], body: bytes | None
) -> None:
    client = RawClient(server=ServerSession({}, page=b"a page"))
    stream_id = client.request(request_to(b"/any", field), body, end=False)
    assert client.flush() == []
    assert client.headers_of(stream_id) == {}
    client.send(frames.data(stream_id, b"", end_stream=True))
    assert client.headers_of(stream_id)[b":status"] == b"200"
    assert [event.data for event in client.heard if isinstance(event, ngh2.DataReceived)] == [b"a page"]


@pytest.mark.parametrize("path", [b"/test/unary", b"/test/Unary/", b"/other/Unary", b"/", b"/test/Un%61ry"])
def test_a_path_that_is_not_exactly_a_method_is_unimplemented(path: bytes) -> None:
    assert status_of(request_to(path), message(b"")) is Code.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("field", "body", "code"),
    [
        ((b"grpc-encoding", b"snappy"), message(b""), Code.UNIMPLEMENTED),
        ((b"grpc-timeout", b"1 hour"), message(b""), Code.INTERNAL),
        ((b"grpc-encoding", b"gzip"), message(b"not gzip", flag=1), Code.INTERNAL),
        ((b"grpc-encoding", b"identity"), message(gzip.compress(b"", mtime=0), flag=1), Code.INTERNAL),
        ((b"x", b"y"), message(gzip.compress(b"", mtime=0), flag=1), Code.INTERNAL),
        ((b"x", b"y"), message(b"", flag=2), Code.INTERNAL),
        ((b"x", b"y"), b"", Code.UNIMPLEMENTED),
        ((b"x", b"y"), message(b"1") + message(b"2"), Code.UNIMPLEMENTED),
        ((b"x", b"y"), message(b"cut short")[:-1], Code.INTERNAL),
        ((b"x", b"y"), message(b"1") + b"\0", Code.INTERNAL),
        ((b"x", b"y"), b"\0\xff\xff\xff\xff", Code.RESOURCE_EXHAUSTED),
    ],
)
@pytest.mark.parametrize("split", [False, True], ids=["one frame", "a byte a frame"])
def test_a_request_that_breaks_the_rules_gets_a_status(
    field: tuple[bytes, bytes], body: bytes, code: Code, split: bool
) -> None:
    assert status_of(request_to(b"/test/Unary", field), body, split=split) is code


def status_of(fields: tuple[tuple[bytes, bytes], ...], body: bytes, *, split: bool = False) -> Code:
    """The status of the answer; no call may come of the request, and the connection takes another after it."""
    client = RawClient()
    stream_id = client.request(fields, None if split else body, end=not split)
    events = client.flush()
    if split:
        for at in range(len(body)):
            events += client.send(frames.data(stream_id, body[at : at + 1]))
        events += client.send(frames.data(stream_id, b"", end_stream=True))
    assert events == []
    answer = client.headers_of(stream_id)
    assert answer[b":status"] == b"200"
    assert answer[b"content-type"] == b"application/grpc"
    client.request(GRPC_REQUEST, message(b"next"))
    assert [call.request for call in calls_in(client.flush())] == [b"next"]
    return Code(int(answer[b"grpc-status"]))


def test_an_empty_frame_that_ends_the_stream_ends_the_request() -> None:
    client = RawClient()
    events = client.send(frames.headers(1), frames.data(1, message(b"hello")), frames.data(1, b"", end_stream=True))
    assert [call.request for call in calls_in(events)] == [b"hello"]


def test_trailers_end_the_request_too() -> None:
    client = RawClient()
    events = client.send(
        frames.headers(1), frames.data(1, message(b"hi")), frames.headers(1, [(b"a", b"b")], end_stream=True)
    )
    assert [call.request for call in calls_in(events)] == [b"hi"]


def test_frames_need_not_fit_messages() -> None:
    client = RawClient()
    body = message(b"one") + message(b"") + message(b"three")
    events = client.send(frames.headers(1, request_to(b"/test/Upload")))
    for at in range(len(body)):
        events += client.send(frames.data(1, body[at : at + 1]))
    assert messages_in(events) == [b"one", b"", b"three"]
    assert not ended_in(events)


def test_several_messages_may_share_a_frame() -> None:
    client = RawClient()
    events = client.send(
        frames.headers(1, request_to(b"/test/Upload")),
        frames.data(1, message(b"one") + message(b"two"), end_stream=True),
    )
    assert messages_in(events) == [b"one", b"two"]
    assert ended_in(events)


def test_ok_is_said_in_trailers_as_a_bare_zero() -> None:
    client = RawClient()
    (call,) = calls_in(client.send(frames.headers(1), frames.data(1, message(b""), end_stream=True)))
    client.server.reply(call, b"")
    kinds = [(sent.kind, sent.flags & frames.END_STREAM) for sent in client.hear()]
    assert kinds == [(frames.HEADERS, 0), (frames.DATA, 0), (frames.HEADERS, 1)]


def test_an_error_without_messages_is_one_frame() -> None:
    client = RawClient()
    (call,) = calls_in(client.send(frames.headers(1), frames.data(1, message(b""), end_stream=True)))
    client.server.finish(call, Code.NOT_FOUND, "no")
    (sent,) = client.hear()
    assert (sent.kind, sent.flags & frames.END_STREAM) == (frames.HEADERS, 1)


@pytest.mark.parametrize(
    "fields",
    [
        request_to(b"/nothing"),
        request_to(b"/test/Unary", (b":method", b"PUT")),
        request_to(b"/test/Unary", (b"content-type", b"text/html")),
    ],
)
def test_a_peer_that_still_sends_to_an_answered_call_is_told_to_stop(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    client = RawClient()
    client.send(frames.headers(1, fields))
    answer, reset = client.hear()
    assert (answer.kind, answer.flags & frames.END_STREAM) == (frames.HEADERS, 1)
    assert (reset.kind, reset.error_code) == (frames.RST_STREAM, frames.NO_ERROR)


def test_an_early_answer_is_sent_whole_before_the_peer_is_told_to_stop() -> None:
    client = RawClient()
    (call,) = calls_in(client.send(frames.headers(1, request_to(b"/test/Chat"))))
    client.server.send_message(call, bytes(200_000))
    client.server.finish(call)
    first = client.hear()
    assert {sent.kind for sent in first} == {frames.HEADERS, frames.DATA}
    client.send(frames.window_update(0, 1_000_000), frames.window_update(1, 1_000_000))
    rest = client.hear()
    assert [sent.kind for sent in rest[-2:]] == [frames.HEADERS, frames.RST_STREAM]
    assert sum(len(sent.payload) for sent in first + rest if sent.kind == frames.DATA) == 200_005


def test_an_early_answer_keeps_its_trailers_wherever_output_is_cut() -> None:
    wide_windows = frames.frame(frames.SETTINGS, 0, 0, b"\0\4\0\x7f\xff\xff"), frames.window_update(0, 8_000_000)
    piece_bytes = 256 * 1024
    cut_right_after_the_body = False
    for size_bytes in range(piece_bytes - 160, piece_bytes - 140):
        client = RawClient()
        client.send(*wide_windows)
        client.hear()
        (call,) = calls_in(client.send(frames.headers(1, request_to(b"/test/Chat"))))
        client.server.send_headers(call)
        client.hear()
        client.server.send_message(call, bytes(size_bytes))
        client.server.finish(call)
        sent = client.hear()
        body_bytes = sum(9 + len(one.payload) for one in sent if one.kind == frames.DATA)
        cut_right_after_the_body |= body_bytes == piece_bytes
        assert [one.kind for one in sent if one.kind != frames.DATA] == [frames.HEADERS, frames.RST_STREAM]
    assert cut_right_after_the_body


def test_headers_over_the_limit_end_the_call_and_not_the_connection() -> None:
    client = RawClient(Limits(max_header_list_bytes=1000))
    stream_id = client.request(request_to(b"/test/Unary", (b"long", b"x" * 1000)), message(b""))
    assert client.flush() == []
    assert client.headers_of(stream_id)[b"grpc-status"] == b"%d" % Code.RESOURCE_EXHAUSTED
    client.request(GRPC_REQUEST, message(b"next"))
    assert [call.request for call in calls_in(client.flush())] == [b"next"]


def test_each_header_counts_thirty_two_bytes_besides_its_own() -> None:
    size_bytes = sum(len(name) + len(value) + 32 for name, value in GRPC_REQUEST)
    for limit, taken in ((size_bytes, 1), (size_bytes - 1, 0)):
        client = RawClient(Limits(max_header_list_bytes=limit))
        client.request(GRPC_REQUEST, message(b""))
        assert len(calls_in(client.flush())) == taken


def test_a_value_that_is_not_ascii_does_not_fail_a_call() -> None:
    client = RawClient()
    (call,) = calls_in(
        client.send(
            frames.headers(1, request_to(b"/test/Unary", (b"key", b"\xff"), (b"key-bin", b"!!!"))),
            frames.data(1, message(b""), end_stream=True),
        )
    )
    assert dict(call.head.metadata)["key"] == "\ufffd"


def test_a_ping_is_answered() -> None:
    client = RawClient()
    client.send(frames.frame(frames.PING, 0, 0, b"12345678"))
    (pong,) = client.hear()
    assert (pong.kind, pong.flags, pong.payload) == (frames.PING, frames.ACK, b"12345678")
