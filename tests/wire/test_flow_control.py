"""No end sends more than the other one makes room for, and no room is ever lost (RFC 9113, section 5.2)."""

import pytest

from services.wire import CallReceived, Code, Limits, MessageReceived, RequestEnded, ServerCall
from tests.wire import frames
from tests.wire.ends import ConnectionPair, RawClient, calls_in, messages_in
from tests.wire.frames import GRPC_REQUEST, message, request_to

MEBIBYTE = 1024 * 1024
SMALL = Limits(stream_window_bytes=65_535, connection_window_bytes=65_535)


def test_messages_larger_than_the_window_get_through_both_ways() -> None:
    pair = ConnectionPair(SMALL)
    call = pair.client.start("/test/Unary", bytes(3 * MEBIBYTE))
    received = pair.receive_call()
    assert len(received.request) == 3 * MEBIBYTE
    pair.server.reply(received, bytes(2 * MEBIBYTE))
    pair.exchange()
    assert call.reply == bytes(2 * MEBIBYTE)


def test_a_streamed_message_larger_than_the_window_gets_through() -> None:
    pair = ConnectionPair(SMALL)
    call = pair.client.start("/test/Upload")
    pair.client.send_message(call, bytes(MEBIBYTE))
    assert [len(one) for one in messages_in(pair.exchange()[0])] == [MEBIBYTE]


def test_a_reply_waits_for_room_at_the_client() -> None:
    client = RawClient()
    (call,) = calls_in(client.send(frames.headers(1), frames.data(1, message(b""), end_stream=True)))
    client.server.reply(call, bytes(100_000))
    assert sum(len(sent.payload) for sent in client.hear() if sent.kind == frames.DATA) == 65_535
    client.send(frames.window_update(0, 100_000), frames.window_update(1, 100_000))
    assert client.hear()[-1].flags & frames.END_STREAM


def upload(
    pair: ConnectionPair, messages: int, size_bytes: int, *, gzip: bool = False
) -> tuple[ServerCall, list[bytes]]:
    """Offers messages to a handler that does not consume; the call, and the messages that came all the same."""
    pair.exchange()
    call = pair.client.start("/test/Upload", gzip=gzip)
    for number in range(messages):
        pair.client.send_message(call, bytes([number % 256]) * size_bytes)
    pair.client.end_requests(call)
    events, _ = pair.exchange()
    (received,) = calls_in(events)
    return received, messages_in(events)


@pytest.mark.parametrize("size_bytes", [10, 1000, 20_000, 30_000])
def test_a_sender_stalls_within_the_window_and_goes_on_as_messages_are_consumed(size_bytes: int) -> None:
    pair = ConnectionPair(SMALL)
    count = 300_000 // (size_bytes + 5)
    received, waiting = upload(pair, count, size_bytes)
    assert 0 < len(waiting) <= 65_535 // (size_bytes + 5)
    seen = 0
    while waiting:
        pair.server.consumed(received, waiting.pop(0))
        seen += 1
        waiting += messages_in(pair.exchange()[0])
        assert len(waiting) * (size_bytes + 5) <= 65_535 + size_bytes + 5
    assert seen == count


def test_compressed_messages_give_back_the_room_they_took_and_not_their_size() -> None:
    pair = ConnectionPair(Limits(stream_window_bytes=16_384))
    received, waiting = upload(pair, 400, 100_000, gzip=True)
    assert 0 < len(waiting) < 400
    seen = 0
    while waiting:
        pair.server.consumed(received, waiting.pop(0))
        seen += 1
        waiting += messages_in(pair.exchange()[0])
    assert seen == 400


def test_a_message_in_many_frames_gives_back_its_room_once() -> None:
    client = RawClient(SMALL)
    (call,) = calls_in(client.send(frames.headers(1, request_to(b"/test/Upload"))))
    body = message(bytes(1000))
    for _ in range(1000):
        events = client.send(*(frames.data(1, body[at : at + 300]) for at in range(0, len(body), 300)))
        (received,) = messages_in(events)
        client.server.consumed(call, received)
        client.hear()
    assert not client.server.closed


