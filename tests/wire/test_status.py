"""Status codes and their text on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.wire.status import Code, decode_message, encode_message, parse_code


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("", b""),
        ("plain text, with ~ and !", b"plain text, with ~ and !"),
        ("100%", b"100%25"),
        ("a\tb\r\nc", b"a%09b%0D%0Ac"),
        ("\x7f", b"%7F"),
        ("ü 😈", b"%C3%BC %F0%9F%98%88"),
        ("\ud800", b"?"),
    ],
)
def test_a_message_is_percent_encoded(text: str, encoded: bytes) -> None:
    assert encode_message(text) == encoded


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=512))
def test_any_text_survives_the_encoding(text: str) -> None:
    assert decode_message(encode_message(text)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(b"100%", "100%"), (b"%zz", "%zz"), (b"%2", "%2"), (b"%FF", "\ufffd"), (b"\xff", "\ufffd"), (b"a%20b", "a b")],
)
def test_broken_encoding_is_no_error(value: bytes, text: str) -> None:
    assert decode_message(value) == text


def test_a_message_is_cut_before_a_client_refuses_its_trailers() -> None:
    assert len(encode_message("😈" * 100_000)) <= 8 * 1024


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"0", Code.OK),
        (b"16", Code.UNAUTHENTICATED),
        (b"17", Code.UNKNOWN),
        (b"-1", Code.UNKNOWN),
        (b"", Code.UNKNOWN),
        (b"\xff", Code.UNKNOWN),
        (b"9" * 10_000, Code.UNKNOWN),
    ],
)
def test_a_status_that_is_no_code_is_unknown(value: bytes, code: Code) -> None:
    assert parse_code(value) is code
