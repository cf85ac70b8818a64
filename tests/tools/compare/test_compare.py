"""`sweetspot compare` as a user sees it: two runs, the arms of one, and a gate for CI."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from tests.tools import driven
from tests.tools.driven import ENVIRONMENT, EXPERIMENT
from tests.tools.stats.noise import series
from tools import cli
from tools.compare.figures import ArmFigure, Figures
from tools.compare.runs import NOT_PAIRED
from tools.compare.runs import compare as runs_of
from tools.stats.interval import estimate


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`before` and `after`: between them the machine lost a fifth of its speed, and the reactor became 30 % faster."""
    folder = tmp_path_factory.mktemp("runs")
    driven.closed(folder / "before")
    driven.closed(folder / "after", speeds={"reactor": 1.3}, machine=0.8)
    return folder


def compare(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = cli.main(["compare", *map(str, arguments)])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_two_runs_are_compared_figure_by_figure_and_every_verdict_has_its_reservation(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = compare(capsys, runs / "before", runs / "after")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert [line.split("   ")[0] for line in lines] == ["reactor at 10"] * 3 + ["thread_pool at 10"] * 3
    assert all(line.endswith(NOT_PAIRED) for line in lines)
    assert re.match(r"thread_pool at 10   rate 0\.7\d+ \[.*\]   slower   12 and 12 blocks, 3 and 3 starts   ", lines[3])
    assert re.match(r"thread_pool at 10   CPU/call 1\.2\d \[.*\]   higher   3 and 3 blocks", lines[5])


def test_a_common_reference_takes_the_machine_out_of_it(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = compare(capsys, runs / "before", runs / "after", "--reference", "thread-pool")
    assert status == 0
    rate, *_ = lines = out.splitlines()
    assert len(lines) == 3
    assert re.match(r"reactor at 10   rate 1\.\d+ \[1\.[12]\d, 1\.[34]\d\]   faster   ", rate)
    assert all(line.endswith("relative to thread_pool, paired in time") for line in lines)


def test_the_arms_of_one_run_are_compared_with_the_best(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = compare(capsys, runs / "after")
    assert status == 0
    rate, p99, cpu, itself = out.splitlines()
    assert re.match(r"at 10   reactor / thread_pool   rate 1\.[23]\d \[.*\]   faster   12 pairs, 3 starts, ", rate)
    assert p99.startswith("at 10   reactor / thread_pool   p99 0.")
    assert "   lower   3 pairs" in cpu
    pattern = r"the same arm against itself at 10 connections: \d\.\d+ \[.*\] \(rate of reactor, 6 pairs, 3 starts\)"
    assert re.fullmatch(pattern, itself)


def changed(**changes: Any) -> dict[str, Any]:
    return {**ENVIRONMENT, **changes}


@pytest.mark.parametrize(
    ("environment", "text", "why"),
    [
        (changed(cpu="Xeon"), EXPERIMENT, "cpu (AMD EPYC 7B13 and Xeon)"),
        (changed(pinning="none"), EXPERIMENT, "pinning ("),
        (changed(kernel="Linux 6.2"), EXPERIMENT, "kernel ("),
        (changed(packages={"ngh2": "0.4.0"}), EXPERIMENT, "package ngh2 (0.3.0 and 0.4.0); package protobuf ("),
        (ENVIRONMENT, EXPERIMENT.replace("plan: {}", "plan: {steps: [{compute: {rounds: 9}}]}"), "plan ({} and {"),
        (ENVIRONMENT, EXPERIMENT.replace("0.5", "0.4"), "duration_s (0.5 and 0.4)"),
        (ENVIRONMENT, EXPERIMENT.replace("[10]", "[10], streams: 2"), "point 10 ("),
    ],
    ids=["cpu", "pinning", "kernel", "packages", "plan", "duration", "load"],
)
def test_runs_that_differ_in_what_matters_are_refused_with_what_it_is(  # noqa: PLR0917
    runs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    environment: Mapping[str, Any],
    text: str,
    why: str,
) -> None:
    other = driven.closed(tmp_path / "other", text, environment=environment)
    status, out, err = compare(capsys, runs / "before", other)
    assert (status, out) == (2, "")
    assert err.startswith(f"sweetspot: before and other differ in {why}")
    assert err.count("\n") == 1
    status, out, err = compare(capsys, runs / "before", other, "--anyway")
    assert (status, err) == (0, "")
    assert out.startswith(f"before and other differ in {why}")
    assert "reactor at 10   rate " in out


def test_another_revision_is_what_a_comparison_is_for(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = driven.closed(tmp_path / "other", environment=changed(git_revision="another"))
    assert compare(capsys, runs / "before", other)[0] == 0


def test_a_gate_fails_where_a_figure_is_worse_than_its_baseline(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline, junit = tmp_path / "base.json", tmp_path / "junit.xml"
    assert compare(capsys, runs / "before", "--save", baseline)[0] == 0
    status, _, err = compare(capsys, runs / "after", "--baseline", baseline, "--junit", junit, "--tolerance", "5%")
    assert status == 1
    assert err == f"sweetspot: 3 of 6 figures are worse than in {baseline}\n"
    suite = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("6", "3", "0")
    failed = {f"{case.get('classname')} {case.get('name')}" for case in suite if case.find("failure") is not None}
    assert failed == {"thread_pool.10 rate", "thread_pool.10 p99", "thread_pool.10 CPU/call"}


def test_a_gate_passes_the_same_run_and_what_is_worse_by_less_than_the_tolerance(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = tmp_path / "base.json"
    compare(capsys, runs / "before", "--save", baseline)
    assert compare(capsys, runs / "before", "--baseline", baseline)[0] == 0
    assert compare(capsys, runs / "after", "--baseline", baseline, "--tolerance", "90%")[0] == 0


def test_a_baseline_with_a_reference_is_compared_by_it(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = tmp_path / "base.json"
    compare(capsys, runs / "before", "--save", baseline, "--reference", "thread_pool")
    status, out, _ = compare(capsys, runs / "after", "--baseline", baseline)
    assert (status, out.count("paired in time"), out.count("not paired")) == (0, 3, 0)


def figures(**changes: Any) -> Figures:
    figure = ArmFigure(arm="reactor", point="10", measure="rate", estimate=estimate(series("reactor", [[1, 2]] * 3)))
    changed = msgspec.structs.replace(figure, **changes)
    return Figures(name="run", reference=None, conditions={}, points={}, figures=[changed])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"served_share": 0.01}, "100 % of its clients were served, then 1 %"),
        ({"estimate": None, "why": "start-up, not a rate"}, "start-up, not a rate in the second"),
    ],
    ids=["clients", "start-up"],
)
def test_a_rate_that_is_no_rate_or_of_fewer_clients_is_not_compared(changes: dict[str, Any], why: str) -> None:
    (compared,) = runs_of(figures(served_share=1.0), figures(**changes))
    assert str(compared) == f"reactor at 10   rate   not compared: {why}"
    assert not compared.worse_by(0)


def test_an_arm_that_only_one_run_has_is_named_and_not_compared(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = driven.closed(tmp_path / "other", EXPERIMENT.replace("thread_pool", "seda"))
    _, out, _ = compare(capsys, runs / "before", other)
    assert "seda at 10   rate   not compared: only in the second\n" in out
    assert "thread_pool at 10   p99   not compared: only in the first\n" in out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["{before}", "{before}", "--reference", "seda"],
            "{before}: has no arm 'seda'; its arms are reactor, th",
        ),
        (["{before}", "--baseline", "{text}"], "{text}: not a baseline of `sweetspot compare RESULT --save`: "),
        (["{before}", "--baseline", "{old}"], "{old}: written by another version (0, not 1): save it again"),
        (["{before}", "--baseline", "{none}"], "{none}: No such file or directory"),
        (["{before}", "{here}"], "{here}/bundle.json: No such file or directory: not a closed results folder: "),
        (["{before}", "{before}", "--baseline", "{text}"], "give another RESULT or"),
        (["{before}", "--junit", "{none}"], "--junit has no effect without a --baseline"),
        (["{before}", "--anyway"], "--anyway has no effect without another RESULT or a --baseline"),
        (["{before}", "--reference", "reactor"], "--reference has no effect without another RESULT or --save"),
    ],
    ids=["arm", "no baseline", "old baseline", "no file", "no folder", "both", "junit", "anyway", "reference"],
)
def test_what_a_person_can_put_right_is_one_line_and_leaves_nothing(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    (tmp_path / "text").write_text('{"figures": 3}')
    (tmp_path / "old").write_text(json.dumps({"version": 0}))
    places = {
        "before": runs / "before",
        "here": tmp_path,
        **{name: tmp_path / name for name in ("text", "old", "none")},
    }
    status, out, err = compare(capsys, *(argument.format(**places) for argument in arguments))
    assert (status, out) == (2, "")
    assert err.startswith(f"sweetspot: {complaint.format(**places)}")
    assert err.count("\n") == 1
    assert not (tmp_path / "none").exists()
