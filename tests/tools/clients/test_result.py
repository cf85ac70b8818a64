"""The calls of a load program as a result: which were measured, and that every number follows from the calls."""

from typing import Any

from tests.tools.sample import trial
from tools.clients.program import CallLog
from tools.clients.result import measured
from tools.measures import latency
from tools.pooling import added_results
from tools.verify import parts, sums

S = 1_000_000_000
BEGIN_NS = 1_700_000_000 * S


def logged(*calls: tuple[float, float]) -> CallLog:
    """Start and end of each call, in seconds from the first."""
    log = CallLog()
    for start_s, end_s in calls:
        log.ended_ns.append(BEGIN_NS + round(end_s * S))
        log.latency_ns.append(round((end_s - start_s) * S))
    return log


def result_of(log: CallLog) -> dict[str, Any]:
    return measured(
        log,
        connections=3,
        warmup_s=1,
        duration_s=2,
        to_monotonic_ns=7 * S - BEGIN_NS,
        cpu_ns=(300_000_000, 100_000_000),
    )


CALLS = [(0.0, 0.5), (0.5, 1.5), (1.2, 2.9), (2.9, 3.1)]
"""In the warm-up; from the warm-up into the window; in the window; from the window beyond."""


def test_what_ended_in_the_warm_up_is_counted_only() -> None:
    found = result_of(logged(*CALLS))
    assert found["got"]["answered"] == 2
    assert found["got"]["counted"] == 4
    assert found["calls"]["ok"] == found["latency_ns"]["count"] == 3
    assert found["got"]["rate_rps"] == 1.0
    assert found["got"]["answered_by_tenth"] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    assert found["marks"] == {"started_monotonic_ns": 8 * S, "ended_monotonic_ns": 10 * S}


def test_each_number_of_several_slices_follows_from_the_calls() -> None:
    log = logged(*CALLS)
    log.failed["UNAVAILABLE"] = 2
    whole = added_results([result_of(logged(*CALLS)), result_of(log)]) | {"client": "h2load"}
    assert [*sums.wrong(whole), *parts.wrong(whole)] == []
    assert (whole["calls"]["planned"], whole["calls"]["by_status"]) == (8, {"UNAVAILABLE": 2})


def test_a_run_without_an_answer_has_no_latency() -> None:
    log = CallLog()
    log.failed["UNAVAILABLE"] = 5
    found = result_of(log)
    assert [*sums.wrong(found | {"client": "ghz"})] == []
    assert (found["got"]["rate_rps"], found["latency_ns"]["p50"]) == (0, None)


def test_a_percentile_is_one_of_the_calls_themselves() -> None:
    log = logged(*((number / 1000, number / 1000 + 0.25) for number in range(1000, 2000)))
    made = trial("reactor", 3, **result_of(log), clients=None)
    found = latency(made, "p99")
    assert found is not None
    assert abs(found.ns - 0.25 * S) < 0.001 * S
