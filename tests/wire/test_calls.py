"""Calls from one end to the other, each also byte by byte: the four shapes, metadata, errors, compression."""

import pytest

from services.wire import (
    CallReceived,
    ClientCall,
    Code,
    Limits,
    MessageReceived,
    RequestEnded,
    RequestMessage,
    ServerCall,
    ServerSession,
    Shape,
)
from tests.wire.ends import SHAPES, ConnectionPair

CHOPS = pytest.mark.parametrize("chop", [None, 1], ids=["whole", "bytewise"])
CASES = pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])


def serve(pair: ConnectionPair, *, gzip: bool = False) -> list[bytes]:
    """Runs the calls until both ends are idle: joins uploads, streams downloads by word. Returns what was streamed."""
    server = pair.server
    sent: dict[ServerCall, list[bytes]] = {}
    replies: list[bytes] = []
    while True:
        at_server, at_client = pair.exchange()
        replies += [event.message for event in at_client if isinstance(event, MessageReceived)]
        if not at_server and not at_client:
            return replies
        for event in at_server:
            call = event.call
            if isinstance(event, CallReceived) and call.shape is Shape.UNARY:
                server.reply(call, call.request.upper())
            elif isinstance(event, CallReceived) and call.shape is Shape.SERVER_STREAMING:
                for word in call.request.split():
                    server.send_message(call, word, gzip=gzip)
                server.finish(call)
            elif isinstance(event, RequestMessage):
                sent.setdefault(call, []).append(event.message)
                if call.shape is Shape.BIDIRECTIONAL:
                    server.send_message(call, event.message.upper(), gzip=gzip)
                server.consumed(call, event.message)
            elif isinstance(event, RequestEnded) and call.shape is Shape.CLIENT_STREAMING:
                server.reply(call, b" ".join(sent.get(call, [])))
            elif isinstance(event, RequestEnded):
                server.finish(call)


@CHOPS
@CASES
def test_a_unary_call_gets_its_reply(chop: int | None, gzip: bool) -> None:
    pair = ConnectionPair(chop=chop)
    call = pair.client.start("/test/Unary", b"hello", gzip=gzip)
    serve(pair)
    assert (call.code, call.reply, call.message) == (Code.OK, b"HELLO", "")


@CHOPS
@CASES
def test_an_upload_of_many_messages_gets_one_reply(chop: int | None, gzip: bool) -> None:
    pair = ConnectionPair(chop=chop)
    call = pair.client.start("/test/Upload", gzip=gzip)
    for word in (b"to", b"", b"be"):
        pair.client.send_message(call, word)
    pair.client.end_requests(call)
    serve(pair)
    assert (call.code, call.reply) == (Code.OK, b"to  be")


@CHOPS
@CASES
def test_a_download_gets_every_message(chop: int | None, gzip: bool) -> None:
    pair = ConnectionPair(chop=chop)
    call = pair.client.start("/test/Download", b"to be or", streaming=True)
    assert serve(pair, gzip=gzip) == [b"to", b"be", b"or"]
    assert call.code is Code.OK


@CHOPS
@CASES
def test_a_chat_goes_back_and_forth(chop: int | None, gzip: bool) -> None:
    pair = ConnectionPair(chop=chop)
    call = pair.client.start("/test/Chat", streaming=True, gzip=gzip)
    pair.client.send_message(call, b"ping")
    assert serve(pair, gzip=gzip) == [b"PING"]
    pair.client.send_message(call, b"pong")
    assert serve(pair, gzip=gzip) == [b"PONG"]
    pair.client.end_requests(call)
    serve(pair)
    assert call.code is Code.OK