@pytest.mark.parametrize("ending", ["cancelled", "finished early", "refused", "consumed after its end"])
def test_an_upload_that_ends_unread_leaves_no_room_taken(ending: str) -> None:
    pair = ConnectionPair(SMALL)
    for _ in range(20):
        call = pair.client.start("/test/Upload")
        pair.client.send_message(call, bytes(20_000))
        events, _ = pair.exchange()
        (received,) = calls_in(events)
        if ending == "refused":
            pair.client.send_message(call, bytes(5 * MEBIBYTE))
        if ending == "finished early":
            pair.server.finish(received, Code.ABORTED, "enough")
        else:
            pair.client.cancel(call)
        pair.exchange()
        for one in messages_in(events) if ending == "consumed after its end" else ():
            pair.server.consumed(received, one)
        if ending != "finished early":
            pair.server.finish(received)
    _, waiting = upload(pair, 3, 15_000)
    assert len(waiting) == 3


def test_padding_takes_no_room_for_good() -> None:
    client = RawClient(SMALL)
    for number in range(200):
        stream_id = 1 + 2 * number
        client.send(frames.headers(stream_id))
        body = message(bytes(95))
        for at in range(0, len(body), 5):
            client.send(frames.padded_data(stream_id, body[at : at + 5], 255))
        (call,) = calls_in(client.send(frames.data(stream_id, b"", end_stream=True)))
        client.server.reply(call, b"")
        client.hear()
    assert not client.server.closed


def test_padding_of_one_long_upload_takes_no_room_for_good() -> None:
    client = RawClient(SMALL)
    (call,) = calls_in(client.send(frames.headers(1, request_to(b"/test/Upload"))))
    for _ in range(20 * 60):
        for one in messages_in(client.send(frames.padded_data(1, message(b""), 255))):
            client.server.consumed(call, one)
        client.hear()
    assert not client.server.closed


def test_a_peer_that_ignores_the_window_is_cut_off() -> None:
    client = RawClient(SMALL)
    (call,) = calls_in(client.send(frames.headers(1, request_to(b"/test/Upload"))))
    for _ in range(5):
        client.send(frames.data(1, message(bytes(15_995))))
    assert [sent.kind for sent in client.hear()][-1] == frames.GOAWAY
    assert client.server.closed
    assert call.cancelled


def test_many_slow_uploads_share_the_connections_window() -> None:
    pair = ConnectionPair(Limits(connection_window_bytes=100_000))
    calls = [pair.client.start("/test/Upload") for _ in range(10)]
    for call in calls:
        for _ in range(20):
            pair.client.send_message(call, bytes(1000))
        pair.client.end_requests(call)
    events, _ = pair.exchange()
    assert sum(map(len, messages_in(events))) <= 100_000 + len(calls) * 1005
    ended = set()
    received = {event.call for event in events if isinstance(event, CallReceived)}
    assert len(received) == 10
    while events:
        for event in events:
            if isinstance(event, RequestEnded):
                ended.add(event.call)
                pair.server.reply(event.call, b"")
            elif not isinstance(event, CallReceived):
                pair.server.consumed(event.call, getattr(event, "message", b""))
        events, _ = pair.exchange()
    assert ended == received
    assert {call.code for call in calls} == {Code.OK}


def test_a_download_larger_than_all_windows_arrives_whole() -> None:
    pair = ConnectionPair(SMALL)
    call = pair.client.start("/test/Download", b"", streaming=True)
    received = pair.receive_call()
    for _ in range(100):
        pair.server.send_message(received, bytes(10_000))
    pair.server.finish(received)
    _, events = pair.exchange()
    assert len([event for event in events if isinstance(event, MessageReceived)]) == 100
    assert call.code is Code.OK


def test_a_request_sent_by_a_strict_peer_is_the_same() -> None:
    client = RawClient(SMALL)
    client.request(GRPC_REQUEST, message(bytes(60_000)))
    assert [len(call.request) for call in calls_in(client.flush())] == [60_000]
