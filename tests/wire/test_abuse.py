"""Peers that ask for more than they pay for: the exact count at which each is cut off (RFC 9113, section 10.5)."""

import struct
from collections.abc import Callable

import pytest

from services.wire import Limits
from services.wire.limits import UPDATE_EARNED_BYTES, Allowance
from tests.wire import frames
from tests.wire.ends import RawClient, calls_in
from tests.wire.frames import message, request_to

PING = frames.frame(frames.PING, 0, 0, b"12345678")
PING_ACKNOWLEDGEMENT = frames.frame(frames.PING, frames.ACK, 0, b"draining")
SETTINGS = frames.frame(frames.SETTINGS)
# RFC 9113, section 8.1.1: a malformed request is a stream error, so each makes the server send a reset.
MALFORMED = request_to(b"/test/Unary", (b"te", b"gzip"))


def rapid_reset(number: int) -> bytes:
    stream_id = 1 + 2 * number
    return frames.headers(stream_id) + frames.rst_stream(stream_id)


def rapid_call(number: int) -> bytes:
    stream_id = 1 + 2 * number
    return frames.headers(stream_id) + frames.data(stream_id, message(b""), end_stream=True)


def rapid_reset_after_data(number: int) -> bytes:
    stream_id = 1 + 2 * number
    return (
        frames.headers(stream_id) + frames.data(stream_id, message(b""), end_stream=True) + frames.rst_stream(stream_id)
    )


def malformed_request(number: int) -> bytes:
    return frames.headers(1 + 2 * number, MALFORMED, end_stream=True)


def malformed_trailers(number: int) -> bytes:
    stream_id = 1 + 2 * number
    return frames.headers(stream_id) + frames.headers(stream_id, [(b"a", b"b")])


def wrong_content_length(number: int) -> bytes:
    stream_id = 1 + 2 * number
    fields = request_to(b"/test/Unary", (b"content-length", b"3"))
    return frames.headers(stream_id, fields) + frames.data(stream_id, message(b""), end_stream=True)


def update_of_a_stream(number: int) -> bytes:
    return frames.headers(1) if number == 0 else frames.window_update(1, 1)


def update_of_the_connection(_: int) -> bytes:
    return frames.window_update(0, 1)


EARNED = (27 + 13 + 9) // UPDATE_EARNED_BYTES
"""Updates that a peer has earned by its preface: the server's SETTINGS, WINDOW_UPDATE and acknowledgement."""


def cut_off_after(client: RawClient, attack: Callable[[int], bytes], at_most: int = 3000) -> int:
    """How many repetitions the server accepts. Then it must send the reason, and be closed."""
    for number in range(at_most):
        if client.server.closed:
            goaway = client.hear()[-1]
            assert (goaway.kind, goaway.error_code) == (frames.GOAWAY, frames.ENHANCE_YOUR_CALM)
            assert client.server.data_to_send() == b""
            assert client.send(PING) == []
            return number
        for call in calls_in(client.send(attack(number))):
            client.server.finish(call)
        if not client.server.closed:
            client.hear()
            if not client.server.closed:
                continue
            return number + 1
    return at_most


@pytest.mark.parametrize(
    ("attack", "allowed"),
    [
        (rapid_reset, Limits().resets_received.burst),
        (rapid_reset_after_data, Limits().resets_received.burst),
        (lambda _: PING, Limits().pings.burst + 1),  # the server's preface earns one
        (lambda _: SETTINGS, Limits().settings.burst - 1),  # the one of the preface is counted as well
        (lambda number: frames.headers(1) if number == 0 else frames.data(1, b""), Limits().empty_frames.burst + 1),
        (
            lambda number: frames.headers(1) if number == 0 else frames.padded_data(1, b"", 9),
            Limits().empty_frames.burst + 1,
        ),
        (lambda _: PING_ACKNOWLEDGEMENT, Limits().ping_acknowledgements.burst),
        (update_of_the_connection, Limits().window_updates.burst + EARNED),
        (update_of_a_stream, Limits().window_updates.burst + EARNED + 1),
    ],
    ids=[
        *("reset", "reset after data", "ping", "settings", "empty data", "padding only"),
        *("ping acknowledgement", "connection's window update", "stream's window update"),
    ],
)
def test_a_flood_is_cut_off_at_the_first_past_what_is_allowed(attack: Callable[[int], bytes], allowed: int) -> None:
    assert cut_off_after(RawClient(), attack) == allowed + 1


