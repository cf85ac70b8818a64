"""The one way to stop: no new calls, those in flight finish, and then the connection is closed."""

from services.wire import CallReceived, ClientSession, Code, ServerSession, Shape
from tests.wire import frames
from tests.wire.ends import ConnectionPair, RawClient, calls_in
from tests.wire.frames import message

LAST_STREAM_ID = 2**31 - 1
REQUEST = message(b"hello")


def last_stream_id(goaway: frames.Frame) -> int:
    return int.from_bytes(goaway.payload[:4], "big")


def test_an_idle_connection_says_goaway_pings_says_goaway_and_is_closed() -> None:
    client = RawClient()
    client.server.drain()
    first, ping = client.hear()
    assert (first.kind, first.error_code, last_stream_id(first)) == (frames.GOAWAY, frames.NO_ERROR, LAST_STREAM_ID)
    assert (ping.kind, ping.flags) == (frames.PING, 0)
    assert not client.server.closed
    client.send(frames.frame(frames.PING, frames.ACK, 0, ping.payload))
    (second,) = client.hear()
    assert (second.kind, second.error_code, last_stream_id(second)) == (frames.GOAWAY, frames.NO_ERROR, 0)
    assert client.server.closed


def test_a_call_that_was_on_its_way_is_still_taken() -> None:
    client = RawClient()
    client.server.drain()
    _, ping = client.hear()
    (call,) = calls_in(client.send(frames.headers(1), frames.data(1, REQUEST, end_stream=True)))
    client.send(frames.frame(frames.PING, frames.ACK, 0, ping.payload))
    (second,) = client.hear()
    assert last_stream_id(second) == 1
    assert not client.server.closed
    client.server.reply(call, b"done")
    assert [sent.kind for sent in client.hear()] == [frames.HEADERS, frames.DATA, frames.HEADERS]
    assert client.server.closed


def test_a_call_that_comes_after_the_second_goaway_is_not_taken() -> None:
    client = RawClient()
    (running,) = calls_in(client.send(frames.headers(1), frames.data(1, REQUEST, end_stream=True)))
    client.server.drain()
    _, ping = client.hear()
    client.send(frames.frame(frames.PING, frames.ACK, 0, ping.payload))
    client.hear()
    assert client.send(frames.headers(3), frames.data(3, REQUEST, end_stream=True)) == []
    client.server.reply(running, b"done")
    client.hear()
    assert client.server.closed


def test_a_slow_reply_is_sent_whole_before_the_connection_is_closed() -> None:
    client = RawClient()
    (call,) = calls_in(client.send(frames.headers(1), frames.data(1, REQUEST, end_stream=True)))
    client.server.drain()
    _, ping = client.hear()
    client.send(frames.frame(frames.PING, frames.ACK, 0, ping.payload))
    client.server.reply(call, bytes(100_000))
    client.hear()
    assert not client.server.closed
    client.send(frames.window_update(0, 100_000), frames.window_update(1, 100_000))
    assert client.hear()[-1].flags & frames.END_STREAM
    assert client.server.closed


def test_another_ping_is_not_taken_for_the_drains() -> None:
    client = RawClient()
    client.server.drain()
    client.hear()
    client.send(frames.frame(frames.PING, frames.ACK, 0, b"another!"))
    assert client.hear() == []
    assert not client.server.closed


def test_draining_twice_is_draining() -> None:
    client = RawClient()
    client.server.drain()
    client.server.drain()
    assert [sent.kind for sent in client.hear()] == [frames.GOAWAY, frames.PING]


def test_draining_a_connection_that_is_over_says_nothing() -> None:
    client = RawClient()
    client.send(frames.window_update(0, 0))
    client.server.drain()
    assert [sent.kind for sent in client.hear()] == [frames.GOAWAY]
    client.server.drain()
    assert client.hear() == []


def test_our_client_finishes_its_calls_starts_none_and_closes() -> None:
    pair = ConnectionPair()
    call = pair.client.start("/test/Unary", b"hello")
    received = pair.receive_call()
    pair.server.drain()
    pair.exchange()
    assert not pair.client.can_start
    assert not pair.client.closed
    pair.server.reply(received, b"done")
    pair.exchange()
    assert (call.code, call.reply) == (Code.OK, b"done")
    assert pair.client.closed
    assert pair.server.closed


def test_a_client_that_says_goaway_with_no_call_left_is_done_with() -> None:
    client = RawClient()
    client.send(frames.frame(frames.GOAWAY, 0, 0, bytes(8)))
    client.hear()
    assert client.server.closed


def test_a_connection_that_is_old_drains_when_its_peer_is_next_heard_of() -> None:
    now_ns = [0]
    server = ServerSession({b"/a/b": Shape.UNARY}, clock_ns=lambda: now_ns[0], max_age_ns=1000)
    client = ClientSession("a")

    def talk() -> list[object]:
        events: list[object] = []
        for sender, receiver in ((client, server), (server, client)) * 4:
            if data := sender.data_to_send():
                events += receiver.receive_data(data)
        return events

    client.start("/a/b", b"")
    now_ns[0] = 999
    (received,) = talk()
    assert not client.going_away
    now_ns[0] = 1000
    assert isinstance(received, CallReceived)
    server.reply(received.call, b"done")
    talk()
    assert not client.going_away, "it has said nothing since"
    call = client.start("/a/b", b"")
    (received, *_) = talk()
    assert client.going_away
    assert isinstance(received, CallReceived)
    server.reply(received.call, b"done")
    talk()
    assert call.code is Code.OK
    assert server.closed


def test_a_client_that_goes_away_says_so_and_breaks_no_rule() -> None:
    pair = ConnectionPair()
    pair.client.go_away()
    said = pair.client.data_to_send()
    (goaway,) = [each for each in frames.parse(said.removeprefix(frames.PREFACE)) if each.kind == frames.GOAWAY]
    assert (goaway.error_code, last_stream_id(goaway)) == (frames.NO_ERROR, 0)
    assert pair.server.receive_data(said) == []
