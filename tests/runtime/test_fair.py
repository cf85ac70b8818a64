"""Connections take turns in a queue, whatever each has put there."""

from operator import itemgetter

import pytest

from services.runtime.fair import FairQueue


@pytest.mark.parametrize(
    ("came", "leave"),
    [
        ("a1 b1 c1", "a1 b1 c1"),
        ("a1 a2 a3 b1", "a1 b1 a2 a3"),
        ("a1 a2 b1 b2 c1", "a1 b1 c1 a2 b2"),
    ],
    ids=["one each: first come, first served", "many of one", "each in the order of its own"],
)
def test_the_next_item_is_that_of_the_next_owner(came: str, leave: str) -> None:
    queue = FairQueue[str](itemgetter(0))
    for item in came.split():
        queue.append(item)
    assert [queue.popleft() for _ in range(len(queue))] == leave.split()
    assert not queue


def test_whoever_was_served_and_comes_again_is_behind_those_who_wait() -> None:
    queue = FairQueue[str](itemgetter(0))
    for item in ("a1", "b1"):
        queue.append(item)
    assert queue.popleft() == "a1"
    queue.append("a2")
    assert [queue.popleft(), queue.popleft()] == ["b1", "a2"]