def test_a_ping_after_each_reply_is_no_flood() -> None:
    """As grpc-go sends them, at thousands a second over the loopback device."""
    client = RawClient()
    for number in range(3 * Limits().pings.burst):
        (call,) = calls_in(client.send(rapid_call(number)))
        client.server.finish(call)
        client.hear()
        client.send(PING)
        client.hear()
    assert not client.server.closed


def test_a_reply_earns_one_ping() -> None:
    client = RawClient()
    (call,) = calls_in(client.send(rapid_call(0)))
    client.server.send_message(call, bytes(10_000))
    client.server.finish(call)
    client.hear()
    assert cut_off_after(client, lambda _: PING * 2) == Limits().pings.burst // 2 + 1


@pytest.mark.parametrize("attack", [malformed_request, malformed_trailers, wrong_content_length])
def test_resets_that_a_peer_provokes_count_as_well(attack: Callable[[int], bytes]) -> None:
    # libnghttp2 sends such a reset with the next output, and reports it with the next input: one later.
    assert cut_off_after(RawClient(), attack) == Limits().resets_sent.burst + 2


@pytest.mark.parametrize(
    "attack",
    [
        frames.window_update(1, 0),
        frames.window_update(1, 2**31 - 1),
        frames.frame(frames.PRIORITY, 0, 1, b"\0\0\0\0"),
        frames.data(1, b"x"),
        frames.headers(1),
        frames.rst_stream(1)[:3] + frames.rst_stream(1)[3:9].replace(b"\4", b"\5"),
    ],
    ids=["no increment", "overflow", "short priority", "data after the end", "headers after the end", "reset, cut"],
)
def test_what_once_provoked_a_reset_ends_the_connection_at_once(attack: bytes) -> None:
    client = RawClient()
    (call,) = calls_in(client.send(frames.headers(1), frames.data(1, message(b""), end_stream=True)))
    client.send(attack + bytes(64))
    said = client.hear()
    assert [sent.kind for sent in said] == [frames.GOAWAY]
    assert client.server.closed
    assert call.cancelled


@pytest.mark.parametrize(
    "attack",
    [
        lambda _: frames.frame(frames.PRIORITY, 0, 1, struct.pack(">IB", 1, 1)),
        lambda _: frames.frame(frames.PRIORITY, 0, 1, struct.pack(">IB", 3, 1)),
        lambda _: frames.frame(0xBB, 0, 1),
    ],
    ids=["priority on itself", "priority", "unknown frame"],
)
def test_frames_without_a_purpose_are_counted_by_libnghttp2(attack: Callable[[int], bytes]) -> None:
    client = RawClient()
    client.send(frames.headers(1))
    limit = Limits().glitches.burst
    assert limit < cut_off_after(client, attack) <= limit + 2 * Limits().glitches.per_second


def test_streams_past_the_limit_are_counted_though_no_call_comes_of_them() -> None:
    client = RawClient(Limits(max_concurrent_streams=2), acknowledge=False)
    client.send(frames.headers(1), frames.headers(3))
    limit = Limits().glitches.burst
    cut_off = cut_off_after(client, lambda number: frames.headers(5 + 2 * number))
    assert limit < cut_off <= limit + 2 * Limits().glitches.per_second


def test_continuations_without_end_close_the_connection() -> None:
    client = RawClient()
    client.send(frames.frame(frames.HEADERS, 0, 1, b"\x82"), *[frames.frame(frames.CONTINUATION, 0, 1, b"\x84")] * 9)
    assert client.server.closed
    client.hear_nothing()


def test_a_header_block_that_unpacks_to_too_much_closes_the_connection() -> None:
    client = RawClient()
    entry = b"\x40\x01a" + b"\x7f\xa1\x1e" + b"x" * 4000  # 4,000 bytes into the dynamic table, then named 200 times
    client.send(frames.frame(frames.HEADERS, frames.END_HEADERS, 1, entry + b"\xbe" * 200))
    assert client.server.closed
    client.hear_nothing()


