"""The headline: computed from the trials of all rounds, honest about ties, gaps and failures."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.tools.sample import clients, distribution, trial
from tools.experiment import Load, points
from tools.headline import answer
from tools.results import Trial, TrialId


def of(
    model: str,
    *rates: float,
    p99_ms: float = 10,
    at: int = 1000,
    asked_rps: float | None = None,
    got: dict[str, Any] | None = None,
    served: dict[str, Any] | None = None,
    **calls: Any,
) -> list[Trial]:
    """The rounds of an arm, one for each rate, in which every call took as long as the next."""
    open_loop = {"loop": "open", "streams": None, "rate_rps": asked_rps}
    made = []
    for number, rate in enumerate(rates, start=1):
        ok = int(rate * 4)
        one = trial(
            model,
            at,
            asked={"connections": at, "duration_s": 4, **(open_loop if asked_rps else {})},
            got={"connections": at, "duration_s": 4.0, "answered": round(4 * rate), "rate_rps": rate, **(got or {})},
            calls={
                **{"planned": max(1, ok), "ok": ok, "by_status": {}, "timed_out": 0, "not_sent": 0, "unfinished": 0},
                **calls,
            },
            latency_ns=distribution([int(p99_ms * 1e6)], ok),
        )
        if served:
            one = replace(one, result={**one.result, "clients": served})
        made.append(replace(one, id=TrialId(model, str(at), number)))
    return made


FOUR = ("reactor", "coroutines", "thread_pool", "seda")
SERVED_ALL, SERVED_ONE = clients(1000, 1000, 4000), clients(1000, 1, 4000)
WAVES = [100, 100, 100, 100, 100, 100, 300, 300, 300, 300]
RISING = [0, 0, 10, 50, 100, 200, 300, 400, 500, 600]


@pytest.mark.parametrize(
    ("trials", "sentence"),
    [
        ([], "Nothing has been measured yet, so there is no answer."),
        (
            [*of("reactor", 4200, 4230, 4210), *of("thread_pool", 1450, 1440, 1460)],
            "At 1,000 connections reactor serves most: 4,213 [4,176, 4,251] calls/s, with p99 10 ms; "
            "last is thread_pool with 1,450 [1,425, 1,475] calls/s (3 rounds).",
        ),
        (
            [
                *of("reactor", 4200, 3900, 4210),
                *of("coroutines", 4100, 4000, 4000),
                *of("thread_pool", 1450, 1400, 1500),
            ],
            "At 1,000 connections reactor serves most: 4,101 [3,681, 4,569] calls/s, with p99 10 ms; coroutines cannot "
            "be distinguished from it; last is thread_pool with 1,449 [1,330, 1,579] calls/s (3 rounds).",
        ),
        (
            [*of("reactor", 100, 104, 97), *of("coroutines", 98, 105, 99)],
            "At 1,000 connections coroutines and reactor cannot be distinguished: 101 [92, 110] calls/s to "
            "100 [92, 109] calls/s (3 rounds).",
        ),
        (
            [*of("reactor", 100, p99_ms=7)],
            "At 1,000 connections reactor serves 100 calls/s, with p99 7 ms; no other arm is ranked there "
            "(1 round, provisional).",
        ),
        (
            [*of("reactor", 0, 0), *of("thread_pool", 0, 0)],
            "At 1,000 connections no arm can be ranked. Not ranked: reactor (answered no call), "
            "thread_pool (answered no call).",
        ),
        (
            [*of("reactor", 100, 100, 101), *of("thread_pool", 0, 0, 0, by_status={"UNAVAILABLE": 1})],
            "At 1,000 connections reactor serves 100 [99, 102] calls/s, with p99 10 ms; no other arm is ranked there "
            "(3 rounds). Not ranked: thread_pool (answered no call). Calls failed: thread_pool 100 %.",
        ),
        (
            [
                *of("reactor", 500, 500, 500, p99_ms=3, asked_rps=500),
                *of("thread_pool", 490, 490, 490, p99_ms=12, asked_rps=500),
            ],
            "At 1,000 connections, 500 calls/s both serve the 500 calls/s asked; reactor has the lowest p99, "
            "3 ms [3 ms, 3 ms]; last is thread_pool with 12 ms [12 ms, 12 ms] (3 rounds).",
        ),
        (
            [*of("reactor", 500, 501, 500, asked_rps=500), *of("thread_pool", 100, 101, 99, asked_rps=500)],
            "At 1,000 connections, 500 calls/s reactor serves most: 500 [499, 502] calls/s, with p99 10 ms; "
            "last is thread_pool with 100 [98, 103] calls/s (3 rounds).",
        ),
        (
            [
                *of("reactor", 100, 101, 100, served=SERVED_ALL),
                *of("iterative", 900, 901, 902, p99_ms=1, served=SERVED_ONE),
            ],
            "At 1,000 connections reactor serves 100 [99, 102] calls/s, with p99 10 ms; no other arm is ranked there "
            "(3 rounds). Not ranked: iterative (served 1 of 1,000 clients).",
        ),
        (
            [*of("reactor", 100, 101, 100), *of("thread_pool", 540, 540, 540, got={"answered_by_tenth": RISING})],
            "At 1,000 connections reactor serves 100 [99, 102] calls/s, with p99 10 ms; no other arm is ranked there "
            "(3 rounds). Not ranked: thread_pool (start-up, not a rate).",
        ),
        (
            [*of("reactor", 450, 451, 450, got={"answered_by_tenth": WAVES})],
            "At 1,000 connections reactor serves 450 [449, 452] calls/s, with p99 10 ms; no other arm is ranked there "
            "(3 rounds).",
        ),
    ],
    ids=[
        "nothing", "two arms", "a tie at the top", "all tie", "one arm", "none answers", "one answers nothing",
        "open loop, all keep up", "open loop, one does not", "one serves fewer clients", "one was starting up",
        "a wave is no start-up",
    ],
)  # fmt: skip
def test_the_answer(trials: list[Trial], sentence: str) -> None:
    assert answer(trials) == sentence


def transfers(model: str, lost: int) -> Trial:
    """One of 400 calls with a transfer each, which is two updates."""
    (one,) = of(model, 100)
    one = replace(one, result={**one.result, "plan": {"steps": [{"transfer": {}}]}})
    one.after.lost_updates = one.before.lost_updates + lost
    return one


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        ({"threads": 12, "loop": 0}, "at least 12 of 800 by threads; 0 of 800 by loop."),
        ({"loop": 0, "locked": 0}, "0 of 1,600 by 2 arms."),
        ({"loop": 0, "locked": 0, "threads": 1}, "at least 1 of 800 by threads; 0 of 1,600 by the 2 others."),
    ],
)
def test_lost_updates_come_first_and_none_is_an_answer(lost: Mapping[str, int], sentence: str) -> None:
    made = [transfers(arm, number) for arm, number in lost.items()]
    assert answer(made).startswith(f"Lost updates of accounts: {sentence} At ")


@pytest.mark.parametrize("loop", [{}, {"asked_rps": 300.0}], ids=["closed loop", "open loop"])
def test_an_arm_that_serves_fewer_clients_is_never_ranked_above_one_that_serves_all(loop: dict[str, Any]) -> None:
    trials = [
        *of("reactor", 290, 291, 290, p99_ms=90, served=SERVED_ALL, **loop),
        *of("iterative", 300, 300, 300, p99_ms=1, served=SERVED_ONE, **loop),
    ]
    assert "reactor serves 290" in answer(trials)
    assert "Not ranked: iterative (served 1 of 1,000 clients)." in answer(trials)


@pytest.mark.parametrize(
    ("trials", "at"),
    [
        ([*of("reactor", 9, at=10), *of("reactor", 9, at=100), *of("thread_pool", 9, at=10)], 10),
        ([*of("reactor", 9, at=10), *of("coroutines", 9, at=10), *of("thread_pool", 9, at=1000)], 10),
        ([*of("reactor", 9, at=10), *of("reactor", 9, at=100)], 100),
        ([one for model in FOUR for one in (*of(model, 9, at=10), *of(model, 9, at=100))][:-1], 100),
        (
            [
                one
                for model in FOUR
                for one in (*of(model, 9, at=10), *(of(model, 9, at=100) if model in FOUR[:2] else ()))
            ],
            10,
        ),
        ([*of("reactor", 9, at=10), *of("thread_pool", 9, at=100)], 100),
    ],
    ids=[
        "all were measured at",
        "most were measured at",
        "the last one",
        "one of four is missing",
        "two of four are",
        "no point has both",
    ],
)
def test_the_answer_is_about_the_last_point_with_enough_arms(trials: Sequence[Trial], at: int) -> None:
    assert answer(trials).startswith(f"At {at} connections ")


def test_where_every_trial_is_void_the_answer_has_the_reason() -> None:
    said = answer([], [(TrialId("reactor", "10"), "other processes took 30 % of the service's CPUs")])
    assert said == ("No answer: every trial is void. The first one: other processes took 30 % of the service's CPUs.")


def test_a_multiple_of_capacity_is_no_rate_of_all_arms() -> None:
    (point,) = points(Load(connections=(1000,), rate_of_capacity=(0.8,)))
    slow, fast = of("reactor", 500, 500, asked_rps=500), of("seda", 800, 800, asked_rps=800)
    said = answer([replace(one, load=point.values) for one in (*slow, *fast)])
    assert said.startswith("At 1,000 connections, 0.8x its capacity seda serves most: 800 ")
    assert said.endswith(" (2 rounds, provisional).")


def test_a_schedule_ranks_by_p99_where_it_is_served() -> None:
    trials = [*of("reactor", 100, 100, 100, p99_ms=3), *of("seda", 100, 100, 100, p99_ms=12)]
    asked = {"loop": "open", "streams": None, "rate_rps": None, "schedule": "ramp"}
    of_schedule = [replace(one, result={**one.result, "asked": {**one.result["asked"], **asked}}) for one in trials]
    assert "both serve the schedule asked; reactor has the lowest p99, 3 ms" in answer(of_schedule)


def test_rounds_without_an_answer_count() -> None:
    said = answer([*of("reactor", 5000, 0, 0), *of("seda", 4000, 4000, 4000)])
    assert said.startswith("At 1,000 connections seda ")


def test_one_round_of_start_up_is_enough_not_to_be_ranked() -> None:
    trials = [
        *of("reactor", 100, 100, 100),
        *of("seda", 900, 900, got={"answered_by_tenth": [360] * 10}),
        *(replace(one, id=TrialId("seda", "1000", 3)) for one in of("seda", 540, got={"answered_by_tenth": RISING})),
    ]
    assert "Not ranked: seda (start-up, not a rate)." in answer(trials)


def test_a_round_that_does_not_keep_up_is_not_hidden_by_the_others() -> None:
    trials = [*of("reactor", 500, 500, 440, asked_rps=500), *of("seda", 500, 500, 500, asked_rps=500)]
    assert "the 500 calls/s asked" not in answer(trials)


def test_a_round_with_hardly_an_answer_is_not_ranked_and_hides_no_difference() -> None:
    """1,000 threads that started answered 12, 1 and 273 calls/s. Their variance is that of no other arm."""
    rates = {"reactor": (4000.0, 4100.0, 4050.0), "seda": (2000.0, 2100.0, 2050.0), "threads": (12.0, 1.0, 273.0)}
    trials = [
        replace(trial(arm, 1000, number), result=_answering(trial(arm, 1000, number).result, rate_rps))
        for arm, of_arm in rates.items()
        for number, rate_rps in enumerate(of_arm, 1)
    ]
    said = answer(trials)
    assert "reactor serves most: " in said
    assert "last is seda" in said
    assert "Not ranked: threads (too few answers for its clients)." in said


def _answering(result: Any, rate_rps: float) -> dict[str, Any]:
    answered = round(rate_rps)
    got = {**result["got"], "duration_s": 1.0, "answered": answered, "counted": answered, "rate_rps": rate_rps}
    return {**result, "got": got}


def test_a_p99_that_is_a_bound_is_not_ranked_above_one_that_is_known() -> None:
    trials = [
        *of("seda", 500, 500, 500, p99_ms=3, asked_rps=500, planned=2080),
        *of("reactor", 500, 500, 500, p99_ms=9000, asked_rps=500),
    ]
    said = answer(trials)
    assert "reactor serves the 500 calls/s asked, with p99 9 s " in said
    assert "Not ranked: seda (p99 > " in said


def test_void_trials_are_counted_beside_the_answer() -> None:
    void = [(TrialId("reactor", "1000", number), "the driver was busy") for number in (2, 3)]
    assert answer(of("reactor", 9), void).endswith(" 2 trials are void.")


def test_an_arm_without_a_result_at_the_point_of_the_answer_is_named() -> None:
    trials = [one for model in FOUR[:3] for one in of(model, 9)]
    assert "No result there: seda." in answer(trials, [(TrialId("seda", "1000"), "the driver was busy")])
