"""Whatever a peer sends, in whatever pieces: sessions take it without an exception, and report what has ended."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.wire import CallCancelled, CallReceived, ClientSession, Code, Limits, RequestMessage, ServerSession
from tests.wire import frames
from tests.wire.ends import SHAPES, Clock, RawServer
from tests.wire.frames import GRPC_REQUEST, message, request_to

SETTINGS = frames.frame(frames.SETTINGS)

STREAMS = st.sampled_from([0, 1, 1, 1, 3, 5, 2, 2**31 - 1])
BODIES = st.sampled_from(
    [b"", b"\0", message(b"hello"), message(b"x", flag=1), message(b"", flag=9), b"\0\xff\xff\xff\xff"]
)
FIELDS = st.sampled_from(
    [
        GRPC_REQUEST,
        request_to(b"/test/Upload"),
        request_to(b"/test/Chat", (b"grpc-encoding", b"gzip")),
        request_to(b"/nothing"),
        request_to(b"/test/Unary", (b":method", b"GET")),
        ((b"key", b"value"),),
        ((b":status", b"200"), (b"content-type", b"application/grpc")),
        ((b"grpc-status", b"0"),),
        (),
    ]
)
FRAMES = st.one_of(
    st.builds(
        lambda stream, fields, end: frames.headers(stream, fields, end_stream=end), STREAMS, FIELDS, st.booleans()
    ),
    st.builds(lambda stream, body, end: frames.data(stream, body, end_stream=end), STREAMS, BODIES, st.booleans()),
    st.builds(frames.padded_data, STREAMS, BODIES, st.integers(0, 255)),
    st.builds(frames.rst_stream, STREAMS, st.integers(0, 20)),
    st.builds(frames.window_update, STREAMS, st.sampled_from([0, 1, 65_535, 2**31 - 1])),
    st.builds(lambda ack: frames.frame(frames.PING, ack, 0, b"draining"), st.integers(0, 1)),
    st.builds(lambda ack: frames.frame(frames.SETTINGS, ack), st.integers(0, 1)),
    st.builds(lambda payload: frames.frame(frames.SETTINGS, 0, 0, payload), st.binary(min_size=6, max_size=6)),
    st.builds(lambda last: frames.frame(frames.GOAWAY, 0, 0, last.to_bytes(4, "big") + bytes(4)), st.integers(0, 5)),
    st.builds(frames.frame, st.integers(0, 255), st.integers(0, 255), STREAMS, st.binary(max_size=20)),
)
ACTIONS = st.sampled_from(["nothing", "hear", "reply", "fail", "stream", "consume", "drain"])


@given(st.lists(st.tuples(FRAMES, ACTIONS), max_size=30))
def test_a_server_takes_any_frames_with_any_answers_between(happenings: list[tuple[bytes, str]]) -> None:
    server = ServerSession(SHAPES, Limits(max_concurrent_streams=2), clock_ns=Clock())
    server.receive_data(frames.PREFACE + SETTINGS)
    running, waiting, cancelled = [], [], []
    for sent, action in [*happenings, (b"", "hear")]:
        for event in server.receive_data(sent):
            if isinstance(event, CallReceived):
                running.append(event.call)
            elif isinstance(event, RequestMessage):
                waiting.append(event)
            elif isinstance(event, CallCancelled):
                cancelled.append(event.call)
        assert len(running) <= 2
        if action == "hear":
            server.data_to_send()
        elif action == "drain":
            server.drain()
        elif action == "consume" and waiting:
            event = waiting.pop()
            server.consumed(event.call, event.message)
        elif action == "reply" and running:
            server.reply(running.pop(), b"reply")
        elif action == "fail" and running:
            server.finish(running.pop(), Code.ABORTED, "why")
        elif action == "stream" and running:
            server.send_message(running[-1], b"one")
    assert server.closed
    assert len(cancelled) == len(set(cancelled))
    assert all(call.cancelled for call in running)
    for call in running:
        server.finish(call)
    assert server.calls_in_flight == 0


@given(st.lists(FRAMES, max_size=30))
def test_a_client_takes_any_frames_and_every_call_ends_once(answers: list[bytes]) -> None:
    server = RawServer()
    client = server.client
    calls = [
        client.start("/test/Unary", b"x"),
        client.start("/test/Upload"),
        client.start("/test/Chat", streaming=True),
    ]
    server.pump()
    ended = []
    for answer in [*answers, b""]:
        ended += [event.call for event in client.receive_data(answer) if event.call.code is not None]
        for call in calls:
            client.send_message(call, b"more") if call.path != "/test/Unary" else None
        client.data_to_send()
    assert client.closed
    assert set(ended) == set(calls)
    assert {call.code for call in calls} <= set(Code)


@given(st.binary(max_size=200))
@pytest.mark.parametrize("before", [b"", frames.PREFACE, frames.PREFACE + SETTINGS])
def test_random_bytes_do_no_harm(before: bytes, noise: bytes) -> None:
    server = ServerSession(SHAPES)
    server.receive_data(before + noise)
    server.data_to_send()
    server.receive_data(b"")
    assert server.closed


@pytest.mark.parametrize(
    ("hello", "says_goaway"),
    [
        (b"GET / HTTP/1.1\r\nHost: test\r\n\r\n", False),
        (frames.PREFACE[:12] + bytes(100), False),
        (frames.PREFACE + b"\xff" * 100, True),
        (frames.PREFACE + frames.data(1, b"x"), True),
        (frames.PREFACE + SETTINGS + frames.data(1, b"x"), True),
        (frames.PREFACE + SETTINGS + frames.headers(2), True),
        (frames.PREFACE + SETTINGS + frames.frame(frames.HEADERS, frames.END_HEADERS, 1, b"\xff" * 20), True),
    ],
)
@pytest.mark.parametrize("chop", [None, 1])
def test_a_peer_that_is_not_http2_is_closed_with_a_last_word_where_there_is_one(
    hello: bytes, says_goaway: bool, chop: int | None
) -> None:
    server = ServerSession(SHAPES)
    for at in range(0, len(hello), chop or len(hello)):
        assert server.receive_data(hello[at : at + (chop or len(hello))]) == []
    said = b""
    while heard := server.data_to_send():
        said += heard
    assert server.closed
    assert any(sent.kind == frames.GOAWAY for sent in frames.parse(said)) == says_goaway


def test_half_a_preface_is_waited_for_until_the_peer_closes() -> None:
    server = ServerSession(SHAPES)
    assert server.receive_data(frames.PREFACE[:12]) == []
    assert not server.closed
    assert server.receive_data(b"") == []
    assert server.closed


def test_a_call_is_the_same_wherever_its_bytes_are_split() -> None:
    sent = (
        frames.PREFACE
        + SETTINGS
        + frames.headers(1, request_to(b"/test/Unary", (b"key", b"value")))
        + frames.data(1, message(b"hel")[:6])
        + frames.padded_data(1, message(b"hel")[6:], 3)
        + frames.data(1, b"", end_stream=True)
    )
    for cut in range(len(sent) + 1):
        server = ServerSession(SHAPES)
        events = [event for piece in (sent[:cut], sent[cut:]) if piece for event in server.receive_data(piece)]
        assert [event.call.request for event in events if isinstance(event, CallReceived)] == [b"hel"]


def test_a_long_conversation_of_damaged_bytes_never_raises() -> None:
    rng = random.Random(2026)
    client = ClientSession("test")
    for number in range(20):
        client.start("/test/Unary" if number % 2 else "/test/Chat", b"x" * number)
    sent = client.data_to_send()
    for _ in range(2000):
        damaged = bytearray(sent)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(24, len(sent))] = rng.randrange(256)
        server = ServerSession(SHAPES)
        for event in server.receive_data(bytes(damaged)):
            if isinstance(event, CallReceived):
                server.reply(event.call, event.call.request)
        server.data_to_send()
        server.receive_data(b"")
        assert server.closed