def test_an_oversized_frame_is_refused_by_its_head() -> None:
    client = RawClient()
    client.send(b"\xff\xff\xff" + frames.data(1, b"")[3:])
    assert [sent.kind for sent in client.hear()] == [frames.GOAWAY]
    assert client.server.closed


@pytest.mark.parametrize(
    ("one", "per_second"),
    [
        (rapid_reset, Limits().resets_received.per_second),
        (malformed_request, Limits().resets_sent.per_second),
        (lambda _: PING, Limits().pings.per_second),
        (lambda _: SETTINGS, Limits().settings.per_second),
        (lambda _: PING_ACKNOWLEDGEMENT, Limits().ping_acknowledgements.per_second),
        (update_of_the_connection, Limits().window_updates.per_second),
    ],
    ids=["reset", "malformed", "ping", "settings", "ping acknowledgement", "window update"],
)
def test_who_stays_below_the_allowance_is_not_cut_off(one: Callable[[int], bytes], per_second: int) -> None:
    client = RawClient()
    for number in range(900):
        client.clock.advance(1 / per_second)
        client.send(one(number))
        client.hear()
    assert not client.server.closed


def test_a_second_acknowledgement_of_settings_ends_the_connection() -> None:
    client = RawClient()
    client.send(frames.frame(frames.SETTINGS, frames.ACK))
    assert [(sent.kind, sent.error_code) for sent in client.hear()] == [(frames.GOAWAY, frames.PROTOCOL_ERROR)]
    assert client.server.closed


def test_a_peer_may_update_windows_for_all_that_it_was_sent() -> None:
    client = RawClient()
    for number in range(3_000):  # a response of no message, and two updates, as where each stream has a wide window
        stream_id = 1 + 2 * number
        opened, ended = frames.headers(stream_id), frames.data(stream_id, message(b""), end_stream=True)
        (call,) = calls_in(client.send(opened, frames.window_update(stream_id, 1), ended))
        client.server.reply(call, b"")
        client.hear()
        client.send(frames.window_update(0, 1))
    assert not client.server.closed


def test_a_download_earns_its_updates_ahead() -> None:
    client = RawClient()
    room = frames.window_update(0, 10_000_000) + frames.window_update(1, 10_000_000)
    request = frames.headers(1, request_to(b"/test/Download")) + frames.data(1, message(b""), end_stream=True)
    (call,) = calls_in(client.send(request, room))
    client.server.send_message(call, bytes(10_000_000))
    client.hear()
    for _ in range(2 * 10_000_000 // 4096):  # Go's net/http2 reads, and makes room for, 4 KiB
        client.send(update_of_the_connection(0))
    assert not client.server.closed


def test_calls_answered_early_are_not_held_against_the_peer() -> None:
    client = RawClient()
    for number in range(900):
        client.send(frames.headers(1 + 2 * number, request_to(b"/nothing")))
        client.hear()
    assert not client.server.closed


def test_calls_in_flight_are_cancelled_once_when_their_peer_is_cut_off() -> None:
    client = RawClient(Limits())
    (call,) = calls_in(client.send(frames.headers(1), frames.data(1, message(b""), end_stream=True)))
    events = client.send(PING * (Limits().pings.burst + 2))
    assert [event.call for event in events] == [call]
    assert client.send(b"") == []
    client.server.reply(call, b"too late")
    assert client.hear()[-1].kind == frames.GOAWAY
    assert client.server.calls_in_flight == 0


def test_frames_that_stop_an_early_sender_earn_window_updates_too() -> None:
    client = RawClient(Limits(window_updates=Allowance(0, 0)))
    unknown = request_to(b"/test/Unknown")
    client.send(*(frames.headers(1 + 2 * number, unknown) for number in range(50)))
    sent_bytes = sum(9 + len(sent.payload) for sent in client.hear())
    client.send(*(update_of_the_connection(at) for at in range(sent_bytes // UPDATE_EARNED_BYTES)))
    assert not client.server.closed
    client.send(*(update_of_the_connection(at) for at in range(EARNED + 1)))
    assert client.server.closed
