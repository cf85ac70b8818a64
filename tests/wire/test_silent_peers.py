"""A peer that owes something has its time for it, counted in checks; then a call or the connection ends."""

import struct
from collections.abc import Callable
from functools import partial

import pytest

from services.wire import CallCancelled, CallReceived, Code, Limits, RequestMessage, ServerCall, ServerSession
from tests.wire import frames
from tests.wire.ends import RawClient, calls_in
from tests.wire.frames import message, request_to

LIMITS = Limits()
OPENING_CHECKS, STALL_CHECKS = (round(time_s / LIMITS.check_s) for time_s in (LIMITS.opening_s, LIMITS.stall_s))
NO_ROOM = frames.frame(frames.SETTINGS, payload=struct.pack(">HI", 4, 0))
"""SETTINGS_INITIAL_WINDOW_SIZE of 0: no reply may be sent."""
ASKED = frames.data(1, message(b""), end_stream=True)
DOWNLOAD = frames.headers(1, request_to(b"/test/Download")) + ASKED
UPLOAD, CHAT = (frames.headers(1, request_to(path)) for path in (b"/test/Upload", b"/test/Chat"))
HALF = message(bytes(1000))[:500]

Checks = list[int]
"""The numbers of the checks, from 1, at which something ended."""


def checks_that_end(client: RawClient, before_each: Callable[[int], None] = lambda _: None, count: int = 20) -> Checks:
    ended = []
    for number in range(1, count + 1):
        before_each(number)
        events = client.server.check_peer()
        if events is not None:
            client.events += events
            ended.append(number)
    return ended


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        frames.PREFACE[:10],
        frames.PREFACE,
        frames.PREFACE + frames.frame(frames.SETTINGS),
        frames.PREFACE + frames.frame(frames.SETTINGS) + frames.frame(frames.PING, payload=bytes(8)),
        frames.PREFACE + frames.frame(frames.SETTINGS) + frames.headers(1) + ASKED,
    ],
    ids=["nothing", "half a preface", "the preface alone", "no acknowledgement", "a ping", "a call"],
)
def test_a_peer_that_does_not_open_the_connection_loses_it(sent: bytes) -> None:
    session = ServerSession({}, LIMITS)
    if sent:
        session.receive_data(sent)
    ended = [session.check_peer() is not None for _ in range(20)]
    assert ended.index(True) == OPENING_CHECKS
    assert session.closed


def test_an_open_connection_without_calls_is_left_open() -> None:
    client = RawClient(LIMITS)
    assert checks_that_end(client, count=100) == []


@pytest.mark.parametrize(
    ("path", "body", "received"),
    [
        (b"/test/Unary", b"", []),
        (b"/test/Unary", HALF, []),
        (b"/test/Unary", message(b"whole"), []),
        (b"/test/Upload", HALF, [CallReceived, CallCancelled]),
        (b"/test/Chat", message(b"whole") + HALF, [CallReceived, RequestMessage, CallCancelled]),
    ],
    ids=["no message", "half a message", "no end of the stream", "half of an upload", "half of a chat"],
)
def test_a_request_that_stops_to_arrive_ends_with_a_status(path: bytes, body: bytes, received: list[type]) -> None:
    client = RawClient(LIMITS)
    client.request(request_to(path), body, end=False)
    client.flush()
    assert checks_that_end(client) == [1 + STALL_CHECKS]
    client.hear()
    fields = client.headers_of(1)
    assert int(fields[b"grpc-status"]) == Code.DEADLINE_EXCEEDED.value
    assert fields[b"grpc-message"] == b"request not complete: nothing came for 60 s"
    assert [type(event) for event in client.events] == received
    for event in client.events:
        if isinstance(event, CallCancelled):
            client.server.finish(event.call)
    assert not client.server.closed
    assert client.server._memory.held_bytes == 0


def test_a_request_that_arrives_byte_by_byte_is_awaited() -> None:
    client = RawClient(LIMITS)
    client.send(frames.headers(1))
    body = message(bytes(100))

    def send_a_byte(number: int) -> None:
        client.send(frames.data(1, body[number - 1 : number]))

    assert checks_that_end(client, send_a_byte, 60) == []


