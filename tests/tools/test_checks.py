"""Which trials are void, and which are just not: each check on both sides of its limit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.tools.sample import DURATION_S, distribution, trial
from tools.checks import judged, void
from tools.pooling import pooled
from tools.results import Trial

ONE = trial("reactor", 1)
OK: int = ONE.result["calls"]["ok"]


def with_driver_at(share: float, **changes: Any) -> Trial:
    """`share`: of its CPU."""
    shard = {**ONE.result["shards"][0], "cpu_ns": int(share * DURATION_S * 1e9)}
    return trial("reactor", 1, shards=[shard], **changes)


def late(by_ms: float, *, driver: float = 0.6, latency_ms: int = 5, waited: float = 0.0) -> Trial:
    """`waited`: the share of the time in which the driver had no processor, and could have run."""
    latency = distribution([latency_ms * 1_000_000], OK)
    starved = {**ONE.result["driver"], "waited_ns": int(waited * DURATION_S * 1e9)}
    lateness = distribution([int(by_ms * 1e6)])
    return with_driver_at(driver, lateness_ns=lateness, latency_ns=latency, driver=starved)


def throttled(quota_cpus: float) -> Trial:
    found = replace(ONE, after=type(ONE.after)())
    found.after.CopyFrom(ONE.after)
    found.after.throttling.throttled_ns = 2_000_000
    found.after.throttling.quota_cpus = quota_cpus
    return found


def counters_late(by_s: float) -> Trial:
    """Those after the load."""
    found = replace(ONE, after=type(ONE.after)())
    found.after.CopyFrom(ONE.after)
    found.after.monotonic_ns = ONE.result["marks"]["ended_monotonic_ns"] + int(by_s * 1e9)
    return found


def block(*, canaries_ns: Sequence[Sequence[int]] = (), checksums: Sequence[Mapping[str, int]] = ()) -> list[Trial]:
    """Arms of one point and round, with one of these each."""
    arms = ("reactor", "thread_pool", "seda", "coroutines")
    made = [trial(arm, 1, checksums=dict(each)) for arm, each in zip(arms, checksums, strict=False)]
    made += [replace(trial(arm, 1), slices_canary_ns=each) for arm, each in zip(arms, canaries_ns, strict=False)]
    return made


def void_arms(trials: list[Trial], **how: bool) -> list[str]:
    return [one.trial.arm for one in judged(trials, **how) if one.why]


VOID: dict[str, tuple[Trial, str]] = {
    "busy driver": (
        with_driver_at(0.91),
        "the driver used 0.91 CPUs of its 1, so the figures may be its own",
    ),
    "busy load program": (
        with_driver_at(0.91, client="k6"),
        "k6 used 0.91 CPUs of its 1, so the figures may be its own",
    ),
    "late driver": (late(1.1), "the driver sent calls 1.1 ms late (p99)"),
    "busy machine": (replace(ONE, others_share=0.08), "other processes took 8 % of the service's CPUs"),
    "starved driver": (late(90, driver=0.1, waited=0.5), "the driver sent calls 90 ms late (p99)"),
    "throttled": (throttled(1.0), "the CPU quota throttled the service for 2 ms"),
    "shards apart": (
        trial("reactor", 1, got={"start_spread_ns": 51_000_000}),
        "the shards of the driver started within 51 ms; at most 50 ms is allowed",
    ),
    "counters read late": (counters_late(0.5), "the service's counters were read 500 ms late"),
    "unreadable replies": (
        trial("reactor", 1, checksums={"17": 30, "unreadable": 2}),
        "2 of the replies that were parsed are not a RunReply",
    ),
    "lost call": (
        trial("reactor", 1, calls={**ONE.result["calls"], "planned": OK + 1}),
        f"{OK + 1} calls were planned, but the result has {OK}",
    ),
    "lost latency": (
        trial("reactor", 1, latency_ns={**ONE.result["latency_ns"], "count": OK - 1}),
        f"{OK} calls were answered, but the histogram has {OK - 1}",
    ),
}
NOT_VOID: dict[str, Trial] = {
    "counters read in time": counters_late(0.3),
    "quiet": ONE,
    "driver with a tenth left": with_driver_at(0.89),
    "late by less than a millisecond": late(0.9),
    "late by less than a twentieth of the latency": late(1.9, latency_ms=40),
    "late with time to spare, where the service has no room": late(90, driver=0.4),
    "others within a tick": replace(ONE, others_share=0.051),
    "the limit of a pod": replace(throttled(0.5), pods=({"name": "a"},)),
    "shards together": trial("reactor", 1, got={"start_spread_ns": 49_000_000}),
    "calls that failed": trial(
        "reactor", 1, calls={**ONE.result["calls"], "planned": OK + 9, "by_status": {"UNAVAILABLE": 9}}
    ),
}


@pytest.mark.parametrize(("of", "why"), VOID.values(), ids=VOID)
def test_a_trial_is_void_with_the_reason_and_its_number(of: Trial, why: str) -> None:
    assert void(of).startswith(why)


@pytest.mark.parametrize("of", NOT_VOID.values(), ids=NOT_VOID)
def test_what_the_arm_does_itself_is_a_result(of: Trial) -> None:
    assert void(of) == ""


def test_a_client_at_its_limit_is_a_result_where_clients_are_compared() -> None:
    assert void(with_driver_at(0.99), compares_clients=True) == ""
    assert void(replace(with_driver_at(0.99), others_share=0.5), compares_clients=True).startswith("other processes")


def test_a_void_trial_has_all_its_reasons_in_one_line() -> None:
    assert void(replace(with_driver_at(0.95), others_share=0.5)).count("; ") == 1


def test_calls_that_do_not_add_up_make_a_trial_void_despite_noise() -> None:
    lost, _ = VOID["lost call"]
    (one,) = judged([lost], despite_noise=True)
    assert "but the result has" in one.why


def test_what_noise_did_is_stored_with_a_trial_that_is_shown_despite_it() -> None:
    noisy, why = VOID["busy machine"]
    (shown,) = judged([noisy], despite_noise=True)
    assert (shown.why, shown.trial.waived) == ("", why)
    assert [(one.trial, one.why) for one in judged([noisy])] == [(noisy, why)]


@pytest.mark.parametrize(
    ("canaries_ns", "arms"),
    [
        ([(1000, 1000), (1000, 1290)], []),
        ([(1000, 1000), (1000, 1310)], ["reactor", "thread_pool"]),
        ([(1000, 1000), (1000, 1400), (1010, 1010)], ["thread_pool"]),
        ([(1000, 1000), (600, 1000), (990, 1000), (1010, 1000)], ["thread_pool"]),
        ([(1000,), (1400,), (1000,)], []),
        ([(1000, 1000), ()], []),
        ([(1000, 1000)], []),
    ],
    ids=["within the limit", "two arms", "the one apart", "faster", "arms in turn", "not known", "alone"],
)
def test_an_arm_is_void_if_the_speed_of_the_cpu_differed_from_that_beside_the_others(
    canaries_ns: list[tuple[int, ...]], arms: list[str]
) -> None:
    assert void_arms(block(canaries_ns=canaries_ns)) == arms
    assert void_arms(block(canaries_ns=canaries_ns), despite_noise=True) == []


def test_the_reason_of_a_canary_has_the_factor() -> None:
    (one,) = [one for one in judged(block(canaries_ns=[(1400, 1000), (1000, 1000), (1000, 1000)])) if one.why]
    assert one.why == "the CPU's speed differed by a factor of 1.4 from that beside the other arms (canary)"


@pytest.mark.parametrize(
    ("checksums", "arms"),
    [
        ([{"17": 9}, {"17": 3}], []),
        ([{"17": 9}, {"18": 9}], ["reactor", "thread_pool"]),
        ([{"17": 9}, {"18": 9}, {"17": 9}], ["thread_pool"]),
        ([{"17": 9}, {"17": 8, "18": 1}, {"17": 9}], ["thread_pool"]),
        ([{"1": 1, "2": 1}, {"3": 1, "4": 1}], []),
        ([{"17": 9}, {}], []),
    ],
    ids=["alike", "no majority", "the minority", "some replies", "no fixed reply", "no reply"],
)
def test_an_arm_that_did_other_work_than_most_is_void(checksums: list[dict[str, int]], arms: list[str]) -> None:
    assert void_arms(block(checksums=checksums)) == arms
    assert void_arms(block(checksums=checksums), despite_noise=True) == arms


def test_arms_with_calls_of_their_own_are_not_compared_by_their_replies() -> None:
    first, second = block(checksums=[{"17": 9}, {"18": 9}])
    assert void_arms([first, replace(second, result={**second.result, "plan": {"payload_bytes": 3}})]) == []


def test_the_results_of_a_block_judged_again_are_results() -> None:
    trials = block(canaries_ns=[(1000, 1000), (1200, 1000), (1350, 1000), (1700, 1000)])
    whole = [one.trial for one in judged(trials) if not one.why]
    assert len(whole) < len(trials)
    assert not void_arms(whole)


def test_rounds_minutes_apart_do_not_make_counters_late() -> None:
    """Each round has a clock reading of its own."""
    rounds = []
    for minute in range(3):
        at = 10**12 + minute * 60 * 10**9
        made = trial("reactor", 10, marks={"started_monotonic_ns": at, "ended_monotonic_ns": at + 4 * 10**9})
        made.before.monotonic_ns, made.after.monotonic_ns = at, at + 4 * 10**9
        rounds.append(made)
    assert "counters" not in void(pooled(rounds))
