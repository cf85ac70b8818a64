"""A claim on one screen: its statement, what is measured, the result on this machine, and the files."""

import random
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.tools import driven
from tests.tools.claims.made import in_place, state
from tests.tools.fake_programs import PROGRAMS
from tools import cli, experiment
from tools.claims import claims_run, explanation, judged_run, reading, screen
from tools.claims.code_locations import code_locations
from tools.results import write_trial
from tools.serving import ROOT
from tools.trial_specs import trials

BLOCK = """
title: Who waits?
arms: {loop: {model: reactor}, threads: {model: thread_pool}}
load: {connections: 10, rate_rps: 200}
mix: {innocent: {share: 9}, blocking: {share: 1, steps: [{block: {duration_us: 50000}}]}}
warmup_s: 0.1
duration_s: 1
rounds: 3
trace_ratio: 0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the place of that of the claims. It has C12, which compares rates, and C24, which is counted."""
    in_place(tmp_path, monkeypatch, block=BLOCK)
    rates = {"measure": "rate_rps", "ratio": ["loop", "threads"]}
    state(tmp_path, statistic=rates, lines=["L37"], models=["reactor"])
    state(tmp_path, claim="C24", kind="counted", experiment="toggles", statistic={"value": "faults"})
    return tmp_path


def explain(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What it shows of C12, as one line."""
    capsys.readouterr()
    assert cli.main(["explain", "C12", *arguments, "--results", str(folder / "results")]) == 0
    return " ".join(capsys.readouterr().out.split())


def measure(folder: Path, speed: float) -> None:
    """A run of C12 that is stored there."""
    claims_run.register(folder, [reading.claims()["C12"]], [])
    asked = experiment.parse(BLOCK.replace("rate_rps: 200", "streams: 1"), "block.yaml")
    for each in trials(asked):
        dice = random.Random(str(each.id))
        write_trial(
            folder / judged_run.RUNS / "block",
            driven.trial(asked, each, speed if each.id.arm == "loop" else 1.0, dice),
        )


def test_every_claim_fits_on_one_screen_and_names_files_that_there_are() -> None:
    console = Console(width=200)
    for claim in reading.claims().values():
        lines = screen.lines(console, list(explanation.rows(claim, Path("results"), None)))
        assert len(lines) <= 24, claim.claim
        assert max(cell_len(line.plain) for line in lines) <= 100, claim.claim
        assert all((ROOT / each.path.partition(":")[0]).is_file() for each in code_locations(claim)), claim.claim


def test_a_claim_its_experiment_and_its_code_are_in_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = explain(folder, capsys)
    for part in (
        "C12 A handler that blocks stalls the loop. L37 在单进程时",
        "experiment Who waits? (block) arms loop: reactor threads: thread_pool load 200 calls/s over 10 connections, ",
        "calls 90 % innocent: answer at once; 10 % blocking: block for 50 ms asked ",
        ": at least 5x expected holds: a loop waits measured not yet in ",
        "sweetspot claims C12 takes 10 s a round code services/models/reactor.py:",
        "The loop, in epoll_wait, for everything at once.",
    ):
        assert part in shown


def test_what_the_last_run_measured_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = folder / "results"
    measure(results / "claims-20261201T000000Z", 9.0)
    measure(results / "claims-20261202T000000Z", 2.0)
    shown = explain(folder, capsys)
    assert "measured does not hold: 2" in shown
    assert "asked at least 5x; 3 rounds, " in shown


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["C99"], "no claim 'C99': give `all`, an id such as C12 or a line such as L49 (--list shows them)"),
        (["all"], "all has several claims: give one of C12, C24"),
        (["C24", "--trace"], "C24 is counted: no call of a load shows it"),
        (["C12", "--trace"], "C12: no trial has a traced call: none has all of its spans"),
    ],
    ids=["unknown", "several", "counted", "no spans"],
)
def test_what_cannot_be_shown_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    assert cli.main(["explain", *arguments, "--results", str(folder)], PROGRAMS) == 2
    assert capsys.readouterr().err == f"sweetspot: {complaint}\n"


def test_a_call_that_waited_for_others_is_traced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one thread 20 calls/s of 50 ms each leave no other call alone."""
    state(folder, statistic={"measure": "latency_p99_ns", "of": "innocent", "ratio": ["loop", "threads"]})
    shown = explain(folder, capsys, "--trace")
    assert "slowest innocent call of loop: " in shown
    assert "another call: blocking" in shown
    assert "reactor: queue" in shown
    # Beside it is the arm that it is compared with.
    assert "slowest innocent call of threads: " in shown
