"""A knee from its searches, and the command as a user sees it."""

import dataclasses
import re
from pathlib import Path

import pytest

from tests.tools.fake_programs import GOOD, PROGRAMS
from tests.tools.scale import sample
from tools import cli
from tools.experiment import Experiment, Load, Objective
from tools.knee.grid import asked
from tools.knee.result import line
from tools.scale.cells import Cell, SearchedCell, cells
from tools.scale.run import run
from tools.scale.void import why_void
from tools.status import PlainError

BASE = Experiment(title="Why?", load=Load(connections=(1, 10), streams=(1,)), plan={"payload_bytes": 8}, duration_s=2)
SLO = Objective(p99_ms=50)


def question(base: Experiment = BASE) -> Experiment:
    return asked(base, "mine.yaml", "reactor", SLO, connections=20, starts=3, highest_rps=8000)


def searched(folder: Path, *capacities_rps: float) -> list[SearchedCell]:
    """Each start of the service has that capacity."""
    of_start = {f"start-{number}": capacity for number, capacity in enumerate(capacities_rps, 1)}

    def capacity(cell: Cell) -> float:
        return of_start[cell.plan]

    notes = sample.Notes()
    run(question(), cells(question(), ["reactor"])[: len(capacities_rps)], sample.Deployer(capacity), folder, notes)
    return [one for one in notes.outcomes if isinstance(one, SearchedCell)]


def busy(one: SearchedCell) -> SearchedCell:
    """The same where others took half of the CPU."""
    tries = [dataclasses.replace(each, trial=dataclasses.replace(each.trial, others_share=0.5)) for each in one.tries]
    return dataclasses.replace(one, tries=tuple(tries))


@pytest.mark.parametrize(
    ("capacities_rps", "said"),
    [
        ((3000, 3100, 3200), r"knee 3,\d+ calls/s \[2,\d+, 3,\d+\]   p99<50ms, errors<0.1%   3 starts, \d+ "),
        ((3000,), r"knee 3,\d+ calls/s \[no interval\] .* 1 start, "),
        ((9000, 9000), r"knee 8,000 or more calls/s \[8,000, 8,000\] "),
        ((3000, 10), r"knee not found: 1 of 2 starts met the objective at no rate "),
    ],
)
def test_the_line_has_the_rate_its_interval_and_what_it_is_of(
    tmp_path: Path, capacities_rps: tuple[float, ...], said: str
) -> None:
    assert re.match(f"reactor   {said}", line("reactor", searched(tmp_path, *capacities_rps), SLO))


def test_a_start_whose_misses_are_void_has_no_knee(tmp_path: Path) -> None:
    first, second = searched(tmp_path, 3000, 3100)
    assert not why_void(first)
    assert why_void(busy(second)) == "other processes took 50 % of the service's CPUs"
    assert "1 start, " in line("reactor", [first, busy(second)], SLO)
    assert "knee void" in line("reactor", [busy(first)], SLO)


def test_every_start_is_asked_the_same_in_an_open_loop() -> None:
    made = question()
    assert made.scale is not None
    assert list(made.scale.plans.values()) == [BASE.plan] * 3
    assert (made.load.connections, made.load.streams, made.load.arrival) == ((20,), None, "poisson")
    assert made.load.timeout_s == 1


def test_a_trial_lasts_until_a_rate_just_above_the_knee_would_show() -> None:
    lenient = asked(BASE, "mine.yaml", "reactor", Objective(p99_ms=500), connections=1, starts=1, highest_rps=8000)
    assert lenient.duration_s == pytest.approx(10)
    assert question().duration_s == BASE.duration_s


def test_a_mix_is_refused_by_its_file_and_key() -> None:
    base = Experiment(title="Why?", load=BASE.load, mix={"short": {"share": 1}})
    with pytest.raises(PlainError, match=r"^mine.yaml: at \$.mix: a knee needs one plan"):
        question(base)


def test_the_command_prints_the_line_and_keeps_a_results_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    command = ["knee", GOOD, "--slo", "p99<50ms", "--starts", "2", "--results", str(results)]
    assert cli.main(command, PROGRAMS) == 0
    (folder,) = results.iterdir()
    *_, said, report = capsys.readouterr().out.splitlines()
    assert said.startswith(f"{GOOD}   knee ")
    assert report == str(folder / "report.html")


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("good", "--slo", "p98<1s"), "--slo 'p98<1s'"),
        (("nosuch", "--slo", "p99<1s"), "unknown model 'nosuch'"),
        (("good", "--slo", "p99<1s", "--plan", "scale"), "scale: at $.scale"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], why: str
) -> None:
    assert cli.main(["knee", *flags, "--results", str(tmp_path / "results")], PROGRAMS) == 2
    complaint = capsys.readouterr().err
    assert why in complaint
    assert complaint.count("\n") == 1
    assert not (tmp_path / "results").exists()
