"""A machine that is busy with something else is recognised, and the model is not blamed."""

import time
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools import sample
from tests.tools.fake_programs import GIVEN_UP, GOOD, PROGRAMS
from tools import cli
from tools.answer import answer
from tools.busy import taken_share, words
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
        "Other processes took CPU from the service in 1 of these 2 trials: repeat them on a quiet machine."
    )


def always(cpus: Collection[int]) -> int:
    """What ran on processors that are never idle."""
    return len(cpus) * time.monotonic_ns()


def never(_: Collection[int]) -> int:
    return 0


def run(folder: Path, connections: int) -> int:
    path = folder / "mine.yaml"
    path.write_text(f"title: Why?\nmodels: [{GOOD}]\nconnections: [{connections}]\nplan: {{}}\n")
    return cli.main(["run", str(path), "--results", str(folder / "results")], PROGRAMS)


@pytest.mark.parametrize(
    "case", [(always, 0, "void: the machine was busy: "), (never, 1, "failed: ")], ids=["busy", "not"]
)
def test_a_trial_that_a_busy_machine_kept_from_being_made_is_no_failure_of_the_command(
    case: tuple[Callable[[Collection[int]], int], int, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran, status, word = case
    monkeypatch.setattr("tools.trial.ran_ns", ran)
    assert run(tmp_path, GIVEN_UP) == status
    told = capsys.readouterr()
    assert f"17 connections  {word}" in told.out
    assert "driver ended with status 1: services.driver: no result" in told.out
    assert "to run the 1 missing: " in told.err


def test_a_run_on_a_busy_machine_says_so_in_the_terminal_and_on_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.trial.ran_ns", always)
    assert run(tmp_path, 1) == 0
    (page,) = tmp_path.glob("results/*/report.html")
    for told in (" ".join(capsys.readouterr().out.split()), page.read_text(encoding="utf-8").replace("&#39;", "'")):
        assert f"{GOOD} at 1 connection: the machine was busy: other processes took " in told