@pytest.mark.parametrize("sent", [UPLOAD, CHAT, UPLOAD + frames.data(1, message(bytes(1000)))])
def test_a_stream_of_requests_may_pause_between_two_messages(sent: bytes) -> None:
    client = RawClient(LIMITS)
    client.send(sent)
    assert checks_that_end(client, count=100) == []


def answered(client: RawClient, reply: bytes) -> None:
    (call,) = calls_in(client.send(NO_ROOM, frames.headers(1) + ASKED))
    client.server.reply(call, reply)
    client.hear()


def test_a_peer_that_makes_no_room_for_a_reply_loses_the_connection() -> None:
    client = RawClient(LIMITS)
    answered(client, bytes(100_000))
    assert client.server._memory.held_bytes > 100_000
    assert checks_that_end(client) == [1 + STALL_CHECKS]
    (goaway,) = (frame for frame in client.hear() if frame.kind == frames.GOAWAY)
    assert goaway.error_code == frames.ENHANCE_YOUR_CALM
    assert client.server.closed
    assert client.server._memory.held_bytes == 0


def test_a_peer_that_makes_a_little_room_now_and_then_is_waited_for() -> None:
    client = RawClient(LIMITS)
    answered(client, bytes(100_000))

    def make_room(number: int) -> None:
        if number % STALL_CHECKS == 0:
            client.send(frames.window_update(1, 100))
            client.hear()

    assert checks_that_end(client, make_room, 100) == []


def stream(client: RawClient, stream_id: int) -> ServerCall:
    """A handler that has sent much, and waits for room."""
    fields = request_to(b"/test/Download")
    body = frames.data(stream_id, message(b""), end_stream=True)
    (call,) = calls_in(client.send(frames.headers(stream_id, fields) + body))
    client.server.send_message(call, bytes(100_000))
    client.hear()
    return call


def test_a_stream_that_is_not_read_is_reset_and_its_handler_is_notified() -> None:
    client = RawClient(LIMITS)
    client.send(NO_ROOM)
    stalled, read = stream(client, 1), stream(client, 3)
    notified: list[int] = []
    for call in (stalled, read):
        client.server.when_room(call, partial(notified.append, call.stream_id))

    def make_room(_: int) -> None:
        client.send(frames.window_update(3, 10))
        sent.extend(client.hear())

    sent: list[frames.Frame] = []
    assert checks_that_end(client, make_room) == [1 + STALL_CHECKS]
    assert notified == [1]
    assert (stalled.cancelled, read.cancelled) == (True, False)
    resets = [frame for frame in sent if frame.kind == frames.RST_STREAM]
    assert [(frame.stream_id, frame.error_code) for frame in resets] == [(1, frames.CANCEL)]
    assert not client.server.closed


def test_an_old_connection_of_a_silent_peer_drains_and_ends() -> None:
    client = RawClient()
    client = RawClient(server=ServerSession({}, LIMITS, clock_ns=client.clock, max_age_ns=10**9), clock=client.clock)
    assert checks_that_end(client, count=1) == []
    client.clock.advance(1)
    assert checks_that_end(client) == [1, 2 + OPENING_CHECKS]
    assert client.server.closed


def test_a_request_that_waits_for_memory_of_calls_is_not_late() -> None:
    client = RawClient(LIMITS)
    large = message(bytes(4 * 1024 * 1024 - 100))

    def send(stream_id: int, body: bytes, *, end: bool) -> list[ServerCall]:
        calls = calls_in(client.send(frames.headers(stream_id)))
        for at in range(0, len(body), 16_384):
            is_last = end and at + 16_384 >= len(body)
            calls += calls_in(client.send(frames.data(stream_id, body[at : at + 16_384], end_stream=is_last)))
            client.hear()
        return calls

    running = [call for number in range(1, 9, 2) for call in send(number, large, end=True)]
    assert len(running) == 4
    send(9, large[:32_768], end=False)
    assert client.server._room.waits_for_calls
    assert checks_that_end(client) == []
    for call in running:
        client.server.reply(call, b"")
    client.hear()
    assert checks_that_end(client) == [1 + STALL_CHECKS]