def test_each_end_is_told_which_messages_came_compressed() -> None:
    pair = ConnectionPair()
    call = pair.client.start("/test/Chat", streaming=True, gzip=True)
    for compressed in (True, False):
        pair.client.send_message(call, b"asked", gzip=compressed)
    at_server, _ = pair.exchange()
    asked = [event for event in at_server if isinstance(event, RequestMessage)]
    pair.server.send_headers(asked[0].call, gzip=True)
    for compressed in (True, False):
        pair.server.send_message(asked[0].call, b"got", gzip=compressed)
    _, at_client = pair.exchange()
    got = [event for event in at_client if isinstance(event, MessageReceived)]
    assert [event.compressed for event in asked] == [event.compressed for event in got] == [True, False]


def test_streams_without_a_message_are_calls_too() -> None:
    pair = ConnectionPair()
    upload, chat = pair.client.start("/test/Upload"), pair.client.start("/test/Chat", streaming=True)
    pair.client.end_requests(upload)
    pair.client.end_requests(chat)
    assert serve(pair) == []
    assert (upload.code, upload.reply, chat.code) == (Code.OK, b"", Code.OK)


def test_an_empty_message_is_a_message() -> None:
    pair = ConnectionPair()
    call = pair.client.start("/test/Unary", b"")
    serve(pair)
    assert (call.code, call.reply) == (Code.OK, b"")


def test_a_hundred_calls_share_a_connection() -> None:
    pair = ConnectionPair()
    calls = [pair.client.start("/test/Unary", b"%d" % number) for number in range(100)]
    assert not pair.client.can_start
    serve(pair)
    assert [call.reply for call in calls] == [b"%d" % number for number in range(100)]
    assert pair.client.can_start


def test_calls_past_the_peers_limit_wait_in_the_client() -> None:
    pair = ConnectionPair(Limits(max_concurrent_streams=2))
    pair.exchange()
    calls = [pair.client.start("/test/Unary", b"x") for _ in range(5)]
    assert not pair.client.can_start
    pair.client.cancel(calls[3])
    serve(pair)
    assert [call.code for call in calls] == [Code.OK, Code.OK, Code.OK, Code.CANCELLED, Code.OK]


@CHOPS
def test_metadata_travels_with_the_request_the_headers_and_the_status(chop: int | None) -> None:
    pair = ConnectionPair(chop=chop)
    call = pair.client.start("/test/Unary", b"", metadata=[("Key", "value"), ("key-bin", b"\0\xff")])
    received = pair.receive_call()
    assert received.head.metadata[-2:] == (("key", "value"), ("key-bin", b"\0\xff"))
    pair.server.send_headers(received, [("first", "1")])
    pair.server.send_message(received, b"reply")
    pair.server.finish(received, metadata=[("last", "2"), ("last-bin", b"\1")])
    pair.exchange()
    assert (call.code, call.reply, call.trailers) == (Code.OK, b"reply", (("last", "2"), ("last-bin", b"\1")))


def test_the_callers_timeout_becomes_a_deadline_on_the_sessions_clock() -> None:
    pair = ConnectionPair()
    pair.client.start("/test/Unary", b"", timeout_ns=1_500_000_000)
    received = pair.receive_call()
    assert received.deadline_ns == received.received_ns + 1_500_000_000


def test_without_a_timeout_there_is_no_deadline() -> None:
    pair = ConnectionPair()
    pair.client.start("/test/Unary", b"")
    assert pair.receive_call().deadline_ns is None


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
def test_a_status_and_its_message_reach_the_caller(code: Code) -> None:
    pair = ConnectionPair()
    call = pair.client.start("/test/Unary", b"")
    pair.server.finish(pair.receive_call(), code, "why: 100 % ü\n", [("detail-bin", b"\0")])
    pair.exchange()
    assert (call.code, call.message, call.trailers) == (code, "why: 100 % ü\n", (("detail-bin", b"\0"),))


def test_a_status_after_messages_reaches_the_caller() -> None:
    pair = ConnectionPair()
    call = pair.client.start("/test/Download", b"", streaming=True)
    received = pair.receive_call()
    pair.server.send_message(received, b"one")
    pair.server.finish(received, Code.ABORTED, "enough")
    _, events = pair.exchange()
    assert events[0] == MessageReceived(call, b"one")
    assert (call.code, call.message) == (Code.ABORTED, "enough")


