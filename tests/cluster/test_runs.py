"""Runs on a real cluster: two drivers against three models, results that outlive them, their traces, and mishaps."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.conftest import Release
from tools.results import Trial, read_trials

OPEN_LOOP = """
title: Do two drivers make one load?
connections: [4]
rate_rps: 100
warmup_s: 0.5
duration_s: 3
trace_ratio: 0.2
plan:
  steps:
    - compute: {rounds: 50}
    - call: {delay_us: 1000, reply_bytes: 16}
"""
START_SPREAD_NS = 50_000_000
RUN_TIMEOUT_S = 400


def sweetspot(release: Release, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return release.cluster.run(sys.executable, "-m", "tools.cli", *arguments, timeout_s=RUN_TIMEOUT_S)


def run(release: Release, folder: Path, *flags: str, text: str = OPEN_LOOP) -> "subprocess.CompletedProcess[str]":
    path = folder / "mine.yaml"
    path.write_text(text)
    small = ("--driver-cpu", "200m", "--driver-memory", "256Mi")
    return sweetspot(release, "run", str(path), "--cluster", *release.flags, *small, "--results", str(folder), *flags)


def only(folder: Path) -> Path:
    (found,) = (path for path in folder.iterdir() if path.is_dir())
    return found


@pytest.fixture(scope="module")
def made(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of a run of two drivers against three models."""
    folder = tmp_path_factory.mktemp("run")
    done = run(release, folder, "--shards", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    return only(folder)


def trials(folder: Path) -> tuple[Trial, ...]:
    found = read_trials(folder)
    assert not found.problems
    return found.trials


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_two_drivers_are_one_load_to_each_of_three_models(made: Path) -> None:
    found = trials(made)
    assert len(found) == 3
    assert len({checksum for trial in found for checksum in trial.result["checksums"]}) == 1
    for trial in found:
        assert [shard["connections"] for shard in trial.result["shards"]] == [2, 2]
        assert (
            trial.result["calls"]["planned"]
            == trial.result["calls"]["ok"]
            == trial.result["latency_ns"]["count"]
            == 300
        )
        assert trial.result["got"]["start_spread_ns"] <= START_SPREAD_NS
        assert trial.after.cpu_user_ns > trial.before.cpu_user_ns
        assert [pod["answered"] for pod in trial.pods] == [300]


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_every_span_is_found_in_jaeger(release: Release, made: Path) -> None:
    done = sweetspot(release, "traces", str(made))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "missing" not in done.stdout
    for trial in trials(made):
        assert set(trial.spans) == {"driver", trial.model.replace("_", "-"), "backend"}
        assert all(counts["made"] == counts["exported"] > 0 for counts in trial.spans.values())


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_another_machine_finds_the_same_results(release: Release, made: Path, tmp_path: Path) -> None:
    assert made.name in sweetspot(release, "results", "list", *release.flags).stdout
    done = sweetspot(release, "results", "pull", made.name, *release.flags, "--results", str(tmp_path))
    assert done.returncode == 0, done.stderr
    for path in (made / "trials").iterdir():
        assert json.loads((tmp_path / made.name / "trials" / path.name).read_text()) == json.loads(path.read_text())


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_a_job_shows_a_table_in_its_log(release: Release, made: Path) -> None:
    log = release.kubectl("logs", "-l", "app.kubernetes.io/component=driver", "--tail", "30")
    assert "shard 0 of 2: 2 connections and its part of the calls" in log
    assert "150 calls planned: 150 ok" in log


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_calls_that_are_dealt_are_spread_evenly_and_one_connection_leads_to_one_pod(
    release: Release, tmp_path: Path
) -> None:
    deployment = f"deployment/{release.name}-reactor"
    release.kubectl("scale", deployment, "--replicas", "2")
    try:
        release.kubectl("rollout", "status", deployment, "--timeout", "90s", timeout_s=100)
        shares: dict[str, list[int]] = {}
        for balance, connections in (("headless", 4), ("cluster-ip", 1)):
            text = OPEN_LOOP.replace("[4]", f"[{connections}]")
            folder = tmp_path / balance
            folder.mkdir()
            done = run(release, folder, "--balance", balance, "--models", "reactor", "--keep-pods", text=text)
            assert done.returncode == 0, done.stdout + done.stderr
            (trial,) = trials(only(folder))
            shares[balance] = sorted(pod["answered"] for pod in trial.pods)
    finally:
        release.kubectl("scale", deployment, "--replicas", "1")
        release.kubectl("rollout", "status", deployment, "--timeout", "90s", timeout_s=100)
    assert shares == {"headless": [150, 150], "cluster-ip": [0, 300]}


@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_a_service_that_ends_unasked_while_it_is_measured_makes_the_trial_void(
    release: Release, tmp_path: Path
) -> None:
    text = OPEN_LOOP.replace("duration_s: 3", "duration_s: 20")
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    command = [sys.executable, "-m", "tools.cli", "run", str(path), "--cluster", *release.flags, "--models", "reactor"]
    command += ["--driver-cpu", "200m", "--driver-memory", "256Mi", "--results", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=release.cluster.environment) as process:
        driver = ("pod", "-l", "app.kubernetes.io/component=driver", "--field-selector=status.phase=Running")
        try:
            until(lambda: release.kubectl("get", *driver, "--output", "name").strip())
            (pod,) = release.kubectl("get", *driver, "--output", "name").split()
            until(lambda: "measuring" in release.kubectl("logs", pod))
            # The first process of a container cannot be killed from within, but asked to stop.
            kill = "import os, signal; os.kill(1, signal.SIGTERM)"
            release.kubectl("exec", f"deployment/{release.name}-reactor", "--", "python", "-c", kill)
        finally:
            said = process.communicate(timeout=RUN_TIMEOUT_S)[0]
    assert process.returncode == 1
    assert "void: pod " in said
    assert "ended with status 0" in said


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--driver-cpu", "500"], ["is Pending: ", "Insufficient cpu", "kubectl describe pod"]),
        (["--models", "seda"], ["unknown model 'seda'; there are "]),
        (["--release", "other"], ["no models of release other"]),
    ],
)
@pytest.mark.timeout(RUN_TIMEOUT_S)
def test_what_cannot_run_is_told_in_one_message_and_leaves_no_job(
    flags: list[str], words: list[str], release: Release, tmp_path: Path
) -> None:
    more = [] if "--models" in flags else ["--models", "reactor"]
    done = run(release, tmp_path, "--keep-pods", *more, *flags)
    assert done.returncode in (1, 2)
    assert [word for word in words if word not in done.stdout + done.stderr] == []
    assert "pending" not in release.kubectl("get", "pods").lower()


def until(holds: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Asks the cluster again until it does."""
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.2)
