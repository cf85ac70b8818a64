"""Which of several arms is the best, and which ones may be."""

import numpy as np
import pytest

from tests.tools.stats.noise import series
from tools.stats.best import BestGroup, best_group
from tools.stats.series import Place, Series
from tools.stats.verdict import Better

RATES = {"reactor": 1.0, "seda": 0.99, "thread_pool": 0.8, "iterative": 0.3}


def measured(rates: dict[str, float], seed: int = 1, starts: int = 3, blocks: int = 8) -> list[Series]:
    """The machine's speed varies by a quarter from block to block, an arm's by 5 %."""
    dice = np.random.default_rng(seed)
    machine = dice.normal(0, 0.25, (starts, blocks))
    return [
        series(arm, (rate * np.exp(machine + dice.normal(0, 0.05, (starts, blocks)))).tolist())
        for arm, rate in rates.items()
    ]


@pytest.mark.parametrize(("better", "power"), [("higher", 1), ("lower", -1)])
def test_the_best_arm_and_those_that_cannot_be_told_from_it(better: Better, power: int) -> None:
    found = best_group(measured({arm: rate**power for arm, rate in RATES.items()}), better)
    assert {found.best, *found.not_distinguishable} == {"reactor", "seda"}
    assert found.worse == ("thread_pool", "iterative")
    assert (found.starts, found.blocks) == (3, 24)


def test_equal_arms_stay_together() -> None:
    """The best of 17 arms is the one with the most luck: without a correction it would be told from the last."""
    groups = [best_group(measured(dict.fromkeys("abcdefghijklmnopq", 1.0), seed), "higher") for seed in range(60)]
    assert sum(bool(group.worse) for group in groups) <= 4


def test_three_starts_are_enough_for_many_arms() -> None:
    """As all arms show how starts differ; three starts of one pair would have to differ by 30 standard errors."""
    assert best_group(measured(dict.fromkeys("abcdefghi", 1.0) | {"slow": 0.8}), "higher").worse == ("slow",)


def test_a_block_that_one_arm_lacks_does_not_count() -> None:
    """Alone in a fast block, an arm would look fast."""
    first, second = measured({"a": 1.0, "b": 1.3})
    fast = Series("a", {**first.values, Place(2, 8): 1000.0})
    assert best_group([fast, second], "higher") == best_group([first, second], "higher")


@pytest.mark.parametrize(
    ("values", "group"),
    [
        ([[[2.0]], [[1.0]]], BestGroup("a0", ("a1",), (), 1, 1)),
        ([[[2.0, 2.0]], [[1.0, 1.0]]], BestGroup("a0", (), ("a1",), 1, 2)),
        ([[[2.0, 2.0]], [[2.0, 2.0]]], BestGroup("a0", ("a1",), (), 1, 2)),
        ([[[2.0, 2.0]]], BestGroup("a0", (), (), 1, 2)),
    ],
)
def test_few_values(values: list[list[list[float]]], group: BestGroup) -> None:
    assert best_group([series(f"a{i}", arm) for i, arm in enumerate(values)], "higher") == group


def test_arms_without_a_common_block_are_rejected_by_name() -> None:
    with pytest.raises(ValueError, match=r"^a, b: there is no block with a value of each"):
        best_group([series("a", [[1.0]]), Series("b", {Place(1, 0): 1.0})], "higher")
