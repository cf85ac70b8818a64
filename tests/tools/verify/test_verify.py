"""A results folder is a closed bundle: whatever was changed in it is named, and its page can be made again anywhere."""

import dataclasses
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.tools import driven
from tests.tools.fake_programs import PROGRAMS
from tests.tools.scale import sample as grid_sample
from tests.tools.verify.spoilt import replace, verify
from tools import bundle, cli, experiment, report
from tools.commands.page import write_page
from tools.experiment import Objective
from tools.results import TrialId, write_failed, write_void
from tools.size import size_question
from tools.size.cost import Cost
from tools.size.need import Need
from tools.size.size_question import SizeQuestion
from tools.trial_specs import trials as wanted_trials
from tools.verify import trials, wrong_page

TRIAL = "trials/reactor-10-2.json"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return driven.closed(tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """One that a test may spoil."""
    return shutil.copytree(whole, tmp_path / "copy")


def cut(folder: Path) -> None:
    path = folder / TRIAL
    path.write_bytes(path.read_bytes()[:-100])


def remove(folder: Path) -> None:
    (folder / TRIAL).unlink()


def add(folder: Path) -> None:
    (folder / "traces" / "notes.txt").write_text("mine")


def test_a_folder_as_its_run_left_it_is_unchanged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(folder, capsys) == (0, ["6 trials, all numbers recomputed: unchanged"])


@pytest.mark.parametrize(
    ("spoil", "lines"),
    [
        (
            replace(TRIAL, r'("rate_rps": \d+)\d\.', r"\g<1>5."),
            [f"{TRIAL} was changed", rf"{TRIAL}: got\.rate_rps is \S+, and answered / duration_s give \S+"],
        ),
        (
            replace(TRIAL, r"HISTFAAAA(.....)A?", r"HISTFAAAA\g<1>B"),
            [rf"{TRIAL} (was changed|is cut short.*)", rf"{TRIAL}: .*not a histogram"],
        ),
        (cut, [rf"{TRIAL} is truncated: it has [\d,]+ of [\d,]+ bytes", f"{TRIAL}: not JSON: .*"]),
        (remove, [f"{TRIAL} is missing"]),
        (add, ["traces/notes.txt is extra: .*"]),
        (replace("report.html", "reactor", "Reactor"), ["report.html is not what `sweetspot report .*"]),
        (lambda folder: (folder / "report.html").unlink(), ["report.html is missing: .*"]),
        (replace("environment.json", "EPYC", "EPIC"), ["environment.json was changed"]),
    ],
    ids=["rate", "bucket", "cut", "missing", "extra", "page", "no page", "environment"],
)
def test_a_file_that_is_not_as_it_was_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], object], lines: list[str]
) -> None:
    spoil(folder)
    status, found = verify(folder, capsys)
    assert status == 1
    assert [line for line in lines if not any(re.fullmatch(line, one) for one in found)] == []


def test_a_number_that_was_changed_in_the_bundle_too_is_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / TRIAL
    content = json.loads(path.read_text())
    content["result"]["latency_ns"]["p99"] //= 2
    path.write_text(json.dumps(content))
    bundle.close(folder, 1)
    report.write(folder)
    status, (line,) = verify(folder, capsys)
    assert status == 1
    assert line.startswith(f"{TRIAL}: latency_ns.p99 is ")


def test_a_void_trial_that_is_stored_as_a_result_is_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / TRIAL
    path.write_text(json.dumps(json.loads(path.read_text()) | {"others_share": 0.5}))
    bundle.close(folder, 1)
    report.write(folder)
    status, (line,) = verify(folder, capsys)
    assert status == 1
    of = "is stored as a result, and is void: other processes took 50 % of the service's CPUs"
    assert line == f"{TRIAL}: {of}"


def test_trials_without_a_result_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_void(folder, TrialId("reactor", "10", 2), "the machine was busy")
    write_failed(folder, TrialId("reactor", "10", 3), "it crashed", ["Traceback"])
    bundle.close(folder, 1)
    report.write(folder)
    assert verify(folder, capsys) == (0, ["4 trials, 1 void, 1 failed, all numbers recomputed: unchanged"])
    page = (folder / "report.html").read_text()
    assert "reactor at 10 connections, round 3: failed: it crashed." in page.replace("\u00a0", " ")


