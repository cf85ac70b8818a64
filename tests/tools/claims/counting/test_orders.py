"""The counting of orders: what ends in another order, or does not end, is another order."""

import pytest

from tools.claims.counting import orders
from tools.local import Programs

REPLAYS = [
    ([[0, 1, 2], [0, 1, 2]], 1),
    ([[0, 1, 2], [0, 2, 1], [0, 1, 2]], 2),
    ([[0, 1, 2], [0, 1]], 2),
]


@pytest.mark.parametrize(("replays", "distinct"), REPLAYS)
def test_each_order_counts_once(replays: list[list[int]], distinct: int) -> None:
    assert orders.distinct(replays) == {"replays": len(replays), "distinct": distinct}


def test_a_loop_repeats_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "MODELS", ("reactor",))
    monkeypatch.setattr(orders, "REPLAYS", 5)
    assert orders.count(Programs()) == {"reactor": {"replays": 5, "distinct": 1}}
