"""The budget: what is allowed at once and for ever."""

import pytest

from services.wire import Allowance, Limits
from services.wire.limits import Abuse, AbuseBudget
from tests.wire.ends import Clock


@pytest.mark.parametrize("kind", Abuse)
def test_the_burst_is_allowed_and_one_more_is_not(kind: Abuse) -> None:
    allowance = getattr(Limits(), kind.name.lower())
    budget = AbuseBudget(Limits(), Clock())
    assert [budget.exceeded_by(kind) for _ in range(allowance.burst + 1)] == [False] * allowance.burst + [True]


def test_what_stays_below_the_rate_is_allowed_for_ever() -> None:
    clock = Clock()
    budget = AbuseBudget(Limits(pings=Allowance(3, 10)), clock)
    for _ in range(1000):
        clock.advance(0.1)
        assert not budget.exceeded_by(Abuse.PINGS)


def test_what_is_above_the_rate_is_found_out() -> None:
    clock = Clock()
    budget = AbuseBudget(Limits(pings=Allowance(3, 10)), clock)
    counted = 0
    while not budget.exceeded_by(Abuse.PINGS):
        clock.advance(0.05)
        counted += 1
    assert counted == 5


def test_one_kind_does_not_count_for_another() -> None:
    budget = AbuseBudget(Limits(pings=Allowance(1, 1), settings=Allowance(1, 1)), Clock())
    assert not budget.exceeded_by(Abuse.PINGS)
    assert not budget.exceeded_by(Abuse.SETTINGS)
