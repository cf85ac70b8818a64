"""Which trials an experiment has, and in which order they run."""

from collections import Counter

import pytest

from tools.experiment import Arm, Experiment, Load
from tools.results import TrialId
from tools.trial_specs import only, spec_of, trials

ASKED = Experiment(
    title="Why?",
    arms={name: Arm(model=name) for name in ("a", "b", "c", "d")},
    load=Load(connections=(1, 10), rate_rps=(50, 100)),
    rounds=3,
)


def test_every_arm_is_measured_at_every_point_once_a_round() -> None:
    counted = Counter(each.id for each in trials(ASKED))
    assert len(counted) == 4 * 4 * 3
    assert set(counted.values()) == {1}


def test_arms_that_are_compared_are_measured_one_after_the_other() -> None:
    order = [(each.id.round, each.id.point) for each in trials(ASKED)]
    assert order == [
        (number, point)
        for number in (1, 2, 3)
        for point in ("1-r50", "1-r100", "10-r50", "10-r100")
        for _ in ASKED.arms
    ]


def test_the_order_of_arms_differs_from_round_to_round_and_is_the_same_for_the_same_seed() -> None:
    first, again = trials(ASKED), trials(ASKED)
    assert first == again
    orders = {tuple(each.id.arm for each in first[start : start + 4]) for start in range(0, len(first), 4)}
    assert len(orders) > 1


def test_a_trial_is_known_by_its_name() -> None:
    for each in trials(ASKED):
        assert TrialId.parse(str(each.id)) == each.id
        assert spec_of(ASKED, each.id) == each
    with pytest.raises(ValueError, match="no trial a-7-1"):
        spec_of(ASKED, TrialId("a", "7"))


def test_a_search_has_one_arm() -> None:
    assert only(ASKED.of(["b"])).id == TrialId("b", "1-r50")
