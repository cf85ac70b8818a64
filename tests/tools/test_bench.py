"""The bench: its arithmetic, how it reads h2load's output, what it stores, and that it names what is missing."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tools.bench import generators, idle, markdown, overload, record, servers, tables
from tools.bench.__main__ import main
from tools.bench.bounds import Overload, bound
from tools.bench.generators import Timing
from tools.bench.goals import (
    BUSY,
    GOALS,
    ClosedLoop,
    Goal,
    Idle,
    Measurement,
    Subject,
    idle_result,
    result_of,
    subjects,
)
from tools.bench.record import BenchRecord
from tools.local import LocalError, Programs
from tools.results import BadResultsError

OURS, THEIRS = Subject("reactor", BUSY), Subject("grpcio_asyncio", BUSY)
GOAL = Goal(OURS, THEIRS, 6.0)
ENVIRONMENT = {"kernel": "Linux", "python": "CPython", "git_revision": "0", "packages": {}, "programs": {}}
ASKED = {
    **{"rounds": 3, "warmup_s": 1.0, "duration_s": 3.0, "payload_bytes": 32, "server_cpu": 0, "generator_cpu": 1},
    **{"overload_plan": {"steps": []}, "overload_factor": 4},
}
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

CLOSING_LINES = """
finished in 3.00s, 36365.00 req/s, 2.32MB/s
requests: 72730 total, 72730 started, 72730 done, {succeeded} succeeded, {failed} failed, 0 errored, 0 timeout
status codes: 72731 2xx, 0 3xx, {rejected} 4xx, 0 5xx
traffic: 4.65MB ({total}) total, 1.37MB (1434420) headers (space savings 93.50%), 5.33MB (5588700) data
"""


def said(succeeded: int = 72730, failed: int = 0, rejected: int = 0, total: int = 4874475) -> list[str]:
    return CLOSING_LINES.format(succeeded=succeeded, failed=failed, rejected=rejected, total=total).splitlines()


def measured(number: int, subject: Subject, calls: int, cpu_us: int = 10) -> Measurement:
    return Measurement(number, subject, calls, 1.0, calls * cpu_us * 1000, 500_000_000)


def test_a_ratio_is_made_within_a_round_so_that_a_slower_machine_does_not_show() -> None:
    """Rates halve from round to round; each round's ratio is 7, while any mixture of rounds is not."""
    rounds = [
        measured(number, subject, calls >> number)
        for number in (1, 2, 3)
        for subject, calls in ((OURS, 5600), (THEIRS, 800))
    ]
    found = result_of(GOAL, rounds)
    assert (found.got, found.lowest, found.highest, found.reached) == (7.0, 7.0, 7.0, True)


def test_the_median_round_decides() -> None:
    rounds = [
        each
        for number, calls in ((1, 500), (2, 590), (3, 9000))
        for each in (measured(number, OURS, calls), measured(number, THEIRS, 100))
    ]
    found = result_of(GOAL, rounds)
    assert (found.got, found.lowest, found.highest, found.reached) == (5.9, 5.0, 90.0, False)


def test_a_ratio_by_cpu_is_high_for_whoever_needs_less_of_it() -> None:
    assert result_of(GOAL, [measured(1, OURS, 7, cpu_us=10), measured(1, THEIRS, 1, cpu_us=80)]).by_cpu == 8.0


def test_a_round_that_lacks_one_side_counts_for_nothing() -> None:
    found = result_of(GOAL, [measured(1, OURS, 700), measured(2, THEIRS, 100)])
    assert (found.got, found.reached) == (None, None)


@pytest.mark.parametrize(("grown_kib", "reached"), [(16 * 5000, True), (16 * 5000 + 1, False)])
def test_idle_connections_may_cost_as_much_as_asked_and_no_more(grown_kib: int, reached: bool) -> None:
    assert idle_result(Idle("reactor", 5000, 1024, 1024 + grown_kib * 1024)).reached is reached


def test_every_target_is_measured_and_nothing_twice() -> None:
    found = subjects([("reactor",), ("reactor", "--style", "ripped")])
    assert {side for goal in GOALS for side in (goal.subject, goal.baseline)} < set(found)
    assert Subject("reactor", BUSY, options=("--style", "ripped")) in found
    assert len(found) == len(set(found))


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


