"""The search for the highest rate, against services whose capacity is known."""

import random
from collections.abc import Callable

import pytest

from tools.scale.search import Bounds, SearchResult, highest_rate

BOUNDS = Bounds(start_rps=100, lowest_rps=50, highest_rps=100_000, within=1.1, trials=40)


class Capacity:
    """A service that meets its objective up to a rate, and remembers what it was asked."""

    def __init__(self, rps: float) -> None:
        self.rps = rps
        self.asked: list[float] = []

    def __call__(self, rate_rps: float) -> bool:
        self.asked.append(rate_rps)
        return rate_rps <= self.rps


@pytest.mark.parametrize("capacity_rps", [51, 99, 100, 101, 730, 6543.2, 99_999])
def test_the_capacity_lies_between_the_rate_that_met_and_the_one_that_missed(capacity_rps: float) -> None:
    found = highest_rate(Capacity(capacity_rps), BOUNDS)
    assert found.met_rps is not None
    assert found.missed_rps is not None
    assert found.met_rps <= capacity_rps < found.missed_rps <= found.met_rps * BOUNDS.within


def test_it_doubles_until_a_rate_misses_twice_and_then_bisects() -> None:
    service = Capacity(450)
    highest_rate(service, Bounds(100, 50, 100_000, 1.5, 40))
    assert service.asked == [100, 200, 400, 800, 800, pytest.approx(566, abs=1), pytest.approx(566, abs=1)]


def test_it_halves_where_the_first_rate_misses() -> None:
    service = Capacity(30)
    highest_rate(service, Bounds(100, 10, 100_000, 2, 40))
    assert service.asked == [100, 100, 50, 50, 25]


@pytest.mark.parametrize(
    ("capacity_rps", "asked"),
    [
        (1010, [1000, 1100, 1100]),
        (1150, [1000, 1100, 1331, 1331, 1210, 1210]),
        (990, [1000, 1000, 909]),
    ],
    ids=["as a like service", "a little more", "a little less"],
)
def test_from_a_rate_that_a_like_service_met_it_needs_few_trials(capacity_rps: float, asked: list[float]) -> None:
    service = Capacity(capacity_rps)
    highest_rate(service, Bounds(1000, 50, 100_000, 1.1, 40, step=1.1))
    assert service.asked == [pytest.approx(rate, abs=1) for rate in asked]


@pytest.mark.parametrize(
    ("capacity_rps", "found"),
    [(0, SearchResult(None, 50, 4)), (1e9, SearchResult(400, None, 3))],
    ids=["not even at the lowest", "even at the highest"],
)
def test_it_ends_where_nothing_further_may_be_tried(capacity_rps: float, found: SearchResult) -> None:
    assert highest_rate(Capacity(capacity_rps), Bounds(100, 50, 400, 1.1, 40)) == found


@pytest.mark.parametrize("trials", range(1, 12))
def test_it_makes_no_more_trials_than_it_may_and_says_what_it_has(trials: int) -> None:
    service = Capacity(730)
    found = highest_rate(service, Bounds(100, 50, 100_000, 1.01, trials))
    assert found.trials == len(service.asked) == trials
    assert found.met_rps is not None
    assert found.met_rps <= 730
    assert found.missed_rps is None or found.missed_rps > 730


def test_a_miss_that_does_not_come_again_does_not_count() -> None:
    service, disturbed = Capacity(730), iter([True])

    def meets(rate_rps: float) -> bool:
        return service(rate_rps) and not (rate_rps == 400 and next(disturbed, False))

    found = highest_rate(meets, BOUNDS)
    assert found.met_rps is not None
    assert found.met_rps > 400


def noisy(capacity_rps: float, width: float, dice: random.Random) -> Callable[[float], bool]:
    return lambda rate_rps: rate_rps <= capacity_rps * dice.uniform(1 - width, 1 + width)


def test_a_capacity_that_wavers_is_found_to_within_its_wavering() -> None:
    dice = random.Random(1)
    for _ in range(200):
        found = highest_rate(noisy(730, 0.1, dice), BOUNDS)
        assert found.met_rps is not None
        assert 730 * 0.9 / BOUNDS.within <= found.met_rps <= 730 * 1.1
