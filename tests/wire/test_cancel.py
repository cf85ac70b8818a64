"""Calls whose caller no longer waits: reported once, counted until their handler ends, harmless to answer."""

from collections.abc import Callable

import pytest

from services.wire import CallCancelled, CallReceived, Code, Limits, ServerCall, ServerSession
from tests.wire import frames
from tests.wire.ends import ConnectionPair, RawClient, calls_in, messages_in
from tests.wire.frames import message, request_to

REQUEST = frames.data(1, message(b"hello"), end_stream=True)


def reply(server: ServerSession, call: ServerCall) -> None:
    server.reply(call, b"reply")


def fail(server: ServerSession, call: ServerCall) -> None:
    server.finish(call, Code.ABORTED, "why", [("key", "value")])


def stream(server: ServerSession, call: ServerCall) -> None:
    server.send_headers(call, [("key", "value")])
    server.send_message(call, b"one", gzip=True)
    server.consumed(call, b"hello")
    server.send_message(call, b"two")
    server.finish(call)


ANSWERS = pytest.mark.parametrize("answer", [reply, fail, stream])

DEATHS: dict[str, Callable[[RawClient], None]] = {
    "reset": lambda client: void(client.send(frames.rst_stream(1))),
    "reset, no error": lambda client: void(client.send(frames.rst_stream(1, frames.NO_ERROR))),
    "end of file": lambda client: void(client.send(b"")),
    "protocol error": lambda client: void(client.send(frames.window_update(0, 0))),
    "protocol error, told": lambda client: void(client.send(frames.window_update(0, 0)), client.hear()),
    "abuse": lambda client: void(client.send(frames.frame(frames.PING, 0, 0, bytes(8)) * 201)),
    "malformed trailers, told": lambda client: void(client.send(frames.headers(1, [(b"a", b"b")])), client.hear()),
    "too many continuations": lambda client: void(
        client.send(frames.frame(frames.HEADERS, 0, 3), *[frames.frame(frames.CONTINUATION, 0, 3)] * 20)
    ),
    "goaway": lambda client: void(client.send(frames.frame(frames.GOAWAY, 0, 0, bytes(8)))),
}


def void(*_: object) -> None:
    """Marks a value as unused."""


@ANSWERS
@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("path", [b"/test/Unary", b"/test/Chat"])
def test_a_call_may_be_answered_whatever_became_of_it(
    path: bytes, death: str, answer: Callable[[ServerSession, ServerCall], None]
) -> None:
    client = RawClient()
    end = path == b"/test/Unary"
    (call,) = calls_in(
        client.send(frames.headers(1, request_to(path)), frames.data(1, message(b"hello"), end_stream=end))
    )
    DEATHS[death](client)
    answer(client.server, call)
    while client.server.data_to_send():
        pass
    assert client.server.calls_in_flight == 0


@ANSWERS
@pytest.mark.parametrize("when", ["before output", "after output"])
def test_a_peer_may_reset_a_call_that_is_answered(
    when: str, answer: Callable[[ServerSession, ServerCall], None]
) -> None:
    client = RawClient()
    (call,) = calls_in(client.send(frames.headers(1), REQUEST))
    answer(client.server, call)
    if when == "after output":
        client.hear()
    assert client.send(frames.rst_stream(1)) == []
    client.hear()
    assert not client.server.closed


@pytest.mark.parametrize("path", [b"/test/Unary", b"/test/Upload", b"/nothing"])
@pytest.mark.parametrize("complete", [False, True])
def test_a_request_and_its_reset_may_come_together(path: bytes, complete: bool) -> None:
    client = RawClient()
    events = client.send(
        frames.headers(1, request_to(path)),
        frames.data(1, message(b"hello"), end_stream=complete),
        frames.rst_stream(1),
    )
    for call in calls_in(events):
        assert call.cancelled
        client.server.reply(call, b"")
    client.hear()
    assert client.server.calls_in_flight == 0
    assert not client.server.closed


@pytest.mark.parametrize("second_death", DEATHS)
@pytest.mark.parametrize("first_death", DEATHS)
def test_a_call_is_cancelled_once(first_death: str, second_death: str) -> None:
    client = RawClient()
    (call,) = calls_in(client.send(frames.headers(1), REQUEST))
    DEATHS[first_death](client)
    DEATHS[second_death](client)
    client.send(b"")
    assert [event for event in client.events if isinstance(event, CallCancelled)] == [CallCancelled(call)]


