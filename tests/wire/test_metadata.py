"""Metadata and timeouts between Python values and header fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.wire.metadata import decode_metadata, encode_metadata, format_timeout, parse_timeout


@pytest.mark.parametrize(
    ("value", "timeout_ns"),
    [
        (b"1n", 1),
        (b"0n", 0),
        (b"5u", 5_000),
        (b"7m", 7_000_000),
        (b"1S", 1_000_000_000),
        (b"2M", 120_000_000_000),
        (b"3H", 10_800_000_000_000),
        (b"00000010S", 10_000_000_000),
        (b"99999999H", 99_999_999 * 3_600_000_000_000),
    ],
)
def test_a_timeout_is_up_to_eight_digits_and_a_unit(value: bytes, timeout_ns: int) -> None:
    assert parse_timeout(value) == timeout_ns


@pytest.mark.parametrize(
    "value", [b"", b"S", b"1", b"123456789n", b"1s", b"1h", b"-1S", b"+1S", b"1.5S", b" 1S", b"1 S", b"1SS", b"\xb2S"]
)
def test_any_other_timeout_is_malformed(value: bytes) -> None:
    with pytest.raises(ValueError, match="malformed grpc-timeout"):
        parse_timeout(value)


@given(st.integers(min_value=1, max_value=10**17))
def test_a_timeout_sent_is_not_shorter_than_asked_and_close_to_it(timeout_ns: int) -> None:
    sent_ns = parse_timeout(format_timeout(timeout_ns))
    assert timeout_ns <= sent_ns <= timeout_ns * 1.000_02 + 1


def test_a_timeout_that_has_passed_is_sent_as_the_shortest_there_is() -> None:
    assert format_timeout(-5) == b"1n"


def test_a_timeout_beyond_the_grammar_is_sent_as_the_longest_there_is() -> None:
    assert format_timeout(10**30) == b"99999999H"


def test_binary_metadata_is_sent_unpadded() -> None:
    assert encode_metadata([("key-bin", b"\0")]) == [(b"key-bin", b"AA")]


@pytest.mark.parametrize(
    ("value", "decoded"),
    [
        (b"AA", [b"\0"]),
        (b"AA==", [b"\0"]),
        (b"AAA,AQI=", [b"\0\0", b"\1\2"]),
        (b"AA , AQ", [b"\0", b"\1"]),
        (b"", [b""]),
        (b"!!!!", []),
        (b"A", []),
        (b"A!,AA", [b"\0"]),
    ],
)
def test_binary_metadata_is_read_padded_unpadded_and_joined_and_left_out_where_broken(
    value: bytes, decoded: list[bytes]
) -> None:
    assert decode_metadata([(b"key-bin", value)]) == tuple(("key-bin", part) for part in decoded)


@given(st.lists(st.binary()))
def test_any_bytes_survive_as_binary_metadata(values: list[bytes]) -> None:
    metadata = tuple(("key-bin", value) for value in values)
    assert decode_metadata(encode_metadata(metadata)) == metadata


def test_text_metadata_that_is_not_ascii_is_no_error() -> None:
    assert decode_metadata([(b"key", b"\xff!")]) == (("key", "\ufffd!"),)


def test_what_the_protocol_itself_uses_is_no_metadata() -> None:
    fields = [(b":path", b"/a"), (b"te", b"trailers"), (b"content-type", b"x"), (b"grpc-timeout", b"1S"), (b"a", b"b")]
    assert decode_metadata(fields) == (("a", "b"),)


def test_space_around_a_text_value_is_stripped_since_http2_forbids_it() -> None:
    assert encode_metadata([("key", " a b ")]) == [(b"key", b"a b")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("grpc-status", "0"),
        ("te", "x"),
        ("Content-Type", "x"),
        (":path", "/"),
        ("", "x"),
        ("two words", "x"),
        ("line\n", "x"),
        ("naïve", "x"),
        ("key", "line\nbreak"),
        ("key", "naïve"),
        ("key", b"bytes"),
        ("key-bin", "text"),
    ],
)
def test_metadata_that_cannot_be_sent_is_refused(name: str, value: str | bytes) -> None:
    with pytest.raises(ValueError, match="metadata"):
        encode_metadata([(name, value)])
