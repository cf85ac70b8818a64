"""A connection holds no more memory than it may, rejects nothing that fits, and frees what it no longer needs."""

import gzip
from functools import partial

import pytest

from services.wire import Code, Limits, ServerCall, ServerSession
from services.wire.memory import FREE_BYTES, REPORT_BYTES
from services.wire.unread import ROOM_BYTES
from tests.wire import frames
from tests.wire.ends import SHAPES, ConnectionPair, RawClient, calls_in, messages_in
from tests.wire.frames import message, request_to

MIB = 1024 * 1024
GZIPPED = request_to(b"/test/Unary", (b"grpc-encoding", b"gzip"))


MOST_BYTES = 4 * MIB + 2 * MIB + 4 * MIB + 40 * Limits().stream_window_bytes
"""Of a connection that may hold 4 MiB: half as much runs, one message more comes, and what was on its way."""


class Shared:
    """What several sessions share."""

    def __init__(self, budget_bytes: int, connection_bytes: int) -> None:
        self.connection_bytes = connection_bytes
        self.budget_bytes = budget_bytes
        self.held_bytes = 0
        self.most_bytes = 0
        self.refusals = 0

    def add(self, change_bytes: int) -> None:
        self.held_bytes += change_bytes
        self.most_bytes = max(self.most_bytes, self.held_bytes)

    def room_bytes(self) -> int:
        return self.budget_bytes - self.held_bytes

    def refused(self, calls: int) -> None:
        self.refusals += calls

    def session(self, limits: Limits = Limits()) -> ServerSession:  # noqa: B008 - frozen
        return ServerSession(SHAPES, limits, memory=self, on_refusal=self.refused)

    def client(self) -> RawClient:
        return RawClient(server=self.session())


def zeros(size_bytes: int) -> bytes:
    return message(gzip.compress(bytes(size_bytes)), flag=1)


def unary(stream_id: int, body: bytes, fields: tuple[tuple[bytes, bytes], ...] = GZIPPED) -> bytes:
    return frames.headers(stream_id, fields) + frames.data(stream_id, body, end_stream=True)


def test_many_large_uploads_at_once_come_through_one_after_the_other() -> None:
    shared = Shared(16 * MIB, 4 * MIB)
    pair = ConnectionPair(server=shared.session())
    pair.exchange()
    calls = [pair.client.start("/test/Unary", bytes(MIB)) for _ in range(40)]
    while received := calls_in(pair.exchange()[0]):
        for call in received:
            assert len(call.request) == MIB
            pair.server.reply(call, b"")
    assert {call.code for call in calls} == {Code.OK}
    assert 4 * MIB <= shared.most_bytes <= MOST_BYTES
    assert shared.held_bytes == 0


def test_streams_within_a_message_take_no_more_than_the_connection_may_hold() -> None:
    shared = Shared(16 * MIB, 4 * MIB)
    pair = ConnectionPair(server=shared.session())
    pair.exchange()
    calls = [pair.client.start("/test/Upload") for _ in range(40)]
    for call in calls:
        pair.client.send_message(call, bytes(4 * MIB - 100))
    for _ in calls:
        events, _ = pair.exchange()
        for event in events:
            if hasattr(event, "message"):
                pair.server.consumed(event.call, event.message)
    assert shared.most_bytes <= MOST_BYTES


def test_the_largest_message_comes_through_whichever_way_it_comes() -> None:
    shared = Shared(12 * MIB, 8 * MIB)
    client = shared.client()
    largest = Limits().max_message_bytes
    (call,) = calls_in(client.send(unary(1, zeros(largest))))
    assert len(call.request) == largest
    client.server.reply(call, b"")
    pair = ConnectionPair(server=shared.session())
    pair.client.start("/test/Unary", bytes(largest))
    assert len(pair.receive_call().request) == largest


def test_what_would_unpack_to_too_much_is_refused_and_counted() -> None:
    shared = Shared(16 * MIB, 8 * MIB)
    client = shared.client()
    streams = [client.request(GZIPPED, zeros(4 * MIB)) for _ in range(10)]
    calls = calls_in(client.flush())
    assert len(calls) == 2
    assert shared.refusals == 8
    assert shared.most_bytes <= 8 * MIB
    refused = client.headers_of(streams[2])
    assert refused[b"grpc-status"] == b"%d" % Code.RESOURCE_EXHAUSTED
    assert refused[b"grpc-message"].startswith(b"no memory: ")
    client.server.reply(calls[0], b"")
    assert calls_in(client.send(unary(21, zeros(4 * MIB))))


@pytest.mark.parametrize("end", ["finished", "cancelled", "connection lost"])
def test_what_a_call_took_is_given_back_however_it_ends(end: str) -> None:
    shared = Shared(16 * MIB, 8 * MIB)
    client = shared.client()
    (call,) = calls_in(client.send(unary(1, zeros(2 * MIB)), frames.headers(3), frames.data(3, message(bytes(9000)))))
    assert shared.held_bytes >= 2 * MIB - REPORT_BYTES
    if end == "cancelled":
        client.send(frames.rst_stream(1))
    if end == "connection lost":
        client.send(b"")
    client.server.finish(call)
    assert shared.held_bytes == 0
    assert call.request == b""


