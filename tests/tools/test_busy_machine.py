"""A machine that is busy with something else is recognised, and the model is not blamed."""

import time
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools import sample
from tests.tools.fake_programs import ENDLESS, GIVEN_UP, GOOD, PROGRAMS
from tools import cli
from tools.busy_machine import taken_share, words
from tools.commands.run_end import RunTally, exit_status
from tools.headline import answer
from tools.results import read_trial, write_trial

WORDS = "the machine was busy: other processes took 46 % of the service's CPU"


@pytest.mark.parametrize(
    ("others", "processors", "cpus", "taken"),
    [(0.46, 1, 1, 0.46), (0, 1, 1, 0), (3, 4, 1, 0), (3.5, 4, 1, 0.5), (2, 4, 4, 0.5), (1.2, 1, 1, 1), (-0.1, 1, 1, 0)],
    ids=[
        "its only processor",
        "nothing",
        "what it has no use for",
        "what a limit left it",
        "of several",
        "a tick too much",
        "a tick too little",
    ],
)
def test_what_others_took_is_what_the_service_was_allowed_and_could_not_have(
    others: float, processors: float, cpus: float, taken: float
) -> None:
    share = taken_share(others_ns=others * 2e9, elapsed_ns=2e9, processors=processors, cpus=cpus)
    assert share == pytest.approx(taken)


def test_no_time_took_nothing() -> None:
    assert taken_share(others_ns=0, elapsed_ns=0, processors=1, cpus=1) == 0


@pytest.mark.parametrize(("share", "said"), [(None, ""), (0.0, ""), (0.05, ""), (0.46, WORDS)])
def test_a_share_beyond_what_trials_differ_by_is_told(share: float | None, said: str) -> None:
    assert words(replace(sample.trial("reactor", 10), others_share=share)) == said


def test_a_trial_keeps_its_share(tmp_path: Path) -> None:
    trial = replace(sample.trial("reactor", 10), others_share=0.46)
    assert read_trial(write_trial(tmp_path, trial)) == trial


def test_the_answer_does_not_blame_a_model_for_a_busy_machine() -> None:
    calls = {"planned": 28, "ok": 1, "by_status": {}, "timed_out": 27, "not_sent": 0, "unfinished": 0}
    busy = replace(sample.trial("reactor", 10, calls=calls), others_share=0.46)
    assert answer([busy, sample.trial("thread_pool", 10)]).endswith(
        "Calls failed: reactor 96.4 % (busy machine). "
        "Other processes took CPU from the service in 1 of these 2 arms: repeat them on a quiet machine."
    )


def always(cpus: Collection[int]) -> int:
    """What ran on processors that are never idle."""
    return len(cpus) * time.monotonic_ns()


def sometimes(cpus: Collection[int]) -> int:
    """What ran on processors that are idle for two thirds of the time."""
    return always(cpus) // 3


def never(_: Collection[int]) -> int:
    return 0


def run(folder: Path, connections: int, *flags: str) -> int:
    path = folder / "mine.yaml"
    path.write_text(f"title: Why?\nmodels: [{GOOD}]\nconnections: [{connections}]\nplan: {{}}\nrounds: 1\n")
    return cli.main(["run", str(path), "--results", str(folder / "results"), *flags], PROGRAMS)


@pytest.mark.parametrize(
    "case",
    [
        (always, ENDLESS, 0, "void: the machine was busy: ", "1 of 1 trials is void"),
        (sometimes, ENDLESS, 1, "failed: ", "1 of 1 trials failed"),
        (never, ENDLESS, 1, "failed: ", "1 of 1 trials failed"),
        (always, GIVEN_UP, 1, "failed: driver ended with status 1", "1 of 1 trials failed"),
    ],
    ids=["starved and late", "late for no such reason", "late on an idle machine", "starved and broken"],
)
def test_only_a_trial_that_is_late_on_a_machine_that_others_had_is_no_failure_of_the_command(
    case: tuple[Callable[[Collection[int]], int], int, int, str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran, connections, status, word, last = case
    monkeypatch.setattr("tools.other_processes.ran_ns", ran)
    if connections == ENDLESS:
        monkeypatch.setattr("tools.slices.GRACE_S", -60)  # no time at all
    assert run(tmp_path, connections) == status
    told = capsys.readouterr()
    assert f"connections  round 1  {word}" in told.out
    assert told.err.startswith(f"sweetspot: {last}; to run the 1 missing: ")


def test_the_last_line_names_void_trials_beside_failed_ones(capsys: pytest.CaptureFixture[str]) -> None:
    tally = RunTally("trials", found=46, wanted=50, missing=4, failed=1, void=3)
    assert exit_status(tally, "again", interrupted=False) == 1
    said = capsys.readouterr().err
    assert "1 of 50 trials failed; 3 of 50 trials are void; to run the 4 missing: again" in said


@pytest.mark.parametrize(("flags", "status"), [((), 0), (("--strict",), 42)], ids=["by default", "strict"])
def test_a_trial_beside_busy_processes_is_void_and_shows_no_figure(
    flags: tuple[str, ...],
    status: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tools.other_processes.ran_ns", always)
    assert run(tmp_path, 1, *flags) == status
    told = capsys.readouterr()
    assert "1 connection  round 1  void: other processes took " in told.out
    assert "calls/s  " not in told.out.partition("void: ")[2].partition("report.html")[0].replace("calls/s  p99", "")
    (kept,) = tmp_path.glob("results/*/trials/*")
    assert kept.name == f"{GOOD}-1-1.void"


def test_a_run_on_a_busy_machine_says_so_in_the_terminal_and_on_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.other_processes.ran_ns", always)
    assert run(tmp_path, 1, "--despite-noise") == 0
    (page,) = tmp_path.glob("results/*/report.html")
    assert "Other processes took CPU from the service in 1 of these 1 arms" in " ".join(capsys.readouterr().out.split())
    told = page.read_text(encoding="utf-8").replace("&#39;", "'")
    assert f"{GOOD} at 1 connection: the machine was busy: other processes took " in told
