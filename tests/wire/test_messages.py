"""The bytes of a call's body to messages and back."""

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.wire import Code, RpcError
from services.wire.messages import MessageReader, encode_message_frame
from tests.wire.frames import message

MEBIBYTE = 1024 * 1024


def reader(max_bytes: int = 4 * MEBIBYTE) -> MessageReader:
    return MessageReader(max_bytes, gzip=True)


@given(st.lists(st.tuples(st.binary(max_size=300), st.booleans()), max_size=8), st.data())
def test_messages_come_out_whole_however_the_body_is_split(
    messages: list[tuple[bytes, bool]], data: st.DataObject
) -> None:
    body = b"".join(encode_message_frame(text, gzip=packed) for text, packed in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)))))
    reading = reader()
    read = []
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        read += reading.feed(body[start:end])
    reading.end()
    assert read == messages


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\0\0\0\0", Code.INTERNAL),
        (message(b"abc")[:-1], Code.INTERNAL),
        (message(b"", flag=2), Code.INTERNAL),
        (message(b"not gzip", flag=1), Code.INTERNAL),
        (message(b"", flag=1), Code.INTERNAL),
        (message(gzip.compress(b"abc", mtime=0)[:-9], flag=1), Code.INTERNAL),
        (message(bytes(1001)), Code.RESOURCE_EXHAUSTED),
        (message(gzip.compress(bytes(1001), mtime=0), flag=1), Code.RESOURCE_EXHAUSTED),
    ],
)
@pytest.mark.parametrize("bytewise", [False, True])
def test_a_body_that_breaks_the_format_is_an_error(body: bytes, code: Code, bytewise: bool) -> None:
    def read() -> None:
        reading = reader(1000)
        for piece in [body[at : at + 1] for at in range(len(body))] if bytewise else [body]:
            reading.feed(piece)
        reading.end()

    with pytest.raises(RpcError) as caught:
        read()
    assert caught.value.code is code


@pytest.mark.parametrize("flag", [0, 1])
def test_a_message_of_exactly_the_limit_is_taken(flag: int) -> None:
    body = gzip.compress(bytes(1000), mtime=0) if flag else bytes(1000)
    assert reader(1000).feed(message(body, flag=flag)) == [(bytes(1000), bool(flag))]


def test_a_compressed_message_without_an_encoding_is_an_error() -> None:
    with pytest.raises(RpcError, match="INTERNAL: compressed message without grpc-encoding"):
        MessageReader(1000, gzip=False).feed(message(gzip.compress(b"", mtime=0), flag=1))


def test_a_lying_prefix_is_refused_before_anything_is_allocated_for_it() -> None:
    tracemalloc.start()
    with pytest.raises(RpcError, match="RESOURCE_EXHAUSTED: message of 4294967295 bytes"):
        reader().feed(b"\0\xff\xff\xff\xff")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 64 * 1024


def test_a_gzip_bomb_costs_no_more_than_the_limit_since_the_decompressed_size_counts() -> None:
    bomb = message(gzip.compress(bytes(100 * MEBIBYTE), mtime=0), flag=1)
    assert len(bomb) < MEBIBYTE
    tracemalloc.start()
    with pytest.raises(RpcError, match="RESOURCE_EXHAUSTED: message exceeds 4194304 bytes when decompressed"):
        reader().feed(bomb)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 10 * MEBIBYTE
