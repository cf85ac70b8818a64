"""Traces that outlive Jaeger's own process: kept in files, by whoever may write nowhere else."""

import json
from pathlib import Path

import pytest

from tests.cluster.conftest import SMALL, Release
from tests.cluster.runs import only, run, sweetspot, trials, until

END = """
import os, signal
print(os.getuid(), *sorted(os.listdir("/proc/1/root/var/lib/jaeger")))
os.kill(1, signal.SIGTERM)
"""
"""Beside Jaeger, whose image has no program but its own: asks its process to end."""


@pytest.mark.timeout(900)
def test_what_was_traced_is_there_when_jaeger_has_been_started_again(release: Release, tmp_path: Path) -> None:
    cluster = release.cluster
    made = Release(cluster, "kept", "sweetspot-test-kept")
    flags = ("--tag", release.tag, "--models", "reactor", *SMALL, "--set", "jaeger.storage=badger")
    try:
        done = cluster.deploy("deploy", *made.flags, *flags)
        assert done.returncode == 0, done.stdout + done.stderr
        done = run(made, tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        folder = only(tmp_path)
        assert sum(counts["exported"] for trial in trials(folder) for counts in trial.spans.values()) > 0
        before = sweetspot(made, "traces", str(folder))
        assert before.returncode == 0, before.stdout + before.stderr
        name = end_jaeger(made)
        until(lambda: restarted(made, name), timeout_s=60)
        after = sweetspot(made, "traces", str(folder))
        assert after.returncode == 0, after.stdout + after.stderr
        assert after.stdout == before.stdout
    finally:
        cluster.deploy("undeploy", *made.flags)


def end_jaeger(made: Release) -> str:
    """Returns the name of its pod."""
    here = ("--selector", "app.kubernetes.io/component=jaeger", "--output", "jsonpath={.items[0].metadata.name}")
    name = made.kubectl("get", "pods", *here)
    image = ("--image", f"sweetspot/backend:{made.tag}", "--image-pull-policy", "IfNotPresent")
    beside = ("--target", "jaeger", "--profile", "restricted", "--container", "ender")
    made.kubectl("debug", name, *image, *beside, "--", "python", "-c", END)
    until(lambda: made.kubectl("logs", name, "--container", "ender"))
    assert made.kubectl("logs", name, "--container", "ender").split() == ["65532", "keys", "values"]
    return name


def restarted(made: Release, name: str) -> bool:
    """Whether its container is ready for the second time."""
    (container,) = json.loads(made.kubectl("get", "pod", name, "--output", "json"))["status"]["containerStatuses"]
    return container["restartCount"] == 1 and bool(container["ready"])
