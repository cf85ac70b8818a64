"""A grid on a real cluster, whose first machine disappears in the middle of a search."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.conftest import Release
from tests.cluster.runs import of_trial, only, sweetspot, until
from tools.cluster.search_note import BEFORE
from tools.deploy.release import CHART
from tools.scale.results import read_cells

GRID = """
title: How many?
models: [reactor]
connections: [4]
warmup_s: 0.5
duration_s: 2
trace_ratio: 0
scale:
  plans: {echo: {}}
  replicas: [1]
  cpus: [0.1, 0.15]
  objective: {p99_ms: 5000, ok_share: 0.5}
  search: {start_rps: 500, highest_rps: 75, trials: 2}
"""
"""Two cells of one trial each: the highest rate is tried first."""


@pytest.mark.timeout(900)
def test_a_grid_whose_machine_disappeared_goes_on_from_another_and_helm_can_upgrade_all_the_time(
    release: Release, tmp_path: Path
) -> None:
    before = deployment(release)
    path = tmp_path / "grid.yaml"
    path.write_text(GRID)
    first, second = tmp_path / "first", tmp_path / "second"
    command = [sys.executable, "-m", "tools.cli", "run", str(path), "--cluster", *release.flags]
    command += ["--driver-cpu", "200m", "--driver-memory", "256Mi", "--results", str(first)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=release.cluster.environment) as process:
        try:
            until(lambda: "1 of 2 cells" in listed(release), timeout_s=180)
            until(lambda: limit(release) == "150m", timeout_s=180)  # pods drain and come four times
        finally:
            process.kill()
    # The search that was killed does not disturb Helm or its user.
    upgrade(release, replicas=1, cpu="200m")
    assert (deployment(release), owners(release)) == (before, {"helm"})
    run = only(first).name
    done = sweetspot(release, "results", "pull", run, *release.flags, "--results", str(second))
    assert done.returncode == 0, done.stderr
    (kept,) = (second / run / "cells").iterdir()
    assert json.loads(kept.read_text()) == json.loads((first / run / "cells" / kept.name).read_text())
    done = sweetspot(release, "run", "--resume", str(second / run))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [one.cell.cpus for one in read_cells(second / run).searched] == [0.1, 0.15]
    assert "2 of 2 cells" in listed(release)
    assert (deployment(release), owners(release)) == (before, {"helm"})
    upgrade(release, replicas=2, cpu="100m")
    assert limit(release) == "100m"
    upgrade(release, replicas=1, cpu="200m")
    assert deployment(release) == before
    assert not release.kubectl("get", "jobs", "--output", "name", "--selector", of_trial("reactor"))


def listed(release: Release) -> str:
    return sweetspot(release, "results", "list", *release.flags).stdout


def limit(release: Release) -> str:
    return release.kubectl("get", "deployment", f"{release.name}-reactor", "--output", "jsonpath={..limits.cpu}")


def upgrade(release: Release, replicas: int, cpu: str) -> None:
    """As a user does it."""
    settings = (f"models.reactor.replicas={replicas}", f"models.reactor.cpu={cpu}")
    chart = (
        "helm",
        "upgrade",
        release.name,
        str(CHART),
        "--namespace",
        release.namespace,
        "--reset-then-reuse-values",
        "--wait",
    )
    release.cluster.ask(*chart, *(word for each in settings for word in ("--set", each)), timeout_s=120)


def owners(release: Release) -> set[str]:
    """The field managers that own a field of the chart's `spec`."""
    told = release.kubectl("get", "deployment", f"{release.name}-reactor", "--show-managed-fields", "--output=json")
    fields = json.loads(told)["metadata"]["managedFields"]
    return {each["manager"] for each in fields if "f:spec" in each["fieldsV1"]}


def deployment(release: Release) -> object:
    """What a search changes of it."""
    found = json.loads(release.kubectl("get", "deployment", f"{release.name}-reactor", "--output", "json"))
    assert BEFORE not in found["metadata"]["annotations"]
    return found["spec"]
