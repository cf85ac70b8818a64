"""What a claim can ask of a trial: each figure is that of the trial, in its unit."""

from dataclasses import replace

import pytest

from tests.tools.sample import distribution, trial
from tools.claims.measures import MEASURES
from tools.measures import Latency


def test_cpu_time_of_a_call_is_that_of_exact_clocks_where_they_were_read() -> None:
    ticks = trial("reactor", 10)
    clocks = replace(ticks, counted=2_000, slices_cpu_ns=(30_000_000, 50_000_000))
    assert MEASURES["cpu_per_call_ns"].of(clocks) == 40_000
    answered = ticks.result["got"]["answered"]
    used_ns = ticks.after.cpu_user_ns + ticks.after.cpu_system_ns - 1_100_000_000
    assert MEASURES["cpu_per_call_ns"].of(ticks) == pytest.approx(used_ns / answered)


def test_a_rejected_call_makes_the_p99_a_bound_but_not_that_of_answered_calls() -> None:
    answered = distribution([2_000_000] * 1000)
    calls = {**trial("reactor", 10).result["calls"], "planned": 2000, "ok": 1000}
    half = trial("reactor", 10, calls=calls, latency_ns=answered)
    bound = MEASURES["latency_p99_ns"].of(half)
    assert isinstance(bound, Latency)
    assert bound.is_bound
    for measure in ("answered_p90_ns", "answered_p99_ns"):
        assert MEASURES[measure].of(half) == pytest.approx(2_000_000, rel=0.01)


def test_address_space_that_was_not_read_is_not_known() -> None:
    one = trial("reactor", 10)
    assert MEASURES["vsz_bytes"].of(one) is None
    one.after.vsz_bytes = 4096
    assert MEASURES["vsz_bytes"].of(one) == 4096
