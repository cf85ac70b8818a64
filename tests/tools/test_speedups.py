"""What more CPUs bring is the first sentence of an experiment that asks it, and never of one that compares others."""

import dataclasses
from typing import Any

import pytest

from tests.tools.test_headline import of
from tools import measures
from tools.headline import answer
from tools.results import Trial

POOL: dict[str, Any] = {"model": "process_pool", "options": {"processes": 2}}
POOLS = {"pool_1": POOL, "pool_2": {**POOL, "cpus": 2}}
THREADS = {"threads_1": {"model": "thread_pool", "cpus": 1}, "threads_2": {"model": "thread_pool", "cpus": 2}}


def rates(**of_arm: tuple[float, ...]) -> list[Trial]:
    """Rounds of arms with those rates, in calls/s."""
    return [trial for arm, values in of_arm.items() for trial in of(arm, *values)]


MEASURED = rates(
    threads_1=(200, 202, 198),
    threads_2=(201, 199, 203),
    pool_1=(200, 201, 199),
    pool_2=(380, 384, 378),
)


def test_the_first_sentence_has_each_model_once_and_the_largest_speed_up_first() -> None:
    first, *_ = answer(MEASURED, (), THREADS | POOLS).split(". ")
    assert first == (
        "2 CPUs / 1 CPU, calls/s: process_pool 1.90 [1.89, 1.92] (faster); "
        "thread_pool 1.01 [0.956, 1.06] (not distinguishable)"
    )


def test_a_model_that_loses_with_more_cpus_is_slower() -> None:
    turned = rates(pool_1=(380, 384, 378), pool_2=(200, 201, 199))
    assert answer(turned, (), POOLS).startswith("2 CPUs / 1 CPU, calls/s: process_pool 0.525 [0.521, 0.530] (slower). ")


@pytest.mark.parametrize(
    "arms",
    [
        {},
        {"pool_1": POOL, "pool_2": {**POOL, "cpus": 2, "options": {"processes": 4}}},
        {"pool_1": POOL, "pool_2": {"model": "thread_pool", "cpus": 2}},
        {"pool_1": POOL, "pool_2": POOL},
        {"pool_1": POOL, "pool_3": {**POOL, "cpus": 2}},
    ],
    ids=["unknown arms", "other options", "another model", "as many CPUs", "without a trial"],
)
def test_arms_that_differ_in_more_or_less_than_their_cpus_have_no_speed_up(arms: dict[str, Any]) -> None:
    assert answer(MEASURED, (), arms).startswith("At 1,000 connections ")


def test_who_used_one_cpu_although_it_had_two_is_named() -> None:
    def busy(trial: Trial, cpus: float) -> Trial:
        after = type(trial.after)()
        after.CopyFrom(trial.after)
        spent_ns = round(cpus * 1e9 * trial.result["got"]["answered"] / measures.rate_rps(trial))
        after.cpu_user_ns, after.cpu_system_ns = trial.before.cpu_user_ns + spent_ns, trial.before.cpu_system_ns
        return dataclasses.replace(trial, after=after)

    trials = [busy(trial, 1.9 if trial.arm == "pool_2" else 1.04) for trial in MEASURED]
    assert " With more CPUs, these used one (CPUs busy): thread_pool (1.04). " in answer(trials, (), THREADS | POOLS)
