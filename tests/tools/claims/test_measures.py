"""What a claim can ask of a trial: each figure is that of the trial, in its unit."""

from dataclasses import replace
from typing import Any

import pytest

from tests.tools.sample import distribution, trial
from tools.claims.measures import MEASURES
from tools.measures import Latency

TRANSFER = {"transfer": {"from_account": 0, "to_account": 1}}
WAIT = {"sleep": {"duration_us": 5}}
ANSWERED = 100


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


def figure(name: str, **changes: Any) -> object:
    made = trial("reactor", 10)
    result = {**made.result, "got": {**made.result["got"], "answered": ANSWERED}, **changes}
    return MEASURES[name].of(trial("reactor", 10, **result))


def test_an_answered_call_updates_two_accounts_for_each_transfer() -> None:
    assert figure("updates", plan={"steps": [TRANSFER, WAIT, TRANSFER]}) == 2 * 2 * ANSWERED


def test_in_a_mix_each_kind_has_its_transfers() -> None:
    mix = {"one": {"steps": [TRANSFER]}, "none": {"steps": [WAIT]}}
    kinds = {"one": {"calls": {"ok": 30}}, "none": {"calls": {"ok": 70}}}
    assert figure("updates", plan={"mix": mix}, kinds=kinds) == 2 * 30


def test_only_calls_that_met_no_free_lock_are_aborted() -> None:
    calls = {**trial("reactor", 10).result["calls"], "by_status": {"ABORTED": 3, "UNAVAILABLE": 4}}
    assert figure("aborted_calls", calls=calls) == 3


@pytest.mark.parametrize(("times", "found"), [(None, None), ({"p50": 7}, 7)])
def test_first_answers_are_those_of_connections_opened_anew(times: object, found: object) -> None:
    assert figure("first_answer_p50_ns", first_answer_ns=times) == found


@pytest.mark.parametrize(
    ("answers", "variation"),
    [
        ({"vm/1/a": 10, "vm/2/b": 10}, 0.0),
        ({"vm/1/a": 3, "vm/1/b": 3, "vm/2/c": 2}, 0.5),
        ({"vm/1/a": 10}, None),
    ],
)
def test_the_spread_over_processes_counts_the_answers_of_each(answers: dict[str, int], variation: float | None) -> None:
    assert figure("worker_share_cov", served_by=answers) == variation
