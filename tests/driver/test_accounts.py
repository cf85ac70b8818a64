import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.driver.accounts import Accounts, BooksDoNotBalance
from services.wire import Code

ENDS = st.sampled_from(["ok", "timed_out", "not_sent", "unfinished", *[code for code in Code if code is not Code.OK]])


def booked(ends: list[str | Code]) -> Accounts:
    accounts = Accounts()
    for end in ends:
        accounts.planned += 1
        if isinstance(end, Code):
            accounts.fail(end, "")
        elif end in ("ok", "timed_out"):
            setattr(accounts, end, getattr(accounts, end) + 1)
    return accounts


def close(accounts: Accounts, ends: list[str | Code], *, lost: int = 0) -> None:
    """`lost`: of the latencies."""
    not_sent, unfinished = ends.count("not_sent"), ends.count("unfinished")
    accounts.close(not_sent=not_sent, unfinished=unfinished, latencies=ends.count("ok") - lost)


@given(st.lists(ENDS))
def test_whatever_becomes_of_calls_the_parts_add_up_to_what_was_planned(ends: list[str | Code]) -> None:
    accounts = booked(ends)
    close(accounts, ends)
    parts = accounts.ok + accounts.by_status.total() + accounts.timed_out + accounts.not_sent + accounts.unfinished
    assert parts == accounts.planned == len(ends)


@given(st.lists(ENDS, min_size=1), st.data())
def test_a_call_that_is_lost_or_booked_twice_is_noticed(ends: list[str | Code], data: st.DataObject) -> None:
    accounts = booked(ends)
    accounts.planned += data.draw(st.sampled_from([-1, 1]))
    with pytest.raises(BooksDoNotBalance):
        close(accounts, ends)


@given(st.lists(ENDS))
def test_a_latency_that_is_lost_is_noticed(ends: list[str | Code]) -> None:
    ends = ["ok", *ends]
    with pytest.raises(BooksDoNotBalance, match=r"^\d+ latencies were recorded of \d+ calls answered OK$"):
        close(booked(ends), ends, lost=1)


@given(st.lists(st.lists(ENDS), max_size=4))
def test_the_total_of_several_books_is_the_book_of_all_their_calls(parts: list[list[str | Code]]) -> None:
    total = Accounts.total(map(booked, parts))
    whole = booked([end for part in parts for end in part])
    assert [getattr(total, name) for name in Accounts.__slots__] == [
        getattr(whole, name) for name in Accounts.__slots__
    ]


def test_the_first_message_of_each_status_is_kept() -> None:
    accounts = Accounts()
    for code, message in [(Code.INTERNAL, "a"), (Code.INTERNAL, "b"), (Code.UNAVAILABLE, "c")]:
        accounts.fail(code, message)
    assert accounts.messages == {Code.INTERNAL: "a", Code.UNAVAILABLE: "c"}
