import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.driver.balance import Resolver, deal


@pytest.mark.parametrize(
    ("sentence", "now", "addresses", "dealt"),
    [
        ("connections are dealt in turn", [None] * 5, "ab", "ababa"),
        ("nothing moves without need", "ababa", "ab", "ababa"),
        ("nor when the one that is left over is another's", "babab", "ab", "babab"),
        ("a new pod gets its share of those that have most", "aaaabbbb", "abc", "aaacbbbc"),
        ("connections of a pod that has gone go to the others", "abcabc", "ac", "aacacc"),
        ("all pods are others now", "aabb", "cd", "cdcd"),
        ("with fewer connections than pods some pods get none", [None, None], "abc", "ab"),
    ],
)
def test_connections_follow_the_pods(sentence: str, now: list[str | None], addresses: str, dealt: str) -> None:
    assert "".join(deal(list(now), addresses)) == dealt, sentence


@given(st.lists(st.sampled_from([None, *"abcdef"]), max_size=40), st.sets(st.sampled_from("abcdef"), min_size=1))
def test_no_pod_has_two_connections_more_than_another_and_no_more_move_than_must(
    now: list[str | None], pods: set[str]
) -> None:
    addresses = sorted(pods)
    dealt = deal(now, addresses)
    numbers = [Counter(dealt)[each] for each in addresses]
    assert len(dealt) == len(now)
    assert max(numbers) - min(numbers) <= 1
    stayed = sum(before == after for before, after in zip(now, dealt, strict=True))
    has = sorted((Counter(now)[each] for each in addresses), reverse=True)
    fewest, over = divmod(len(now), len(addresses))
    assert stayed == sum(min(number, fewest + (rank < over)) for rank, number in enumerate(has))


class Names:
    """A name service that returns one answer after the other, and the last one from then on."""

    def __init__(self, *answers: "list[str] | OSError") -> None:
        self.answers = list(answers)
        self.asked_last = threading.Event()

    def __call__(self) -> list[str]:
        answer = self.answers[0]
        if len(self.answers) > 1:
            self.answers.pop(0)
        else:
            self.asked_last.set()
        if isinstance(answer, OSError):
            raise answer
        return answer


def test_a_name_is_looked_up_again_when_asked() -> None:
    resolver = Resolver(Names(["a"], ["a", "b"]), 0)
    before = resolver.addresses
    resolver.ask()
    while resolver.addresses == before:
        resolver._thread.join(0.01)
    resolver.stop()
    assert (before, resolver.addresses) == (("a",), ("a", "b"))


def test_a_name_that_is_gone_or_only_told_in_another_order_changes_nothing() -> None:
    names = Names(["a", "b"], OSError(), [], ["b", "a"], ["b", "a"])
    resolver = Resolver(names, 0.01)
    before = resolver.addresses
    assert names.asked_last.wait(20)
    resolver.stop()
    resolver._thread.join()
    assert resolver.addresses is before