def test_a_model_has_a_row_with_what_it_reaches_under_each_load() -> None:
    rounds = [measured(number, OURS, calls) for number, calls in ((1, 1000), (2, 3000), (3, 2000))]
    *_, row = markdown.rates([("reactor",), ("seda",)], rounds)
    assert row == "| reactor | - | 2,000 | - | - | 10 | - |"


def test_h2load_tells_how_many_calls_were_answered() -> None:
    assert generators.succeeded(said(), least_bytes=39) == 72730


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (said(succeeded=0), "0 succeeded"),
        (said(failed=3), "3 failed"),
        (said(rejected=730), "730 4xx"),
        (said(total=72730 * 15), "15 bytes per call: the payload was not returned"),
        ([], "no output that can be parsed"),
    ],
)
def test_calls_that_went_wrong_are_no_measurement(lines: list[str], complaint: str) -> None:
    with pytest.raises(LocalError, match=complaint):
        generators.succeeded(lines, least_bytes=39)


def a_record() -> BenchRecord:
    made = BenchRecord("2026-01-31T12:00:00Z", ASKED, ENVIRONMENT, idle=Idle("reactor", 5000, 1, 2))
    made.measurements = [measured(1, OURS, 700), measured(1, THEIRS, 100)]
    made.overloads = [OVERLOADED]
    return made


def test_a_bench_is_kept_with_raw_rounds_and_verdicts(tmp_path: Path) -> None:
    kept = json.loads(record.write(tmp_path, a_record()).read_text())
    assert [(each["server"], each["calls"]) for each in kept["measurements"]] == [
        ("reactor", 700),
        ("grpcio_asyncio", 100),
    ]
    assert len(kept["goals"]) == len(GOALS) + 1
    assert [each["server"] for each in kept["overloads"]] == ["thread_pool"]


def test_a_record_that_breaks_the_schema_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BadResultsError, match="rounds"):
        record.write(tmp_path, BenchRecord("2026-01-31T12:00:00Z", {**ASKED, "rounds": 0}, ENVIRONMENT))
    assert not list(tmp_path.iterdir())


def test_targets_are_shown_within_80_columns_and_uncut(capsys: pytest.CaptureFixture[str]) -> None:
    made = a_record()
    tables.show(Console(width=80, file=sys.stdout), made.results(), made.measurements, made.idle)
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert "reactor / thread_per_connection" in shown


def test_a_missing_program_is_one_line_that_names_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_args, **_kwargs: None)
    monkeypatch.chdir(tmp_path)
    assert main([]) == 2
    assert capsys.readouterr().err == "bench: h2load is not installed: install the Debian package nghttp2-client\n"
    assert not list(tmp_path.iterdir())


def test_idle_connections_are_open_on_a_real_service(tmp_path: Path) -> None:
    with servers.serving("reactor", min(os.sched_getaffinity(0)), tmp_path) as server:
        found = idle.measure(server, 20)
    assert (found.server, found.connections) == ("reactor", 20)
    assert found.rss_after_bytes >= found.rss_before_bytes > 0


def test_a_full_service_is_overloaded_and_its_refusals_are_weighed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(overload, "OVERLOADED", Timing(0.5, 1.0))
    found = overload.measure(("thread_pool",), min(os.sched_getaffinity(0)), tmp_path)
    assert found.start == ("thread_pool",)
    assert found.offered > found.answered_rps > 0
    assert found.rejection_cost is not None
    assert found.rejection_cost > 0


@pytest.mark.parametrize("generator", ["h2load", "driver"])
def test_a_load_generator_measures_a_real_service(generator: str, tmp_path: Path) -> None:
    if generator == "h2load":
        try:
            servers.h2load()
        except LocalError as error:
            pytest.skip(str(error))
    subject = Subject("reactor", ClosedLoop(2, 2), generator)
    with servers.serving("reactor", min(os.sched_getaffinity(0)), tmp_path) as server:
        found = generators.measure(1, subject, server, Timing(0.2, 0.5), tmp_path)
    assert found.calls > 100
    assert 0 < found.server_busy <= 1.1
