"""Connections take turns in a queue, whatever each has put there."""

import queue
import threading
from collections import Counter
from operator import itemgetter

import pytest

from services.runtime.queues.fair import FairQueue, SharedFairQueue


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
    fair = FairQueue[str](itemgetter(0))
    for item in came.split():
        fair.append(item)
    assert [fair.popleft() for _ in range(len(fair))] == leave.split()
    assert not fair


def test_whoever_was_served_and_comes_again_is_behind_those_who_wait() -> None:
    fair = FairQueue[str](itemgetter(0))
    for item in ("a1", "b1"):
        fair.append(item)
    assert fair.popleft() == "a1"
    fair.append("a2")
    assert [fair.popleft(), fair.popleft()] == ["b1", "a2"]


def test_a_shared_queue_takes_as_many_as_it_may() -> None:
    fair = SharedFairQueue[str](2, itemgetter(0))
    fair.put("a1")
    assert not fair.full()
    fair.put("a2")
    assert fair.full()
    with pytest.raises(queue.Full):
        fair.put("b1")
    assert fair.get() == "a1"
    fair.put("b1")
    assert [fair.get(), fair.get()] == ["a2", "b1"]


def test_threads_get_each_item_once() -> None:
    fair = SharedFairQueue[tuple[int, int]](None, itemgetter(0))
    got = list[tuple[int, int]]()

    def get() -> None:
        for _ in range(500):
            got.append(fair.get())

    threads = [threading.Thread(target=get) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2000):
        fair.put((number % 3, number))
    for thread in threads:
        thread.join()
    assert Counter(got) == Counter((number % 3, number) for number in range(2000))