def test_a_message_of_any_length_does_not_cost_the_status() -> None:
    pair = ConnectionPair()
    call = pair.client.start("/test/Unary", b"")
    pair.server.finish(pair.receive_call(), Code.ABORTED, "x" * 1_000_000)
    pair.exchange()
    assert call.code is Code.ABORTED


def test_metadata_that_cannot_be_sent_leaves_the_call_to_be_finished() -> None:
    pair = ConnectionPair()
    call = pair.client.start("/test/Unary", b"")
    received = pair.receive_call()
    with pytest.raises(ValueError, match="reserved"):
        pair.server.finish(received, Code.OK, "", [("grpc-status", "0")])
    pair.server.finish(received, Code.UNKNOWN, "handler failed")
    pair.exchange()
    assert call.code is Code.UNKNOWN


@pytest.mark.parametrize(("path", "gzip"), [("/test/Unary", False), ("/test/Unary", True), ("/test/Upload", True)])
def test_a_request_over_the_limit_is_refused_and_the_connection_lives(path: str, gzip: bool) -> None:
    pair = ConnectionPair(Limits(max_message_bytes=1000))
    big = pair.client.start(path, bytes(1001), gzip=gzip)
    serve(pair)
    assert big.code is Code.RESOURCE_EXHAUSTED
    small = pair.client.start("/test/Unary", bytes(1000))
    serve(pair)
    assert small.code is Code.OK


@pytest.mark.parametrize("gzip", [False, True])
def test_a_reply_over_the_clients_limit_ends_the_call_there(gzip: bool) -> None:
    pair = ConnectionPair(Limits(max_message_bytes=1000))
    call = pair.client.start("/test/Unary", b"")
    received = pair.receive_call()
    pair.server.send_message(received, bytes(1001), gzip=gzip)
    pair.server.finish(received)
    pair.exchange()
    assert call.code is Code.RESOURCE_EXHAUSTED


def test_the_reply_of_a_unary_call_that_fails_is_dropped() -> None:
    pair = ConnectionPair()
    call = pair.client.start("/test/Unary", b"")
    received = pair.receive_call()
    pair.server.send_message(received, b"too early")
    pair.server.finish(received, Code.ABORTED, "changed its mind")
    pair.exchange()
    assert (call.code, call.reply) == (Code.ABORTED, None)


@pytest.mark.parametrize("replies", [0, 2])
def test_a_unary_call_takes_exactly_one_reply(replies: int) -> None:
    pair = ConnectionPair(server=ServerSession({b"/test/Unary": Shape.SERVER_STREAMING}))
    call = pair.client.start("/test/Unary", b"")
    received = pair.receive_call()
    for _ in range(replies):
        pair.server.send_message(received, b"x")
    pair.server.finish(received)
    pair.exchange()
    assert call.code is Code.UNIMPLEMENTED


def test_an_ended_connection_takes_no_more_calls_and_ends_those_in_flight() -> None:
    pair = ConnectionPair()
    calls: list[ClientCall] = [pair.client.start("/test/Unary", b"") for _ in range(2)]
    pair.exchange()
    assert [event.call for event in pair.client.receive_data(b"")] == calls
    assert {call.code for call in calls} == {Code.UNAVAILABLE}
    assert pair.client.closed
    assert not pair.client.can_start
    assert pair.client.receive_data(b"") == []


def test_a_call_that_finds_no_room_is_told_to_whoever_counts_them() -> None:
    refused: list[int] = []
    server = ServerSession(SHAPES, Limits(max_concurrent_streams=2), on_refusal=refused.append)
    pair = ConnectionPair(server=server)
    for _ in range(2):
        pair.client.start("/test/Unary", b"")
    first, second = (event.call for event in pair.to_server())
    server.finish(first, Code.RESOURCE_EXHAUSTED, "queue is full")
    server.finish(second, Code.NOT_FOUND)
    assert refused == [1]
