"""The list of claims shows for each the last run that decided it."""

import random
from pathlib import Path

import pytest

from tests.tools import driven
from tests.tools.claims.made import in_place, state
from tools import cli, experiment
from tools.claims import claims_run, judged_run, reading
from tools.results import write_trial
from tools.trial_specs import trials

RACE = """
title: Which is faster?
arms: {hare: {model: reactor}, tortoise: {model: thread_pool}}
load: {connections: [10]}
plan: {}
duration_s: 0.5
rounds: 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the place of that of the claims. It has C12 and C13, which compare rates."""
    in_place(tmp_path, monkeypatch, race=RACE)
    for name in ("C12", "C13"):
        statistic = {"measure": "rate_rps", "ratio": ["hare", "tortoise"]}
        state(tmp_path, claim=name, experiment="race", statistic=statistic, holds_if={"at_least": 2})
    return tmp_path


def run(folder: Path, day: int, *names: str, speed: float | None) -> Path:
    """One on that day in which the hare is so fast; None: nothing was measured."""
    made = folder / "results" / f"claims-202612{day:02}T000000Z"
    every = reading.claims()
    claims_run.register(made, [every[name] for name in names], [])
    asked = experiment.parse(RACE, "race.yaml")
    for each in trials(asked) if speed is not None else ():
        of_arm = speed if speed is not None and each.id.arm == "hare" else 1.0
        write_trial(made / judged_run.RUNS / "race", driven.trial(asked, each, of_arm, random.Random(str(each.id))))
    return made


def words(folder: Path) -> dict[str, str]:
    return {name: each.verdict.word for name, (each, _) in judged_run.latest(folder / "results")[0].items()}


def test_a_later_run_that_decided_nothing_hides_no_verdict(folder: Path) -> None:
    run(folder, 1, "C12", speed=1.0)
    run(folder, 2, "C12", speed=3.0)
    run(folder, 3, "C12", "C13", speed=None)
    assert words(folder) == {"C12": "holds", "C13": "void"}


def test_of_two_runs_that_decided_a_claim_the_last_counts(folder: Path) -> None:
    run(folder, 1, "C12", speed=3.0)
    run(folder, 2, "C12", speed=1.0)
    assert words(folder) == {"C12": "does not hold"}


def test_a_run_whose_claims_are_decided_by_later_ones_is_not_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(folder, 1, "C12", speed=3.0)
    later = run(folder, 2, "C12", speed=3.0)
    read, folders = judged_run.read, []

    def noted(folder: Path, only: set[str]) -> judged_run.JudgedRun:
        folders.append(folder)
        return read(folder, only)

    monkeypatch.setattr(judged_run, "read", noted)
    assert words(folder) == {"C12": "holds"}
    assert folders == [later]


def test_runs_that_cannot_be_read_are_named_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(folder, 1, "C12", speed=3.0)
    (run(folder, 2, "C12", speed=3.0) / claims_run.NAME).write_text("{")
    (run(folder, 3, "C12", speed=3.0) / judged_run.MISSING).write_text("[]")
    assert cli.main(["claims", "--list", "--results", str(folder / "results")]) == 0
    shown = capsys.readouterr()
    assert "holds (2026-" in shown.out
    assert shown.err.startswith(
        f"sweetspot: skipped, because it cannot be read: {folder}/results/claims-20261203T000000Z/"
    )
    assert f"; {folder}/results/claims-20261202T000000Z/run.json: " in shown.err
    assert shown.err.count("\n") == 1
