"""The Universal Scalability Law: what it finds in points with known parameters, and when it rejects points."""

import random
from collections.abc import Sequence

import pytest

from tools.usl import Fit, FitError, fit

SIZES = (1, 2, 4, 8, 12, 16, 24, 32)


def rates(
    sigma: float, kappa: float, *, sizes: Sequence[float] = SIZES, noise: float = 0, seed: int = 1
) -> list[float]:
    dice = random.Random(seed)
    exact = [1000 * n / (1 + sigma * (n - 1) + kappa * n * (n - 1)) for n in sizes]
    return [rate * dice.gauss(1, noise) for rate in exact]


@pytest.mark.parametrize(("sigma", "kappa"), [(0.05, 0.001), (0.2, 0), (0, 0.002), (0.02, 0.0005)])
def test_parameters_are_found_again_where_there_is_no_noise(sigma: float, kappa: float) -> None:
    found = fit(SIZES, rates(sigma, kappa))
    assert found.rate.value == pytest.approx(1000, rel=1e-4)
    assert found.sigma.value == pytest.approx(sigma, abs=1e-4)
    assert found.kappa.value == pytest.approx(kappa, abs=1e-5)


def test_the_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    found = [answer for seed in range(200) if (answer := tried(rates(0.1, 0.002, noise=0.03, seed=seed))) is not None]
    held = sum(answer.sigma.includes(0.1) for answer in found), sum(answer.kappa.includes(0.002) for answer in found)
    assert len(found) > 190
    assert all(0.9 <= times / len(found) <= 0.99 for times in held)


def tried(measured: Sequence[float]) -> Fit | None:
    try:
        return fit(SIZES, measured)
    except FitError:
        return None


def test_the_curve_goes_through_the_points() -> None:
    measured = rates(0.1, 0.002)
    found = fit(SIZES, measured)
    assert [found.at(n) for n in SIZES] == pytest.approx(measured, rel=1e-3)


def test_the_peak_is_where_the_rate_is_highest() -> None:
    found = fit(SIZES, rates(0.1, 0.002, noise=0.01))
    assert found.peak is not None
    assert found.peak.includes((0.9 / 0.002) ** 0.5)
    assert found.at(found.peak.value) >= max(found.at(found.peak.value * 0.9), found.at(found.peak.value * 1.1))


def test_contention_alone_has_no_peak() -> None:
    assert fit(SIZES, rates(0.3, 0, noise=0.01)).peak is None


def test_points_may_be_repeated() -> None:
    once, again = rates(0.1, 0.002, noise=0.02, seed=1), rates(0.1, 0.002, noise=0.02, seed=2)
    assert fit([*SIZES, *SIZES], [*once, *again]).sigma.includes(0.1)


@pytest.mark.parametrize(
    ("sizes", "measured", "why"),
    [
        ((1, 2, 4), rates(0.1, 0.01, sizes=(1, 2, 4)), "3 different N"),
        ((1, 1, 2, 2, 4, 4), rates(0.1, 0.01, sizes=(1, 1, 2, 2, 4, 4), noise=0.02), "3 different N"),
        (SIZES, rates(0, 0), "a straight line fits as well"),
        (SIZES, rates(0, 0, noise=0.05, seed=2), "a straight line fits as well"),
        (SIZES, rates(0.001, 0, noise=0.1, seed=2), "a straight line fits as well"),
        (SIZES, rates(-0.02, 0, noise=0.001), "grows faster than in proportion"),
        ((1, 2, 3, 4, 5, 6), rates(0.1, 0.01, sizes=(1, 2, 3, 4, 5, 6), noise=0.04, seed=2), "cannot be distinguished"),
        (SIZES, [1000.0] * 8, "from 1 on have no meaning"),
        (SIZES, rates(0.97, 0, noise=0.05), "have no meaning"),
    ],
    ids=[
        "too few sizes", "the same few sizes again", "a line", "a noisy line", "a bend less than the noise",
        "better than a line", "few, small and noisy", "no scaling at all", "next to none",
    ],
)  # fmt: skip
def test_points_that_identify_no_curve_are_refused_with_the_reason(
    sizes: Sequence[float], measured: Sequence[float], why: str
) -> None:
    with pytest.raises(FitError, match=why) as refused:
        fit(sizes, measured)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("sizes", "measured"), [([0, 1], [1, 1]), ([1, 2], [1]), ([1, 2], [1, -1]), ([1, 2], [1, float("nan")])]
)
def test_what_is_no_point_is_an_error(sizes: Sequence[float], measured: Sequence[float]) -> None:
    with pytest.raises(ValueError, match="each N has one rate"):
        fit(sizes, measured)