def test_a_service_that_holds_too_much_refuses_large_calls_and_serves_small_ones() -> None:
    shared = Shared(8 * MIB, 6 * MIB)
    greedy, other = shared.client(), shared.client()
    held = calls_in(greedy.send(unary(1, zeros(4 * MIB)), unary(3, zeros(MIB)), unary(5, zeros(MIB // 2))))
    assert len(held) == 3
    assert not calls_in(other.send(unary(1, zeros(4 * MIB))))
    (small,) = calls_in(other.send(unary(3, zeros(FREE_BYTES // 2))))
    other.server.reply(small, b"")
    for call in held:
        greedy.server.reply(call, b"")
    assert calls_in(other.send(unary(5, zeros(4 * MIB))))


def test_replies_that_are_not_read_count_until_they_are() -> None:
    shared = Shared(16 * MIB, 8 * MIB)
    client = shared.client()
    for stream_id in (1, 3):
        (call,) = calls_in(client.send(unary(stream_id, zeros(10))))
        client.server.reply(call, bytes(3 * MIB))
        client.hear()
    assert abs(shared.held_bytes - 6 * MIB) < 3 * REPORT_BYTES
    assert not calls_in(client.send(unary(5, zeros(3 * MIB))))
    client.send(*(frames.window_update(stream_id, 8 * MIB) for stream_id in (0, 1, 3)))
    client.hear()
    assert shared.held_bytes == 0
    assert calls_in(client.send(unary(7, zeros(3 * MIB))))


def wide(*stream_ids: int) -> list[bytes]:
    return [frames.window_update(stream_id, 8 * MIB) for stream_id in (0, *stream_ids)]


def test_bytes_that_are_given_count_until_they_are_written() -> None:
    shared = Shared(16 * MIB, 8 * MIB)
    client = shared.client()
    (call,) = calls_in(client.send(unary(1, zeros(10)), *wide(1)))
    client.server.reply(call, bytes(200_000))
    client.server.data_to_send()
    assert shared.held_bytes >= 200_000
    assert client.server.data_to_send() == b""
    assert shared.held_bytes == 0


def test_bytes_that_are_given_when_the_connection_is_lost_are_not_counted() -> None:
    shared = Shared(16 * MIB, 8 * MIB)
    client = shared.client()
    (call,) = calls_in(client.send(unary(1, zeros(10)), *wide(1)))
    client.server.reply(call, bytes(MIB))
    client.server.data_to_send()
    client.server.receive_data(b"")
    assert shared.held_bytes == 0
    client.server.data_to_send()
    assert shared.held_bytes == 0


def test_room_that_written_bytes_make_is_given_at_once_to_a_stream_that_waits_for_it() -> None:
    client = Shared(16 * MIB, 100_000).client()
    (call,) = calls_in(client.send(unary(1, message(b""), request_to(b"/test/Unary")), *wide(1)))
    client.server.reply(call, bytes(99_000))
    client.server.data_to_send()
    upload = message(bytes(60_000))
    client.send(frames.headers(3), *(frames.data(3, upload[at : at + 15_000]) for at in range(0, 60_000, 15_000)))
    assert 3 in {sent.stream_id for sent in client.hear()}


def download(client: RawClient) -> ServerCall:
    request = request_to(b"/test/Download")
    (call,) = calls_in(client.send(unary(1, message(b""), request)))
    return call


def test_who_streams_waits_until_the_peer_has_read_in_the_order_of_asking() -> None:
    client = RawClient()
    call = download(client)
    told: list[int] = []
    client.server.when_room(call, lambda: told.append(0))
    assert told == [0]
    client.server.send_message(call, bytes(2 * ROOM_BYTES))
    client.hear()
    for number in (1, 2):
        client.server.when_room(call, partial(told.append, number))
    assert told == [0]
    client.send(frames.window_update(0, 2 * ROOM_BYTES), frames.window_update(1, 2 * ROOM_BYTES))
    client.hear()
    assert told == [0, 1, 2]


def test_what_is_sent_on_being_told_of_room_goes_out_at_once() -> None:
    client = RawClient()
    call = download(client)
    client.server.send_message(call, bytes(2 * ROOM_BYTES))
    client.hear()
    client.server.when_room(call, lambda: client.server.send_message(call, b"next"))
    client.send(frames.window_update(0, 8 * ROOM_BYTES), frames.window_update(1, 8 * ROOM_BYTES))
    assert b"next" in b"".join(sent.payload for sent in client.hear())


@pytest.mark.parametrize("end", [frames.rst_stream(1), b""], ids=["cancelled", "connection lost"])
def test_who_waits_for_room_is_told_when_nobody_waits_for_the_call(end: bytes) -> None:
    client = RawClient()
    call = download(client)
    client.server.send_message(call, bytes(2 * ROOM_BYTES))
    told: list[bool] = []
    client.server.when_room(call, lambda: told.append(call.cancelled))
    client.send(end)
    assert told == [True]


def test_a_reply_that_there_is_no_memory_for_ends_its_call_and_is_counted() -> None:
    shared = Shared(16 * MIB, 8 * MIB)
    client = shared.client()
    streams = [client.request(request_to(b"/test/Unary"), message(b"")) for _ in range(5)]
    for call in calls_in(client.flush()):
        client.server.reply(call, bytes(3 * MIB))
    assert shared.refusals == 3
    assert shared.held_bytes <= 8 * MIB
    assert client.headers_of(streams[2])[b"grpc-status"] == b"%d" % Code.RESOURCE_EXHAUSTED
    assert client.server.calls_in_flight == 0


def test_a_large_reply_of_a_cancelled_call_is_not_counted_as_rejected() -> None:
    shared = Shared(16 * MIB, 8 * MIB)
    client = shared.client()
    (call,) = calls_in(client.send(unary(1, zeros(10))))
    client.send(frames.rst_stream(1))
    client.server.reply(call, bytes(9 * MIB))
    assert (shared.refusals, client.server.calls_in_flight) == (0, 0)


def test_replies_of_a_connection_that_is_over_are_not_counted_again() -> None:
    shared = Shared(16 * MIB, 8 * MIB)
    client = shared.client()
    (call,) = calls_in(client.send(unary(1, zeros(10))))
    client.server.reply(call, bytes(3 * MIB))
    client.hear()
    client.send(b"")
    client.hear()
    assert shared.held_bytes == 0


def test_what_a_handler_has_consumed_is_given_back_while_its_connection_stays() -> None:
    shared = Shared(16 * MIB, 8 * MIB)
    client = shared.client()
    events = client.send(frames.headers(1, request_to(b"/test/Chat", (b"grpc-encoding", b"gzip"))))
    (call,) = calls_in(events)
    (received,) = messages_in(client.send(frames.data(1, zeros(4 * MIB))))
    assert shared.held_bytes >= 4 * MIB - REPORT_BYTES
    client.server.consumed(call, received)
    assert shared.held_bytes == 0


def test_room_that_dropped_replies_make_is_given_at_once_to_a_stream_that_waits_for_it() -> None:
    client = Shared(16 * MIB, MIB).client()
    for stream_id, reply in ((1, bytes(MIB)), (3, bytes(60_000))):
        (call,) = calls_in(client.send(unary(stream_id, message(b""), request_to(b"/test/Unary"))))
        client.server.reply(call, reply)
        client.hear()
    upload = message(bytes(60_000))
    client.send(frames.headers(5), *(frames.data(5, upload[at : at + 15_000]) for at in range(0, 60_000, 15_000)))
    assert 5 not in {sent.stream_id for sent in client.hear()}
    client.send(frames.rst_stream(1))
    assert 5 in {sent.stream_id for sent in client.hear()}


def test_who_waits_for_room_is_called_when_the_call_ends_and_at_once_after_that() -> None:
    client = RawClient()
    call = download(client)
    client.server.send_message(call, bytes(2 * ROOM_BYTES))
    client.hear()
    called: list[str] = []
    client.server.when_room(call, lambda: called.append("before the end"))
    assert called == []
    client.server.finish(call)
    assert called == ["before the end"]
    client.server.when_room(call, lambda: called.append("after the end"))
    assert called == ["before the end", "after the end"]


def test_who_waits_for_room_is_called_once_even_when_a_reply_is_refused_meanwhile() -> None:
    client = Shared(8 * MIB, 4 * MIB).client()
    call = download(client)
    client.server.send_message(call, bytes(2 * ROOM_BYTES))
    client.hear()
    called: list[bool] = []
    client.server.when_room(call, lambda: client.server.send_message(call, bytes(5 * MIB)))
    client.server.when_room(call, lambda: called.append(call.cancelled))
    client.send(frames.window_update(0, 2 * ROOM_BYTES), frames.window_update(1, 2 * ROOM_BYTES))
    client.hear()
    assert called == [True]


def test_the_service_is_asked_for_room_only_for_a_message_that_is_unpacked() -> None:
    asked = []

    class Asked(Shared):
        def room_bytes(self) -> int:
            asked.append(self.budget_bytes)
            return super().room_bytes()

    client = Asked(16 * MIB, 8 * MIB).client()
    body = zeros(9)
    client.send(frames.headers(1, GZIPPED), *(frames.data(1, body[at : at + 1]) for at in range(len(body) - 1)))
    assert asked == []
    assert calls_in(client.send(frames.data(1, body[-1:], end_stream=True)))
    assert len(asked) == 1
