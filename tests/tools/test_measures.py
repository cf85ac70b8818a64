"""Measures of one trial: how a percentile counts calls that were not answered, and clients that were not served."""

from dataclasses import replace
from typing import Any

import pytest

from tests.tools import sample
from tools import measures
from tools.measures import Latency
from tools.pooling import pooled
from tools.report.curve import percentile_curve
from tools.results import Trial

MS = 10**6
ANSWERS = [at * MS for at in range(1, 1001)]
"""A thousand, of 1 to 1,000 ms."""


def trial(
    loop: str, calls: dict[str, int], clients: tuple[int, int] | None, of_unserved: int = 0, answers: int = 1000
) -> Trial:
    """That many answers of 1, 2, 3 ... ms within 4 s, and the calls in `calls` beside; clients are (asked, served)."""
    asked: dict[str, Any] = {"loop": loop, "streams": 1, "rate_rps": None, "timeout_s": 3.0}
    if loop == "open":
        asked |= {"streams": None, "rate_rps": 500.0}
    planned = answers + sum(calls.values())
    none = {"by_status": {}, "timed_out": 0, "not_sent": 0, "unfinished": 0}
    refused = {"by_status": {"RESOURCE_EXHAUSTED": calls["refused"]}} if "refused" in calls else {}
    made = sample.trial(
        "reactor",
        100,
        asked=asked,
        calls=none | {key: value for key, value in calls.items() if key != "refused"} | refused
        | {"planned": planned, "ok": answers},
        latency_ns=sample.distribution(ANSWERS[:answers]),
        clients=None if clients is None else sample.clients(*clients, answers, calls_of_unserved=of_unserved),
    )  # fmt: skip
    known = {key: value for key, value in made.result.items() if value is not None}
    return replace(made, result=known)


TOO_LONG = Latency(3e9, is_bound=True)


@pytest.mark.parametrize(
    ("sentence", "made", "p50", "p99"),
    [
        ("all answered", trial("closed", {}, (100, 100)), 500, 990),
        ("p99 is among the 1 % that is not answered", trial("open", {"not_sent": 11}, (100, 100)), 506, None),
        ("10 of 1,010 calls are lost: p99 is the slowest", trial("open", {"timed_out": 10}, (9, 9)), 505, 1000),
        ("a fast error is no fast answer", trial("open", {"refused": 1000}, (100, 100)), 1000, None),
        ("of an open loop half of the clients got nothing", trial("open", {"not_sent": 999}, (100, 50)), 1000, None),
        ("most calls of an open loop were not sent", trial("open", {"not_sent": 99_000}, (100, 1)), None, None),
        ("of a closed loop one of 100 clients is served", trial("closed", {"not_sent": 99}, (100, 1), 99), None, None),
        ("unserved clients weigh as much as others", trial("closed", {"not_sent": 40}, (100, 60), 40), 834, None),
        ("served clients lack some too", trial("closed", {"not_sent": 40, "refused": 100}, (100, 60), 40), 917, None),
        ("an older result does not count clients", trial("closed", {"not_sent": 1000}, None), 1000, None),
        ("no call is answered", trial("closed", {"timed_out": 100}, (100, 0), 100, answers=0), None, None),
    ],
)  # fmt: skip
def test_a_call_without_an_answer_is_slower_than_any_answer(
    sentence: str, made: Trial, p50: int | None, p99: int | None
) -> None:
    for key, expected_ms in (("p50", p50), ("p99", p99)):
        found = measures.latency(made, key)
        assert found is not None
        if expected_ms is None:
            assert found == TOO_LONG, sentence
        else:
            assert not found.is_bound, sentence
            assert found.ns / MS == pytest.approx(expected_ms, rel=0.002), sentence


def test_too_few_calls_have_no_percentile_but_calls_that_failed_are_calls() -> None:
    assert measures.latency(trial("closed", {}, (2, 2), answers=99), "p99") is None
    assert measures.latency(trial("closed", {"timed_out": 1}, (2, 2), answers=99), "p99") == Latency(99 * MS)


def test_the_bound_is_the_shorter_of_window_and_timeout_but_never_less_than_an_answer() -> None:
    made = trial("open", {"not_sent": 1000}, (100, 50))
    for slices, timeout_s, bound_ns in (
        ([], 3.0, 3e9),
        ([], 10.0, 4e9),
        ([{"started_monotonic_ns": 0, "ended_monotonic_ns": 2 * 10**9}], 10.0, 2e9),
        ([{"started_monotonic_ns": 0, "ended_monotonic_ns": 3 * 10**8}], 10.0, 1e9),
    ):
        made.result["asked"]["timeout_s"] = timeout_s
        changed = replace(made, result={**made.result, "slices": slices})
        assert measures.latency(changed, "p99") == Latency(bound_ns, is_bound=True)


def test_what_an_older_result_does_not_count_is_not_known() -> None:
    made = trial("closed", {}, None)
    asked = (measures.clients_served, measures.served_share, measures.jain, measures.longest_wait_ns)
    assert [measure(made) for measure in asked] == [None] * 4


def test_what_clients_got() -> None:
    made = trial("closed", {"not_sent": 99}, (100, 1), 99)
    assert measures.clients_served(made) == (1, 100)
    assert (measures.served_share(made), measures.jain(made)) == (0.01, 0.01)
    assert measures.longest_wait_ns(made) == 4e9


@pytest.mark.parametrize(("answered_share", "ends_at"), [(1.0, 1000.0), (0.5, 1 / (1 - 0.4995)), (0.0, None)])
def test_the_curve_of_latencies_ends_at_the_share_of_calls_that_were_answered(
    answered_share: float, ends_at: float | None
) -> None:
    curve = percentile_curve(sample.distribution(ANSWERS)["histogram"], answered_share)
    if ends_at is None:
        assert curve == []
    else:
        assert curve[0][0] == 1
        assert curve[-1][0] == pytest.approx(ends_at)
        assert curve[-1][1] / MS == pytest.approx(999, rel=0.002)


def test_rounds_that_are_added_up_have_the_clients_of_each() -> None:
    rounds = [trial("closed", {"not_sent": 99}, (100, 1), 99), trial("closed", {}, (100, 100))]
    whole = pooled(rounds)
    assert measures.clients_served(whole) == (50, 100)
    assert measures.jain(whole) == pytest.approx(2000**2 / (200 * (1000**2 + 100 * 10**2)))
    assert measures.clients_served(pooled([rounds[0], trial("closed", {}, None)])) is None
