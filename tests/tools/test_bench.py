"""The bench: its experiments, its goals and tables, and that it names what is missing."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tools.sample import trial
from tools import experiment
from tools.bench import experiments, goals, markdown, overload
from tools.bench.__main__ import main
from tools.bench.bounds import Overload, bound
from tools.bench.driving import Timing
from tools.bench.goals import GOALS, Goal
from tools.experiment import Arm
from tools.local import Programs
from tools.results import Trial, TrialId

GOAL = Goal(experiments.BUSY, "reactor", "grpcio_asyncio", "10", 6.0)
OVERLOADED = Overload(
    server="thread_pool",
    options=(),
    capacity_rps=1000.0,
    served_cpu_us=200.0,
    echo_cpu_us=25.0,
    offered=16_000,
    answered_rps=900.0,
    rejected=12_000,
    overload_cpu_us=250.0,
    in_flight=1016,
    rss_before_bytes=30 * 2**20,
    rss_half_bytes=40 * 2**20,
    rss_end_bytes=41 * 2**20,
    rejection_cpu_us=10.0,
)


def measured(number: int, arm: str, rate_rps: float, cpu_us: int = 10, **changes: Any) -> Trial:
    """One round of 1 s at 10 connections."""
    calls = round(rate_rps)
    made = trial(arm, 10, number, got={"answered": calls, "duration_s": 1.0, "rate_rps": rate_rps})
    made.before.Clear()
    made.after.Clear()
    made.after.cpu_user_ns = calls * cpu_us * 1000
    return replace(made, id=TrialId(arm, "10", number), counted=calls, **changes)


def result(*trials: Trial, goal: Goal = GOAL) -> goals.GoalResult:
    (found,) = goals.results({goal.experiment: trials}, [goal])
    return found


def test_a_ratio_is_made_within_a_round_so_that_a_slower_machine_does_not_show() -> None:
    """Rates halve from round to round; each round's ratio is 7, while any mixture of rounds is not."""
    pairs = [("reactor", 5600), ("grpcio_asyncio", 800)]
    found = result(*(measured(number, arm, calls >> number) for number in (1, 2, 3) for arm, calls in pairs))
    assert found.got is not None
    assert found.got.value == pytest.approx(7)
    assert found.reached


@pytest.mark.parametrize(("rate_rps", "reached"), [(599, False), (600, True), (700, True), (701, False)])
def test_a_goal_has_a_lower_bound_and_may_have_an_upper_one(rate_rps: float, reached: bool) -> None:
    goal = replace(GOAL, most=7.0)
    found = result(measured(1, "reactor", rate_rps), measured(1, "grpcio_asyncio", 100), goal=goal)
    assert found.reached is reached


def test_a_ratio_by_cpu_is_high_for_the_arm_that_needs_less_of_it() -> None:
    found = result(measured(1, "reactor", 700, cpu_us=10), measured(1, "grpcio_asyncio", 100, cpu_us=80))
    assert found.by_cpu == pytest.approx(8)


def test_a_round_that_lacks_one_side_counts_for_nothing() -> None:
    found = result(measured(1, "reactor", 700), measured(2, "grpcio_asyncio", 100))
    assert (found.got, found.reached) == (None, None)


def test_a_goal_of_an_experiment_that_was_not_run_has_no_result() -> None:
    assert list(goals.results({})) == []


def test_latencies_of_two_clients_are_compared_by_their_percentiles() -> None:
    goal = Goal(goals.CLIENTS, "driver", "h2load", "10", 0.95, 1.05, "p50")
    one = trial("reactor", 10)
    arms = [replace(one, id=TrialId(arm, "10", 1)) for arm in ("driver", "h2load")]
    found = result(*arms, goal=goal)
    assert (found.what, found.asked, found.reached, found.by_cpu) == (
        "p50 of driver / h2load",
        "0.95 to 1.05",
        True,
        None,
    )


def test_an_idle_connection_costs_what_the_memory_grew_within_a_round() -> None:
    def idle(number: int, connections: int, rss_kib: int) -> Trial:
        made = measured(number, "reactor", 100, load={"connections": 1, "streams": 1, "idle": connections})
        made.after.rss_bytes = rss_kib * 1024
        return made

    trials = [idle(1, 0, 1000), idle(1, experiments.IDLE_CONNECTIONS, 76_000), idle(2, 0, 5)]
    assert goals.idle_kib(trials) == [15.0]
    assert markdown.idle([17.0]).startswith("RSS of reactor for each of 5,000 idle connections: **17.0 KiB**")
    assert markdown.idle([]) == "Idle connections were not measured."