def test_a_trial_under_another_name_or_of_another_experiment_is_found(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Path("trials/reactor-10-9.json")
    (folder / TRIAL).rename(folder / other)
    replace("experiment.yaml", "thread_pool:", "pool:")(folder)
    bundle.close(folder, 1)
    report.write(folder)
    status, lines = verify(folder, capsys)
    assert status == 1
    assert f"{other}: holds the trial reactor-10-2" in lines
    assert "trials/thread_pool-10-1.json: the experiment has no such trial" in lines


@pytest.mark.parametrize(("capacity_rps", "lines"), [(800.0, 0), (900.0, 1), (None, 0)])
def test_a_rate_that_does_not_follow_from_the_capacity_is_found(capacity_rps: float | None, lines: int) -> None:
    asked = experiment.parse(driven.STREAMED, "test")
    (wanted, *_) = wanted_trials(asked)
    made = driven.trial(asked, wanted, 1.0, random.Random(1))
    of_capacity = msgspec.structs.replace(asked.load, rate_rps=None, rate_of_capacity=(0.5,))
    trial = dataclasses.replace(made, load={"connections": 3, "rate_of_capacity": 0.5}, capacity_rps=capacity_rps)
    found = list(trials.wrong(trial, msgspec.structs.replace(asked, load=of_capacity)))
    assert found == ["asked.rate_rps is 400.0, and rate_of_capacity x capacity_rps give 450.0"][:lines]


def test_the_page_is_the_same_at_another_path_in_another_time_zone_and_locale(whole: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(whole, tmp_path / "elsewhere")
    (moved / "report.html").unlink()
    environment = os.environ | {"PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    command = [sys.executable, "-m", "tools.cli", "report", str(moved)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, timeout=60)
    assert (moved / "report.html").read_bytes() == (whole / "report.html").read_bytes()


def test_the_page_of_a_grid_that_sizes_a_service_is_that_of_its_report(tmp_path: Path) -> None:
    folder = grid_sample.make(tmp_path / "grid")
    need = Need(Cost(0.3, 20), connections=8, rate_rps=1500, objective=Objective(p99_ms=100), spare=0.3)
    size_question.write(folder, SizeQuestion(need, ("coroutines",), "made up"))
    bundle.close(folder, 1)
    write_page(folder)
    assert not list(wrong_page(folder))
    (folder / size_question.NAME).unlink()
    assert list(wrong_page(folder)) == [f"report.html is not what `sweetspot report {folder}` makes of the other files"]


def test_a_grid_is_verified_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = grid_sample.make(tmp_path / "grid")
    bundle.close(folder, 1)
    write_page(folder)
    (changed, *_) = sorted((folder / "cells").glob("*.json"))
    changed.write_text(changed.read_text().replace(" ", "", 1))
    status, lines = verify(folder, capsys)
    assert status == 1
    assert f"cells/{changed.name} is truncated" in lines[0]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "bundle.json: No such file or directory: not a closed results folder: "),
        ("{", "bundle.json: not a bundle: "),
        ('{"version": 0, "files": 3}', "bundle.json: written by another version (0, not 1): run it again"),
        ('{"version": 1}', "bundle.json: not a bundle: "),
    ],
    ids=["none", "no JSON", "another version", "no bundle"],
)
def test_a_folder_that_is_no_closed_bundle_is_rejected_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], content: str | None, complaint: str
) -> None:
    (folder / "bundle.json").unlink()
    if content is not None:
        (folder / "bundle.json").write_text(content)
    assert cli.main(["verify", str(folder)]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"sweetspot: {folder}/{complaint}")
    assert said.err.count("\n") == 1


def test_a_run_and_one_that_goes_on_leave_a_closed_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = tmp_path / "mine.yaml"
    asked.write_text("title: Why?\nmodels: [good]\nconnections: [1, 10]\nplan: {}\nrounds: 1\nseed: 7\n")
    assert cli.main(["run", str(asked), "--results", str(tmp_path / "results")], PROGRAMS) == 0
    (folder,) = (tmp_path / "results").iterdir()
    first = bundle.read(folder)
    assert (first.name, first.seed) == (folder.name, 7)
    assert list(bundle.changes(folder, first)) == []
    (folder / "trials" / "good-10-1.json").unlink()
    moved = folder.rename(tmp_path / "moved")
    capsys.readouterr()
    assert cli.main(["run", "--resume", str(moved)], PROGRAMS) == 0
    assert f"{moved}: since the run ended, trials/good-10-1.json is missing\n" in capsys.readouterr().err
    again = bundle.read(moved)
    assert (again.name, list(bundle.changes(moved, again))) == (first.name, [])