def test_a_call_that_is_not_yet_complete_is_forgotten_without_a_word() -> None:
    client = RawClient()
    assert client.send(frames.headers(1), frames.rst_stream(1)) == []
    assert client.server.calls_in_flight == 0


def test_an_upload_that_breaks_is_answered_and_its_handler_told() -> None:
    client = RawClient()
    stream_id = client.request(request_to(b"/test/Upload"), message(b""), end=False)
    (call,) = calls_in(client.flush())
    assert client.send(frames.data(stream_id, message(b"", flag=2))) == [CallCancelled(call)]
    assert client.headers_of(stream_id)[b"grpc-status"] == b"%d" % Code.INTERNAL
    client.server.reply(call, b"too late")
    assert client.hear() == []


def test_what_came_before_the_peer_broke_the_rules_is_cancelled_rather_than_lost() -> None:
    client = RawClient()
    events = client.send(frames.headers(1), REQUEST, frames.window_update(0, 0))
    client.hear()
    events += client.send(b"")
    assert [type(event) for event in events] == [CallReceived, CallCancelled]


@pytest.mark.parametrize("path", [b"/test/Unary", b"/test/Upload"])
def test_running_handlers_are_bounded_even_where_their_calls_are_reset(path: bytes) -> None:
    client = RawClient(Limits(max_concurrent_streams=10))
    running: list[ServerCall] = []
    for number in range(100):
        stream_id = 1 + 2 * number
        running += calls_in(
            client.send(
                frames.headers(stream_id, request_to(path)),
                frames.data(stream_id, message(b""), end_stream=True),
                frames.rst_stream(stream_id),
            )
        )
        client.hear()
        assert len(running) == client.server.calls_in_flight <= 10
    client.send(frames.headers(201), frames.data(201, message(b""), end_stream=True))
    refused = [sent.error_code for sent in client.hear() if sent.kind == frames.RST_STREAM]
    assert refused == [frames.REFUSED_STREAM]
    client.server.finish(running[0])
    assert calls_in(client.send(frames.headers(203), frames.data(203, message(b""), end_stream=True)))


def test_a_handler_whose_upload_broke_still_counts() -> None:
    client = RawClient(Limits(max_concurrent_streams=1))
    (call,) = calls_in(client.send(frames.headers(1, request_to(b"/test/Upload"))))
    client.send(frames.data(1, message(b"", flag=2)))
    client.hear()
    assert client.server.calls_in_flight == 1
    client.server.finish(call)
    assert client.server.calls_in_flight == 0


def test_a_refused_call_says_that_it_may_be_sent_again() -> None:
    pair = ConnectionPair(Limits(max_concurrent_streams=1))
    pair.exchange()
    cancelled = pair.client.start("/test/Unary", b"")
    received = pair.receive_call()
    pair.client.cancel(cancelled)
    pair.exchange()
    refused = pair.client.start("/test/Unary", b"")
    pair.exchange()
    assert (refused.code, refused.unprocessed) == (Code.UNAVAILABLE, True)
    pair.server.finish(received)
    again = pair.client.start("/test/Unary", b"")
    pair.server.reply(pair.receive_call(), b"")
    pair.exchange()
    assert again.code is Code.OK


def test_a_cancelled_call_gets_no_event_at_the_client() -> None:
    pair = ConnectionPair()
    call = pair.client.start("/test/Unary", b"")
    received = pair.receive_call()
    pair.client.cancel(call)
    pair.client.cancel(call)
    at_server, at_client = pair.exchange()
    assert at_server == [CallCancelled(received)]
    assert at_client == []
    assert call.code is Code.CANCELLED


def test_the_end_of_a_connection_cancels_what_runs_on_it() -> None:
    pair = ConnectionPair()
    pair.client.start("/test/Unary", b"")
    upload = pair.client.start("/test/Upload")
    pair.client.send_message(upload, b"one")
    calls = [event.call for event in pair.exchange()[0] if isinstance(event, CallReceived)]
    told = pair.server.receive_data(b"")
    assert {event.call for event in told if isinstance(event, CallCancelled)} == set(calls)
    assert len(told) == 2
    assert pair.server.closed
    assert all(call.cancelled for call in calls)


def test_messages_that_came_with_the_reset_are_dropped_by_a_handler_that_looks() -> None:
    client = RawClient()
    events = client.send(
        frames.headers(1, request_to(b"/test/Upload")), frames.data(1, message(b"x")), frames.rst_stream(1)
    )
    assert messages_in(events) == [b"x"]
    assert isinstance(events[-1], CallCancelled)
    client.server.consumed(events[-1].call, b"x")
