"""What has come is dealt with in turns: once each, in order for each owner, and no owner waits for all of another."""

import pytest

from services.runtime.processes import paced_queue
from services.runtime.processes.paced_queue import PacedQueue
from services.runtime.readiness.loop import Loop
from tests.runtime.rounds import take_round_now

Item = tuple[str, int]
ITEMS: list[Item] = [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2)]


class Dealt:
    """Items by the round of a loop in which they were dealt with."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.rounds: list[list[Item]] = [[]]
        self.paced = PacedQueue[Item](
            self.loop,
            self._deal,
            owner_of=lambda item: item[0],
            after_turn=lambda: self.rounds.append([]),
        )

    def _deal(self, item: Item) -> None:
        self.rounds[-1].append(item)

    def take_rounds(self, count: int) -> None:
        for _ in range(count):
            take_round_now(self.loop)


@pytest.fixture
def dealt(monkeypatch: pytest.MonkeyPatch) -> Dealt:
    """Each item takes a turn."""
    monkeypatch.setattr(paced_queue, "TURN_NS", 0)
    return Dealt()


def test_what_takes_no_time_is_dealt_with_at_once(dealt: Dealt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paced_queue, "TURN_NS", 10**12)
    dealt.paced.take(ITEMS)
    assert dealt.rounds == [ITEMS, []]


def test_owners_take_turns_with_what_is_late(dealt: Dealt) -> None:
    dealt.paced.take(ITEMS[:3])
    dealt.paced.take(ITEMS[3:])
    dealt.take_rounds(4)
    assert dealt.rounds == [[("a", 1)], [("a", 2)], [("b", 1)], [("a", 3)], [("b", 2)], []]


def test_what_is_late_is_dealt_with_at_the_end(dealt: Dealt) -> None:
    dealt.paced.take(ITEMS)
    dealt.paced.end()
    assert sorted(item for round_ in dealt.rounds for item in round_) == ITEMS
    dealt.take_rounds(1)
    assert len(dealt.rounds) == 4  # no turn of nothing but the one that was planned
