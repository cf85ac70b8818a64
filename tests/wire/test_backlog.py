"""Room of a streamed request: what is given back, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.wire.backlog import Backlog


def test_a_part_of_a_message_gets_its_room_back_at_once_so_that_a_large_one_gets_through() -> None:
    backlog = Backlog()
    backlog.received(100)
    assert backlog.completed(0) == 100


def test_while_a_message_waits_for_its_handler_no_room_is_given() -> None:
    backlog = Backlog()
    backlog.received(100)
    assert backlog.completed(1) == 0
    backlog.received(50)
    assert backlog.completed(0) == 0
    assert backlog.consumed() == 150


def test_each_of_several_messages_gives_its_share() -> None:
    backlog = Backlog()
    backlog.received(100)
    backlog.completed(3)
    assert [backlog.consumed() for _ in range(4)] == [33, 33, 34, 0]


@given(st.lists(st.one_of(st.tuples(st.integers(0, 1000), st.integers(0, 5)), st.none())))
def test_what_is_given_back_is_exactly_what_came(happenings: list[tuple[int, int] | None]) -> None:
    backlog = Backlog()
    came = given_back = 0
    for happening in happenings:
        if happening is None:
            given_back += backlog.consumed()
        else:
            size_bytes, messages = happening
            came += size_bytes
            backlog.received(size_bytes)
            given_back += backlog.completed(messages)
        assert given_back <= came
    assert given_back + backlog.dropped() == pytest.approx(came, abs=0)
