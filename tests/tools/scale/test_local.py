"""Cells on this machine: what is started, what holds it to its limit, and what there is no room for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.tools.fake_programs import GOOD, PROGRAMS, STILLBORN
from tests.tools.scale.sample import Notes
from tools import experiment
from tools.cgroup import ControlGroups, NoLimitsError
from tools.local import Pinning, Programs
from tools.scale.cells import Cell, SearchedCell, cells
from tools.scale.local import LocalDeployer, local_deployer, pinning_over
from tools.scale.run import FailedError, run
from tools.serving import LocalSetup

REAL = """
title: Which?
models: [reactor]
connections: [4]
warmup_s: 0.1
duration_s: 0.5
timeout_s: 2
scale:
  plans: {echo: {}}
  replicas: [2]
  cpus: [0.5]
  objective: {p99_ms: 2000, ok_share: 0.9}
  search: {start_rps: 200, highest_rps: 200, trials: 2}
"""


def cell(model: str = GOOD, replicas: int = 2, cpus: float = 1.0) -> Cell:
    return Cell("echo", model, "", replicas, cpus)


@pytest.mark.parametrize(
    ("cpus", "pinning"),
    [
        ({3}, None),
        ({0, 1}, Pinning([0], [1])),
        ({0, 1, 2, 3}, Pinning([0, 1, 2], [3])),
        (range(16), Pinning(list(range(12)), [12, 13, 14, 15])),
    ],
)
def test_replicas_get_most_processors_and_the_driver_some_of_its_own(cpus: set[int], pinning: Pinning | None) -> None:
    assert pinning_over(cpus) == pinning


@contextmanager
def deployer(folder: Path, monkeypatch: pytest.MonkeyPatch, groups: bool = False) -> Iterator[LocalDeployer]:
    """On processors that there need not be: three for replicas."""
    if not groups:
        monkeypatch.setattr(ControlGroups, "detect", find_none)
    cpus = sorted(os.sched_getaffinity(0))
    with local_deployer(LocalSetup(folder, PROGRAMS, Pinning([cpus[0], 1001, 1002], cpus))) as found:
        yield found


def find_none() -> ControlGroups:
    raise NoLimitsError("read-only file system")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (cell(replicas=3), ""),
        (cell(replicas=4), "needs 4 CPUs, but beside the driver there are 3"),
        (cell(cpus=0.5), "a limit of 0.5 CPUs needs a control group: read-only file system"),
    ],
    ids=["whole processors", "too many", "a part of one"],
)
def test_what_this_machine_cannot_give_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Cell, why: str
) -> None:
    with deployer(tmp_path, monkeypatch) as found:
        assert found.why_not(asked) == why
        assert found.limit == "processors of its own"


def test_replicas_that_do_not_start_fail_the_cell_with_their_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        deployer(tmp_path, monkeypatch) as found,
        pytest.raises(FailedError, match=r"^stillborn ended with status 1: .*Address already in use$"),
        found.deployed(cell(STILLBORN, replicas=1), {}),
    ):
        pytest.fail("was deployed")


def test_real_replicas_share_the_load_within_their_limits_and_their_counters_are_added_up(tmp_path: Path) -> None:
    try:
        ControlGroups.detect()
    except NoLimitsError as error:
        pytest.skip(str(error))
    (tmp_path / "traces").mkdir()
    (tmp_path / "experiment.yaml").write_text(REAL)
    asked, notes = experiment.read(tmp_path / "experiment.yaml"), Notes()
    pinning = pinning_over(os.sched_getaffinity(0))
    with local_deployer(LocalSetup(tmp_path, Programs(), pinning)) as found:
        run(asked, cells(asked, ["reactor"]), found, tmp_path, notes)
    assert notes.failures == {}
    (outcome,) = notes.outcomes
    assert isinstance(outcome, SearchedCell)
    assert outcome.limit == "control group"
    assert outcome.best is not None
    assert (outcome.best.before.processes, outcome.best.before.connections) == (2, 4)
    assert outcome.best.after.throttling.quota_cpus == pytest.approx(1.0)
    assert len(outcome.best.result["addresses"]) == 2
