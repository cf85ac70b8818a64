"""Runs of `sweetspot` on the test cluster: started, waited for, looked into."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.cluster.conftest import Release
from tools.cluster.job import label_of
from tools.cluster.store import TRIAL_LABEL
from tools.results import Trial, TrialId, read_trials

OPEN_LOOP = """
title: Do two drivers make one load?
connections: [4]
rounds: 1
rate_rps: 100
warmup_s: 0.5
duration_s: 3
trace_ratio: 0.2
plan:
  steps:
    - compute: {rounds: 50}
    - call: {delay_us: 1000, reply_bytes: 16}
"""
RUN_TIMEOUT_S = 400

Done = subprocess.CompletedProcess[str]


def sweetspot(release: Release, *arguments: str) -> Done:
    return release.cluster.run(sys.executable, "-m", "tools.cli", *arguments, timeout_s=RUN_TIMEOUT_S)


def run(release: Release, folder: Path, *flags: str, text: str = OPEN_LOOP, name: str = "mine") -> Done:
    """`flags` come last, so they override the others. Runs that begin in the same second need different names.

    Noise of other processes is no reason to measure again, because no test here reads a figure.
    """
    path = folder / f"{name}.yaml"
    path.write_text(text)
    small = ("--driver-cpu", "200m", "--driver-memory", "256Mi", "--despite-noise")
    return sweetspot(release, "run", str(path), "--cluster", *release.flags, *small, "--results", str(folder), *flags)


def resume(release: Release, folder: Path) -> Done:
    """Continues a run that `run` began."""
    return sweetspot(release, "run", "--resume", str(folder), "--despite-noise")


def only(folder: Path) -> Path:
    """The one results folder in it."""
    (found,) = (path for path in folder.iterdir() if path.is_dir())
    return found


def trials(folder: Path) -> tuple[Trial, ...]:
    found = read_trials(folder)
    assert not found.problems
    assert not found.void
    return found.trials


def of_trial(arm: str) -> str:
    """The selector of what belongs to the arm's first trial with 4 connections."""
    return f"{TRIAL_LABEL}={label_of(TrialId(arm, '4', 1))}"


def until(holds: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Polls the cluster until `holds()` is true."""
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.2)


def until_measured(release: Release, model: str) -> None:
    """Waits until the drivers that load the model print that they measure.

    A driver that has measured belongs to an earlier trial: its pod may run for seconds after its result is there.
    """
    drivers = f"app.kubernetes.io/component=driver,{of_trial(model)}"
    running = ("pod", "--selector", drivers, "--field-selector=status.phase=Running", "--output", "name")

    def measure() -> bool:
        logs = [release.log(pod) for pod in release.kubectl("get", *running).split()]
        current = [log for log in logs if "measured" not in log]
        return bool(current) and all("measuring" in log for log in current)

    until(measure)
