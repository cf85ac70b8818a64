import dataclasses
import statistics
from itertools import chain, pairwise

import pytest

from services.driver.schedule import NS_PER_S, intended_sends, steady
from services.driver.tracing import MAX_LISTED, Sampler, TracedCall, listed
from services.network.address import Address
from services.telemetry import TraceContext
from services.wire import Code


def traced(latency_ns: int) -> TracedCall:
    return TracedCall(TraceContext(latency_ns + 1, 1), Address("h", 1), 0, 0, latency_ns, Code.OK, measured=True)


def test_the_ratio_is_kept_and_the_choice_is_repeatable() -> None:
    samplers = (Sampler(0.1, 5), Sampler(0.1, 5))
    first, again = ([sampler.draw() is not None for _ in range(10_000)] for sampler in samplers)
    assert first == again
    assert 900 < sum(first) < 1100


def test_calls_are_traced_whatever_the_gap_before_them() -> None:
    sampler = Sampler(0.1, 5)
    sends = intended_sends(steady(1000), "poisson", 5, 0, 20 * NS_PER_S)
    gaps_ms = [(later - earlier) / 1e6 for earlier, later in pairwise(chain((0,), sends))]
    traced_ms = [gap_ms for gap_ms in gaps_ms if sampler.draw() is not None]
    # Of 2,000 gaps with a mean of 1 ms the mean has a standard deviation of 0.022 ms.
    assert statistics.mean(traced_ms) == pytest.approx(1.0, abs=0.1)


def test_a_few_traces_are_all_listed_with_their_ids_in_hex() -> None:
    assert listed([traced(9)]) == [{"trace_id": f"{10:032x}", "latency_ns": 9, "status": "OK"}]


def test_of_many_traces_the_slowest_and_an_even_sample_of_the_others_are_listed() -> None:
    latencies = [trace["latency_ns"] for trace in listed([traced(latency_ns) for latency_ns in range(100_000)])]
    assert len(set(latencies)) == MAX_LISTED
    assert set(range(99_900, 100_000)) <= set(latencies)
    assert abs(sorted(latencies)[MAX_LISTED // 2] - 50_000) < 1_000, "the median of the list is that of the calls"


def test_a_traced_call_of_the_warm_up_is_not_listed() -> None:
    assert listed([dataclasses.replace(traced(9), measured=False)]) == []


def test_an_unfinished_call_is_listed_as_such() -> None:
    assert listed([dataclasses.replace(traced(9), code=None)])[0]["status"] == "UNFINISHED"