@pytest.mark.parametrize(
    ("start", "name", "arm"),
    [
        (("reactor",), "reactor", Arm(model="reactor")),
        (("reactor", "--style", "ripped"), "reactor_style_ripped", Arm(model="reactor", options={"style": "ripped"})),
        (
            ("process_pool", "--reuse-port"),
            "process_pool_reuse_port",
            Arm(model="process_pool", environment={"SWEETSPOT_REUSE_PORT": "true"}),
        ),
        (
            ("multi_reactor", "--balance", "least-connections"),
            "multi_reactor_balance_least_connections",
            Arm(model="multi_reactor", options={"balance": "least-connections"}),
        ),
    ],
)
def test_a_model_with_flags_is_an_arm(start: tuple[str, ...], name: str, arm: Arm) -> None:
    assert experiments.arm_of(start) == (name, arm)


def test_each_experiment_is_valid_and_has_each_model_and_variant() -> None:
    starts = Programs().starts()
    made = experiments.experiments(starts, rounds=3, duration_s=1)
    for name, each in made.items():
        assert experiment.parse(each.to_yaml(), name) == each
    assert {experiments.arm_of(start)[0] for start in starts} < made[experiments.ECHO].arms.keys()


def test_each_goal_has_its_arms_and_its_point_in_an_experiment() -> None:
    made = experiments.experiments(Programs().starts(), rounds=3, duration_s=1, only=goals.arms())
    made[goals.CLIENTS] = experiment.read(experiment.path_of(goals.CLIENTS))
    for goal in GOALS:
        each = made[goal.experiment]
        assert {goal.arm, goal.baseline} <= each.arms.keys()
        assert goal.point in {point.name for point in each.points}


def test_a_client_that_is_missing_leaves_its_arm_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, **_: None if name == "k6" else name)
    found, missing = experiments.with_installed(experiment.read(experiment.path_of(goals.CLIENTS)))
    assert list(found.arms) == ["driver", "h2load", "ghz"]
    assert [why.partition(":")[0] for why in missing] == ["arm k6"]


def test_a_model_has_a_row_with_what_it_reaches_at_each_point() -> None:
    rounds = [measured(number, "reactor", calls) for number, calls in ((1, 1000), (2, 3000), (3, 2000))]
    *_, row = markdown.rates([("reactor",), ("seda",)], rounds)
    assert row == "| reactor | 2,000 | 10 |"


def test_a_missed_goal_is_bold_and_one_that_was_not_measured_is_a_dash() -> None:
    missed = result(measured(1, "reactor", 100), measured(1, "grpcio_asyncio", 100))
    *_, first, second = markdown.goals([missed, result()])
    assert first == "| calls/s of reactor / grpcio_asyncio | 10 connections | >= 6 | **1.00 [no interval]** | 1.00 |"
    assert second == "| calls/s of reactor / grpcio_asyncio | 10 | >= 6 | - | - |"


def test_every_model_and_variant_is_said_to_have_a_bound() -> None:
    assert all(bound(start).room for start in Programs().starts())


def test_what_overload_costs_is_told_in_a_row_for_the_readme() -> None:
    *_, row = markdown.when_full([OVERLOADED])
    assert row == (
        "| thread_pool | 16 threads and a queue of 1,000 | RESOURCE_EXHAUSTED | 1,016 | 90% | 75% "
        "| 10 µs: 5.0%, 40% of an echo | +2.5% of 40 MiB |"
    )


@pytest.mark.parametrize(
    ("changed", "bold"),
    [({"rejection_cpu_us": 20.2}, "**10.1%**, 81% of an echo"), ({"rss_end_bytes": 43 * 2**20}, "**+7.5%** of 40 MiB")],
)
def test_what_is_above_its_bound_is_bold(changed: dict[str, Any], bold: str) -> None:
    *_, row = markdown.when_full([replace(OVERLOADED, **changed)])
    assert bold in row


def test_a_missing_program_is_one_line_that_names_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    starts = Programs().starts()
    monkeypatch.setattr(Programs, "starts", lambda _: starts)
    monkeypatch.setattr("shutil.which", lambda *_args, **_kwargs: None)
    monkeypatch.chdir(tmp_path)
    assert main(["--goals"]) == 2
    assert capsys.readouterr().err == "bench: h2load is not installed: install the Debian package nghttp2-client\n"
    assert not list(tmp_path.iterdir())


def test_a_full_service_is_overloaded_and_its_rejections_are_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(overload, "OVERLOADED", Timing(0.5, 1.0))
    found = overload.measure(("thread_pool",), min(os.sched_getaffinity(0)), tmp_path)
    assert found.start == ("thread_pool",)
    assert found.offered > found.answered_rps > 0
    assert found.rejection_cost is not None
    assert found.rejection_cost > 0


@pytest.mark.parametrize("name", ["driver", "reactor"])
def test_a_profile_has_the_functions_of_one_side(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name != "driver" and shutil.which("h2load") is None:
        pytest.skip("h2load is not installed")
    assert main(["--profile", name, "--at", "2x2", "--duration", "0.5"]) == 0
    assert f"{name} at 2 connections, 2 calls at a time on each" in " ".join(capsys.readouterr().out.split())
