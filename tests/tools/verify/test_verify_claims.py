"""A folder of claims: an edited claim, trial or count is detected, and each verdict is derived again."""

import json
import random
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.tools import driven
from tests.tools.claims.made import in_place, state
from tests.tools.verify.spoilt import replace, verify
from tools import bundle, cli, experiment, report
from tools.claims import claims_run, evidence, judged_run, page, reading
from tools.claims.claim import Claim
from tools.experiment import Experiment
from tools.results import write_trial
from tools.trial_specs import trials

RACE = """
title: Which is faster?
arms: {hare: {model: reactor}, tortoise: {model: thread_pool}, snail: {model: seda}}
load: {connections: [10]}
plan: {}
duration_s: 0.5
rounds: 3
"""
CLAIMS: Sequence[dict[str, Any]] = (
    {"experiment": "race", "statistic": {"measure": "rate_rps", "ratio": ["hare", "tortoise"]}},
    {"claim": "C24", "kind": "counted", "experiment": "toggles", "statistic": {"value": "faults"}},
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One measured claim, and one that is counted."""
    with pytest.MonkeyPatch.context() as patch:
        return _make(tmp_path_factory.mktemp("claims"), patch)


def _make(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    in_place(folder, patch, race=RACE)
    for one in CLAIMS:
        state(folder, **one)
    run = folder / "run"
    claims: Sequence[Claim] = list(reading.claims().values())
    claims_run.register(run, claims, [])
    asked = experiment.parse(RACE, "race.yaml").of(["hare", "tortoise"])
    _measure(asked, run / judged_run.RUNS / "race")
    evidence.save_counts(run / judged_run.COUNTS, "toggles", 1, {"faults": 7})
    page.write(run)
    return run


def _measure(asked: Experiment, folder: Path) -> None:
    for each in trials(asked):
        write_trial(folder, driven.trial(asked, each, {"hare": 9.0}.get(each.id.arm, 1.0), random.Random(str(each.id))))
    (folder / "experiment.yaml").write_text(asked.to_yaml())
    (folder / "environment.json").write_text(json.dumps(driven.ENVIRONMENT))
    bundle.close(folder, asked.seed)
    report.write(folder)


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """One that a test may spoil."""
    return shutil.copytree(whole, tmp_path / "copy")


def close_after(spoil: Callable[[Path], None]) -> Callable[[Path], None]:
    """With hashes of what was spoilt."""

    def spoil_and_close(folder: Path) -> None:
        spoil(folder)
        bundle.close(folder / "runs" / "race", 1)
        report.write(folder / "runs" / "race")

    return spoil_and_close


def test_a_folder_as_its_run_left_it_is_unchanged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(folder, capsys) == (0, ["2 claims in 1 experiment, all numbers recomputed: unchanged"])


@pytest.mark.parametrize(
    ("spoil", "lines"),
    [
        (
            replace("statements/C12.yaml", r"at_least: 5", "at_least: 2"),
            [r"statements/C12\.yaml, or experiments/race\.yaml, was changed"],
        ),
        (
            replace("experiments/race.yaml", r"duration_s: 0\.5", "duration_s: 0.6"),
            [
                r"runs/race/experiment\.yaml differs from experiments/race\.yaml",
                r"statements/C12\.yaml, or experiments/race\.yaml, was changed",
            ],
        ),
        (replace("statements/C12.yaml", "at_least: 5", "{}"), [r"statements/C12\.yaml: at \$\.holds_if: .*"]),
        (
            replace("counting/toggles.py", "CALLS = 6000", "CALLS = 60"),
            [r"statements/C24\.yaml, or counting/toggles\.py, was changed"],
        ),
        (
            lambda folder: (folder / "counting" / "toggles.py").unlink(),
            [r"statements/C24\.yaml, or counting/toggles\.py, was changed"],
        ),
        (lambda folder: (folder / "statements" / "C24.yaml").unlink(), [r"statements/C24\.yaml is missing"]),
        (
            lambda folder: shutil.copy(folder / "statements" / "C24.yaml", folder / "statements" / "C25.yaml"),
            [r"statements/C25\.yaml is extra: run\.json does not name it"],
        ),
        (
            replace("runs/race/trials/hare-10-2.json", r'"round": 2', '"round": 3'),
            [r"runs/race/trials/hare-10-2\.json was changed", r"runs/race/.*: holds the trial hare-10-3"],
        ),
        (
            close_after(replace("runs/race/trials/hare-10-2.json", r'("rate_rps": \d+)\d\.', r"\g<1>5.")),
            [r"runs/race/trials/hare-10-2\.json: got\.rate_rps is \S+, and .*"],
        ),
        (
            close_after(replace("runs/race/experiment.yaml", "model: reactor", "model: seda")),
            [r"runs/race/experiment\.yaml differs from experiments/race\.yaml", ".*"],
        ),
        (replace("counts/toggles-1.json", "7", "0"), [r"counts/toggles-1\.json was changed"]),
        (replace("claims.html", "holds", "hold"), [r"claims\.html is not what `sweetspot claims --resume .*"]),
        (lambda folder: (folder / "claims.html").unlink(), [r"claims\.html is missing: sweetspot claims --resume .*"]),
    ],
    ids=[
        "threshold",
        "asked",
        "bad",
        "code",
        "no code",
        "missing",
        "extra",
        "trial",
        "closed trial",
        "closed asked",
        "count",
        "page",
        "no page",
    ],
)
def test_whatever_was_edited_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], object], lines: list[str]
) -> None:
    spoil(folder)
    status, found = verify(folder, capsys)
    assert status == 1
    assert [line for line in lines if not any(re.fullmatch(line, one) for one in found)] == []
    assert [one for one in found if not any(re.fullmatch(line, one) for line in lines)] == []


def test_a_run_that_was_cut_off_is_no_closed_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "runs" / "race" / "bundle.json").unlink()
    assert cli.main(["verify", str(folder)]) == 2
    assert "continue an interrupted run with --resume" in capsys.readouterr().err
