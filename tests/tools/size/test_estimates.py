"""Limits of CPUs that were not measured: what an estimate assumes of each kind of model."""

import dataclasses

import pytest

from tests.tools.size.test_size import NEED, shape
from tools.size.estimates import estimated


@pytest.mark.parametrize(
    ("model", "to_cpus", "interval"),
    [
        ("coroutines", 2.0, (900, 1000)),  # one thread
        ("half_sync_half_async", 2.0, (720, 1250)),  # threads contend for the lock; 0.8 of a call is in user mode
        ("grpcio_asyncio", 2.0, (720, 2000)),  # gRPC's core has threads without the lock
        ("coroutines", 0.5, None),  # smaller than all that was measured
        ("process_pool", 2.0, None),  # nothing is known of it
    ],
)
def test_above_one_cpu_the_lock_decides(model: str, to_cpus: float, interval: tuple[float, float] | None) -> None:
    found = estimated(NEED, [shape(model, 3)], model, to_cpus)
    assert (found and (found.low_rps, found.high_rps)) == (interval and pytest.approx(interval))


def test_below_one_cpu_a_pod_serves_in_proportion_to_its_cpus() -> None:
    half = dataclasses.replace(shape("coroutines", 3), cpus=0.25)
    found = estimated(NEED, [half], "coroutines", 1.0)
    assert found is not None
    assert (found.low_rps, found.high_rps, found.pods) == (3600, 4000, 1)


def test_threads_bound_an_estimate_too() -> None:
    """By Little's law 16 threads serve 16 / 20.3 ms = 788 calls/s, however many CPUs there are."""
    quarter = dataclasses.replace(shape("thread_pool", 3), cpus=0.5)
    found = estimated(NEED, [quarter], "thread_pool", 1.0)
    assert found is not None
    assert found.low_rps == found.high_rps == pytest.approx(788, abs=1)


def test_with_enough_limits_a_law_is_fitted_instead() -> None:
    """The points follow sigma = 0.1, kappa = 0.01. Two CPUs more than the largest serve what the law has there."""

    def law(n: float) -> float:
        return 1000 * n / (1 + 0.1 * (n - 1) + 0.01 * n * (n - 1))

    measured = [
        dataclasses.replace(shape("grpcio_asyncio", 1), cpus=n, lowest_rps=0.98 * law(n), highest_rps=1.02 * law(n))
        for n in (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
    ]
    found = estimated(NEED, measured, "grpcio_asyncio", 10.0)
    assert found is not None
    assert found.low_rps == pytest.approx(0.98 * law(10), rel=0.01)
    assert found.high_rps == pytest.approx(1.02 * law(10), rel=0.01)
    assert found.law.startswith("sigma 0.1 (")
    assert not (estimated(NEED, measured[:5], "grpcio_asyncio", 10.0) or found).law
